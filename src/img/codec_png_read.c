/* Reading PNG by libpng. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "img/codec_png.h"
#include "img/codec_png_text.h"

/* libpng keeps every text and asks for room twice, to unpack it and to keep it. Two may be as large
 * as they can be; of more, memory and time would be many times that of the file. */
enum {
    MAX_CHUNK_BYTES = SLB_META_LIMIT,
    MAX_META_BYTES = 4 * SLB_META_LIMIT + (1 << 20),
    MAX_TEXTS = 1000, /* XMP among them: libpng's table of them is copied again and again */
};

bool slb_png_sniff(const unsigned char *head, size_t bytes)
{
    return bytes >= 8 && png_sig_cmp(head, 0, 8) == 0;
}

static SlbStatus read_failed(SlbReader *r, SlbError *err)
{
    PngState *s = r->state;
    if (s->no_memory) return slb_fail_memory(err, r->path);
    if (s->starved) return slb_read_meta_large(r, err);
    return slb_read_damaged(r, s->message, err);
}

static void on_read(png_structp png, png_bytep data, size_t bytes)
{
    SlbReader *r = png_get_io_ptr(png);
    errno = 0;
    if (fread(data, 1, bytes, r->file) == bytes) return;
    png_error(png, ferror(r->file) ? strerror(errno) : "it ends too early");
}

/* Such a picture is grey, unless a profile says what its three channels mean. */
static bool has_grey_palette(PngState *s)
{
    png_colorp palette;
    int n;
    if (png_get_color_type(s->png, s->info) != PNG_COLOR_TYPE_PALETTE ||
        png_get_valid(s->png, s->info, PNG_INFO_iCCP) ||
        !png_get_PLTE(s->png, s->info, &palette, &n))
        return false;
    for (int i = 0; i < n; i++)
        if (palette[i].red != palette[i].green || palette[i].red != palette[i].blue) return false;
    return true;
}

/* Everything to grey, grey + alpha, RGB or RGB + alpha of 8 or native 16 bits. */
static void ask_for_plain_samples(PngState *s)
{
    const uint16_t one = 1;
    png_set_expand(s->png); /* palettes, 1 to 4 bits, tRNS to alpha */
    /* libpng leaves greys as they are. */
    if (has_grey_palette(s)) png_set_rgb_to_gray_fixed(s->png, PNG_ERROR_ACTION_NONE, -1, -1);
    if (*(const unsigned char *)&one == 1) png_set_swap(s->png);
    (void)png_set_interlace_handling(s->png);
}

static SlbStatus read_profile(SlbReader *r, PngState *s, SlbError *err)
{
    png_charp name;
    png_bytep profile;
    png_uint_32 bytes;
    int method;
    if (!png_get_iCCP(s->png, s->info, &name, &method, &profile, &bytes)) {
        if (s->profile[0])
            slb_meta_note(&r->meta, "its ICC profile is faulty (%s) and left out", s->profile);
        return SLB_OK;
    }
    return slb_block_set(&r->meta.icc, profile, bytes, err);
}

static SlbStatus read_exif(SlbReader *r, PngState *s, SlbError *err)
{
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 bytes;
    png_bytep exif;
    if (png_get_eXIf_1(s->png, s->info, &bytes, &exif)) return slb_read_exif(r, exif, bytes, err);
#else
    (void)r;
    (void)s;
    (void)err;
#endif
    return SLB_OK;
}

static SlbStatus read_xmp(SlbReader *r, PngState *s, SlbError *err)
{
    png_textp text;
    int n = png_get_text(s->png, s->info, &text, NULL);
    for (int i = 0; i < n; i++) {
        if (r->meta.xmp.data || strcmp(text[i].key, SLB_PNG_XMP_KEY) != 0) continue;
        size_t bytes = text[i].compression < PNG_ITXT_COMPRESSION_NONE ? text[i].text_length
                                                                       : text[i].itxt_length;
        SlbStatus status = slb_block_set(&r->meta.xmp, text[i].text, bytes, err);
        if (status != SLB_OK) return status;
    }
    return SLB_OK;
}

