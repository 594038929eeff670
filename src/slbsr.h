/* slbsr: pictures made larger by low-bit neural networks on the CPU. The C interface.
 *
 * Two ways, one context for both:
 *
 *     SlbsrOptions options = {.struct_bytes = sizeof options, .scale = 2};
 *     SlbsrImage small = {pixels, stride, width, height, 3, 8}, large = {0};
 *     SlbsrError error;
 *     if (slbsr_upscale(&options, &small, &large, &error) != SLBSR_OK) puts(error.text);
 *     ...
 *     slbsr_image_free(&large);
 *
 * or, for pictures that are not in memory as a whole, rows in and rows out: slbsr_begin,
 * slbsr_push, slbsr_pull.
 *
 * The library prints nothing, never ends the process and has no state of its own besides contexts:
 * any number of them may be used in any number of threads at the same time, each by one thread at a
 * time. It opens no file but the model that is asked for. With models whose activations have 8 bits
 * or fewer (all built-in ones but those of 32 bits), and without use_float, the pixels are the same
 * on every machine, for any number of threads and any memory limit, as long as floats are rounded
 * to nearest (fesetround), as they are in a program that does not ask for anything else.
 *
 * Threads are OpenMP's. Where the system refuses to start as many as are asked for, OpenMP's own
 * library prints that and ends the process: under tight limits ask for few. In a child that a
 * process forks after it has used several threads, they wait for ever: ask for one there.
 *
 * On processors with AMX the process asks Linux for its tiles, unless options.cpu or SLBSR_CPU name
 * a level. From then on stacks for signals (sigaltstack) must have room for them: some 11 KiB.
 *
 * Link with -lslbsr (pkg-config slbsr), or in CMake find_package(slbsr) and slbsr::slbsr. */
#ifndef SLBSR_H
#define SLBSR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SLBSR_API __attribute__((visibility("default")))
#else
#define SLBSR_API
#endif

/* Of this header. Before 1.0 a new minor version may break things, as the soname says. */
#define SLBSR_VERSION_MAJOR 0
#define SLBSR_VERSION_MINOR 1
#define SLBSR_VERSION_PATCH 0

/* Of the library that runs: "0.1.0". Static. */
SLBSR_API const char *slbsr_version(void);

/* How a call ended. All but SLBSR_OK leave things as they were, unless a function says otherwise.
 */
typedef enum SlbsrStatus {
    SLBSR_OK = 0,
    SLBSR_CANCELLED = 1,  /* the progress callback asked for it */
    SLBSR_E_ARGUMENT = 2, /* an argument or a field of the options is out of its range */
    SLBSR_E_PICTURE = 3,  /* a picture is too large */
    SLBSR_E_MODEL = 5,    /* a model cannot be read, is damaged or does not fit */
    SLBSR_E_MEMORY = 6,   /* out of memory, or over max_memory_bytes */
    SLBSR_E_MISSING = 8   /* no built-in model is like that */
} SlbsrStatus;

/* What a status means: "out of memory". Static; "unknown status" for other numbers. */
SLBSR_API const char *slbsr_status_text(SlbsrStatus status);

/* What went wrong, for a person: one line without a newline, in English, with the numbers and names
 * at hand. Filled on failure, left alone on success. Every function takes NULL for it. */
typedef struct SlbsrError {
    SlbsrStatus status;
    char text[1024];
} SlbsrError;

/* What becomes of transparency. */
typedef enum SlbsrAlpha {
    SLBSR_ALPHA_RESIZE = 0, /* bicubic */
    SLBSR_ALPHA_NET = 1, /* through the network, as a grey picture: sharper, takes twice as long */
    SLBSR_ALPHA_DROP = 2 /* left out: the result has no alpha, colours stay as they are stored */
} SlbsrAlpha;

enum {
    SLBSR_WRAP_X = 1, /* the picture goes on at its other side, as a texture does: left and right */
    SLBSR_WRAP_Y = 2  /* top and bottom; not for rows in, rows out (it wants the whole picture) */
};