static void read_colours(SlbMeta *m, PngState *s)
{
    png_fixed_point gamma;
    png_fixed_point *c = m->chroma;
    int intent;
    if (png_get_sRGB(s->png, s->info, &intent)) m->srgb = intent + 1;
    if (png_get_gAMA_fixed(s->png, s->info, &gamma) && gamma > 0) m->gamma = (uint32_t)gamma;
    m->has_chroma = png_get_cHRM_fixed(s->png, s->info, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5],
                                       &c[6], &c[7]) != 0;
}

static void read_density(SlbMeta *m, PngState *s)
{
    png_uint_32 x, y;
    int unit;
    if (!png_get_pHYs(s->png, s->info, &x, &y, &unit) || !x || !y) return;
    m->density_unit = unit == PNG_RESOLUTION_METER ? SLB_DENSITY_METRE : SLB_DENSITY_ASPECT;
    m->density_x = x;
    m->density_y = y;
}

static void note_left_out(SlbReader *r, PngState *s)
{
    if (s->crowded)
        slb_meta_note(&r->meta, "more than %d MiB of metadata: the rest is left out",
                      SLB_META_LIMIT >> 20);
    else if (s->faulty_texts >= SLB_PNG_MAX_FAULTY)
        slb_meta_note(&r->meta, "%d faulty texts or more: these and all behind them are left out",
                      SLB_PNG_MAX_FAULTY);
    else if (png_get_chunk_cache_max(s->png) == 1) /* no room for one more */
        slb_meta_note(&r->meta, "more than %d texts: the rest is left out", MAX_TEXTS);
    else if (s->faulty_texts > 0)
        slb_meta_note(&r->meta, "texts that cannot be unpacked are left out: %d", s->faulty_texts);
}

/* Whether all that libpng has read can be copied beside `other_bytes`. */
static SlbStatus check_room(const SlbReader *r, const PngState *s, size_t other_bytes,
                            SlbError *err)
{
    if (s->starved || other_bytes + 2 * (uint64_t)s->used_bytes > r->meta_bytes)
        return slb_read_meta_large(r, err);
    return SLB_OK;
}

/* What stands ahead of the pixels. */
static SlbStatus read_meta(SlbReader *r, PngState *s, SlbError *err)
{
    read_colours(&r->meta, s);
    read_density(&r->meta, s);
    SlbStatus status = read_profile(r, s, err);
    if (status == SLB_OK) status = read_exif(r, s, err);
    if (status == SLB_OK) status = read_xmp(r, s, err);
    if (status == SLB_OK)
        status = slb_png_take_texts(s->png, s->info, SLB_PNG_XMP_KEY, &r->meta, err);
    note_left_out(r, s);
    png_free_data(s->png, s->info, PNG_FREE_TEXT | PNG_FREE_ICCP, -1); /* they are copied */
#ifdef PNG_eXIf_SUPPORTED
    png_free_data(s->png, s->info, PNG_FREE_EXIF, -1);
#endif
    s->rest_bytes = s->used_bytes;
    return status;
}

static SlbStatus read_header(SlbReader *r, SlbError *err)
{
    PngState *s = r->state;
    if (setjmp(png_jmpbuf(s->png))) return read_failed(r, err);
    png_set_read_fn(s->png, r, on_read);
    png_read_info(s->png, s->info);
    SlbStatus status = slb_read_size(r, png_get_image_width(s->png, s->info),
                                     png_get_image_height(s->png, s->info), 1, 8, err);
    if (status != SLB_OK) return status;
    ask_for_plain_samples(s);
    status = check_room(r, s, 0, err);
    if (status == SLB_OK) status = read_meta(r, s, err);
    png_set_chunk_cache_max(s->png, 1); /* texts behind the pixels: read_meta_behind */
    if (s->no_memory) return slb_fail_memory(err, r->path); /* libpng leaves such chunks out */
    if (status != SLB_OK) return status;
    s->most_bytes = s->left_bytes = s->most_used = SIZE_MAX; /* rows: their size is checked */
    png_read_update_info(s->png, s->info);
    s->most_bytes = 2 * MAX_CHUNK_BYTES;
    r->info.channels = png_get_channels(s->png, s->info);
    r->info.depth = png_get_bit_depth(s->png, s->info);
    if (png_get_rowbytes(s->png, s->info) != slb_row_bytes(&r->info))
        return slb_read_damaged(r, "its rows have an unknown layout", err);
    if (png_get_interlace_type(s->png, s->info) != PNG_INTERLACE_NONE)
        r->held_bytes += r->info.height * (uint64_t)slb_row_bytes(&r->info);
    return SLB_OK;
}