/* Told from time to time, by one thread at a time but not always the one that called: `done` of
 * `total` pixels of the result (with tta of all eight). A value other than 0 ends the work with
 * SLBSR_CANCELLED. */
typedef int (*SlbsrProgress)(void *user, uint64_t done, uint64_t total);

/* How to work. A field of 0 is its default, so {.struct_bytes = sizeof options} is all defaults.
 * Nothing that it points to is kept once a context is made, but `progress` and its user. */
typedef struct SlbsrOptions {
    size_t struct_bytes; /* sizeof (SlbsrOptions): tells an older program from a newer one */

    /* The size of the result: `scale`, or width and height, of which one may be 0 and follows from
     * the shape of the picture; not both ways. Default: scale 2. The network enlarges by the least
     * of its factors that is enough, 4 at most; one bicubic resize makes the rest. Where the result
     * is larger in neither direction there is only the resize. */
    double scale;           /* above 0, at most 64; sides are rounded */
    uint32_t width, height; /* pixels, at most 2^31 - 1 */

    /* The model: one of these four. Default: bits 2. */
    int bits;               /* of a weight, 1, 2, 4, 32: the best built-in model for the scale */
    const char *model;      /* a built-in one by name (slbsr_model_name) */
    const char *model_file; /* the path of a .safetensors file */
    const void *model_data; /* the contents of such a file, */
    size_t model_bytes;     /* so many bytes */

    int threads;     /* 1 to 1024; default: one for each processor; see above */
    const char *cpu; /* widest kernels to use: "c", "sse2", "avx2", "vnni", "amx", "neon"; default:
                        the widest there are, or what the environment has as SLBSR_CPU */
    int use_float;   /* not 0: in float32 even where activations have 8 bits or fewer */

    SlbsrAlpha alpha;
    unsigned wrap; /* SLBSR_WRAP_X | SLBSR_WRAP_Y */
    int tta;       /* not 0: the mean of eight results, one for each way to turn and mirror the
                      picture: a little better, eight times the time; not for rows in, rows out */

    /* What the work may take, the model and the context among it, but not the caller's pictures;
     * with tta and SLBSR_WRAP_Y the work needs whole pictures beyond that. While a model is loaded,
     * twice the bytes of its file and one of each low-bit weight, four of each float one, are taken
     * besides. At most 2^62. Default: about 128 MiB and what a row takes, which is more than that
     * for pictures of tens of thousands of pixels. */
    uint64_t max_memory_bytes;

    SlbsrProgress progress; /* default: none */
    void *progress_user;    /* handed to it */
} SlbsrOptions;

/* A picture in the caller's memory: rows from top to bottom, samples of a pixel side by side. */
typedef struct SlbsrImage {
    void *data;
    size_t stride_bytes;    /* from one row to the next, at least that of a row's samples, and even
                               where they have 16 bits; 0: no gap between rows */
    uint32_t width, height; /* pixels, at least 1 */
    int channels;           /* 1 grey, 2 grey + alpha, 3 R, G, B, 4 R, G, B + alpha; alpha is
                               straight: colours are not multiplied by it */
    int depth;              /* bits of a sample: 8 (uint8_t) or 16 (uint16_t of this machine); full
                               scale is 255 or 65535 */
} SlbsrImage;

/* One call: `in` made larger as the options say (NULL: the defaults) into *out.
 * With out->data NULL the library takes memory for the result and fills in all of *out, with the
 * channels and the depth of `in` (without alpha where that is dropped); slbsr_image_free gives it
 * back. Otherwise *out must describe a buffer of the caller's of just the result's size (see
 * slbsr_size) and channels; its depth may be either.
 * Samples of `in` are only read. For several pictures make a context once: that saves loading the
 * model each time. SLBSR_E_*: all. On failure nothing is to be freed, and a buffer of the caller's
 * may hold part of the result. */
SLBSR_API SlbsrStatus slbsr_upscale(const SlbsrOptions *options, const SlbsrImage *in,
                                    SlbsrImage *out, SlbsrError *error);