/* `other_bytes` are what metadata take already. */
static SlbStatus create_reading(const SlbReader *r, PngState *s, uint64_t other_bytes,
                                SlbError *err)
{
    uint64_t left = r->meta_bytes > other_bytes ? r->meta_bytes - other_bytes : 0;
    s->most_bytes = 2 * MAX_CHUNK_BYTES; /* libpng takes a little more than a chunk has */
    s->left_bytes = MAX_META_BYTES;
    s->most_used = left;
    s->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, s, slb_png_on_error,
                                      slb_png_on_warning, s, slb_png_on_alloc, slb_png_on_free);
    s->info = s->png ? png_create_info_struct(s->png) : NULL;
    if (!s->info) return s->starved ? slb_read_meta_large(r, err) : slb_fail_memory(err, r->path);
    png_set_user_limits(s->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* slb_read_size checks */
    png_set_chunk_malloc_max(s->png, MAX_CHUNK_BYTES);
    png_set_chunk_cache_max(s->png, MAX_TEXTS + 2); /* it counts down to 2 */
    png_set_crc_action(s->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
#ifdef SLBSR_FUZZ /* what is made up has the wrong sum nearly always */
    png_set_option(s->png, PNG_IGNORE_ADLER32, PNG_OPTION_ON);
#endif
    return SLB_OK;
}

/* ---- What stands behind the pixels ---- */

/* EXIF, XMP and texts may stand behind the pixels, but are wanted ahead of them. In a file libpng
 * can read them there first: it gets the file in another order, the chunks of the pixels last. Of
 * a pipe, slb_png_make_file has made a file. */
typedef struct Reordered {
    int file;
    off_t at;          /* where the next bytes stand */
    off_t chunk_bytes; /* that are left of this chunk */
    off_t pixels;      /* the first chunk of them; 0: not seen yet */
} Reordered;

static bool is_allowed_behind(const unsigned char *type)
{
    static const char types[][5] = {"eXIf", "iTXt", "tEXt", "zTXt"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (memcmp(type, types[i], 4) == 0) return true;
    return false;
}

/* Goes on to the next chunk that is wanted. False at the end of the file, where the pixels are
 * next. */
static bool seek_chunk(Reordered *f)
{
    unsigned char head[8];
    while (pread(f->file, head, 8, f->at) == 8 && memcmp(head + 4, "IEND", 4) != 0) {
        f->chunk_bytes = 12 + (off_t)png_get_uint_32(head);
        bool pixels = memcmp(head + 4, "IDAT", 4) == 0;
        if (pixels && !f->pixels) f->pixels = f->at;
        if (!f->pixels || is_allowed_behind(head + 4)) return true;
        f->at += f->chunk_bytes;
    }
    f->at = f->pixels;
    f->chunk_bytes = INT32_MAX;
    return false;
}

static void on_read_reordered(png_structp png, png_bytep data, size_t bytes)
{
    Reordered *f = png_get_io_ptr(png);
    if (!f->chunk_bytes) (void)seek_chunk(f);
    /* libpng never reads across the end of a chunk. */
    if ((off_t)bytes > f->chunk_bytes || pread(f->file, data, bytes, f->at) != (ssize_t)bytes)
        png_error(png, "it ends too early");
    f->at += (off_t)bytes;
    f->chunk_bytes -= (off_t)bytes;
}

static SlbStatus read_reordered(SlbReader *r, PngState *s, Reordered *f, SlbError *err)
{
    const PngState *first = r->state;
    if (setjmp(png_jmpbuf(s->png))) {
        if (s->no_memory) return slb_fail_memory(err, r->path);
        return s->starved ? slb_read_meta_large(r, err) : SLB_OK; /* told with the last row */
    }
    png_set_read_fn(s->png, f, on_read_reordered);
    png_read_info(s->png, s->info);
    slb_meta_free(&r->meta);
    r->orientation = 0;
    SlbStatus status = check_room(r, s, first->rest_bytes, err);
    if (status == SLB_OK) status = read_meta(r, s, err);
    return s->no_memory ? slb_fail_memory(err, r->path) : status;
}

/* Reads all metadata anew when there is some behind the pixels of the PNG that begins at
 * `start`. */
static SlbStatus read_meta_behind(SlbReader *r, off_t start, SlbError *err)
{
    const Reordered begin = {.file = fileno(r->file), .at = start, .chunk_bytes = 8};
    Reordered f = begin;
    do f.at += f.chunk_bytes;
    while (seek_chunk(&f) && !f.pixels);
    if (f.at == f.pixels) return SLB_OK; /* none */
    PngState s = {0};
    const PngState *first = r->state;
    SlbStatus status = create_reading(r, &s, first->rest_bytes + slb_meta_bytes(&r->meta), err);
    f = begin;
    if (status == SLB_OK) status = read_reordered(r, &s, &f, err);
    if (s.png) png_destroy_read_struct(&s.png, &s.info, NULL);
    return status;
}

SlbStatus slb_png_read_open(SlbReader *r, SlbError *err)
{
    PngState *s = r->state = slb_calloc(1, sizeof *s);
    if (!s) return slb_fail_memory(err, r->path);
    SlbStatus status = slb_png_make_file(r, err);
    if (status != SLB_OK) return status;
    off_t start = ftello(r->file);
    status = create_reading(r, s, 0, err);
    if (status == SLB_OK) status = read_header(r, err);
    if (status == SLB_OK) status = read_meta_behind(r, start, err);
    if (status == SLB_OK) slb_png_read_unknown(r, start);
    return status;
}

/* Interlaced pictures come in seven passes over the whole. */
static SlbStatus read_interlaced(SlbReader *r, PngState *s, SlbError *err)
{
    size_t row_bytes = slb_row_bytes(&r->info);
    s->whole = slb_alloc(r->info.height, row_bytes);
    if (!s->whole) return slb_fail_memory(err, r->path);
    if (setjmp(png_jmpbuf(s->png))) return read_failed(r, err);
    for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
        for (size_t y = 0; y < r->info.height; y++)
            png_read_row(s->png, s->whole + y * row_bytes, NULL);
    png_read_end(s->png, NULL); /* what stands there is read */
    return SLB_OK;
}

static SlbStatus read_plain(SlbReader *r, PngState *s, unsigned char *out, size_t stride_bytes,
                            uint32_t rows, SlbError *err)
{
    if (setjmp(png_jmpbuf(s->png))) return read_failed(r, err);
    for (size_t i = 0; i < rows; i++) png_read_row(s->png, out + i * stride_bytes, NULL);
    if (r->row + rows < r->info.height) return SLB_OK;
    png_read_end(s->png, NULL); /* what stands there is read */
    return SLB_OK;
}

SlbStatus slb_png_read_rows(SlbReader *r, unsigned char *out, size_t stride_bytes, uint32_t rows,
                            SlbError *err)
{
    PngState *s = r->state;
    if (png_get_interlace_type(s->png, s->info) == PNG_INTERLACE_NONE)
        return read_plain(r, s, out, stride_bytes, rows, err);
    SlbStatus status = s->whole ? SLB_OK : read_interlaced(r, s, err);
    size_t row_bytes = slb_row_bytes(&r->info);
    for (size_t i = 0; status == SLB_OK && i < rows; i++)
        memcpy(out + i * stride_bytes, s->whole + (r->row + i) * row_bytes, row_bytes);
    return status;
}

void slb_png_read_close(SlbReader *r)
{
    PngState *s = r->state;
    if (!s) return;
    if (s->png) png_destroy_read_struct(&s->png, &s->info, NULL);
    slb_free(s->whole);
    slb_free(s);
    r->state = NULL;
}