/* Frees out->data that slbsr_upscale or slbsr_context_upscale took, and zeroes *image. Safe on a
 * zeroed image; not for buffers of the caller's. */
SLBSR_API void slbsr_image_free(SlbsrImage *image);

/* What a picture of width x height becomes: sizes in *out_width and *out_height, channels with what
 * the options say of alpha in *out_channels (each may be NULL). SLBSR_E_ARGUMENT, SLBSR_E_PICTURE.
 */
SLBSR_API SlbsrStatus slbsr_size(const SlbsrOptions *options, uint32_t width, uint32_t height,
                                 int channels, uint32_t *out_width, uint32_t *out_height,
                                 int *out_channels, SlbsrError *error);

/* A model made ready and what is done with it. Opaque. One thread at a time. */
typedef struct SlbsrContext SlbsrContext;

/* Loads the model. The caller frees *context (slbsr_context_free); NULL on failure. The model for
 * `bits` is chosen for the scale; where width or height are given instead, when the size of a
 * picture is known. SLBSR_E_ARGUMENT, SLBSR_E_MODEL, SLBSR_E_MISSING, SLBSR_E_MEMORY. */
SLBSR_API SlbsrStatus slbsr_context_new(const SlbsrOptions *options, SlbsrContext **context,
                                        SlbsrError *error);
SLBSR_API void slbsr_context_free(SlbsrContext *context); /* NULL is allowed */

/* slbsr_upscale with a context, any number of times. Ends what slbsr_begin began. */
SLBSR_API SlbsrStatus slbsr_context_upscale(SlbsrContext *context, const SlbsrImage *in,
                                            SlbsrImage *out, SlbsrError *error);

/* Rows in, rows out. Memory holds a band of rows of the picture and of the network's planes, as
 * wide as the picture: never all of its height, unless that is small.
 *
 *     slbsr_begin(context, &in, &out, &error);        in: width, height, channels, depth
 *     for (;;) {
 *         slbsr_pull(context, rows, 0, 16, &got, &error);      up to 16 rows of the result
 *         if (got) write them;
 *         else if (slbsr_wanted(context)) read a row and slbsr_push it;
 *         else break;
 *     }
 */

/* Begins a picture of which `in` tells width, height, channels and depth (its data is not looked
 * at). Fills *out likewise, data NULL; out->depth may be set to 8 or 16 before, 0 is that of `in`.
 * A picture that was begun before is given up. SLBSR_E_ARGUMENT, also for tta and SLBSR_WRAP_Y;
 * SLBSR_E_PICTURE; SLBSR_E_MEMORY, telling how much is needed where max_memory_bytes is too little;
 * those of slbsr_context_new where the model is chosen now. */
SLBSR_API SlbsrStatus slbsr_begin(SlbsrContext *context, const SlbsrImage *in, SlbsrImage *out,
                                  SlbsrError *error);

/* How many rows slbsr_push takes now; 0 while there are rows to pull, when all have been pushed, or
 * when nothing is begun. */
SLBSR_API uint32_t slbsr_wanted(const SlbsrContext *context);

/* The next `count` rows of the picture, at most slbsr_wanted; they are copied. SLBSR_E_ARGUMENT. */
SLBSR_API SlbsrStatus slbsr_push(SlbsrContext *context, const void *rows, size_t stride_bytes,
                                 uint32_t count, SlbsrError *error);

/* Up to `count` next rows of the result into `rows`; *got tells how many: 0 when rows are wanted
 * first, or when all have been given out. The first rows of a band take the time of the band. After
 * SLBSR_CANCELLED and SLBSR_E_MEMORY the picture is given up. */
SLBSR_API SlbsrStatus slbsr_pull(SlbsrContext *context, void *rows, size_t stride_bytes,
                                 uint32_t count, uint32_t *got, SlbsrError *error);

/* The built-in models by number, from 0: "vdsr-w2"; NULL behind the last one. Static. */
SLBSR_API const char *slbsr_model_name(int index);

#ifdef __cplusplus
}
#endif

#endif
