/* Pictures made larger as they stream by: rows go in from the top, rows of the result come out, and
 * memory holds a band of them, never a picture.
 *
 * What becomes of a picture: alpha is multiplied into the colours; the network enlarges brightness
 * (networks on Y) or R, G and B (networks on RGB) by 2, 3 or 4; one bicubic resize brings that to
 * the size that is wanted; all that the network does not see is resized bicubically from the
 * picture straight to that size; alpha is divided out again and samples are rounded, once, at the
 * end. Beyond the border of the picture the network sees its mirror image, 8 pixels wide, then
 * zeros. */
#ifndef SLBSR_INFER_UPSCALER_H
#define SLBSR_INFER_UPSCALER_H

#include "img/image.h"
#include "infer/plan.h"

/* Of memory for rows of bands, where nothing else is asked for, beyond what bands of one row take;
 * or twice that where it is more, as a band reads rows beyond its own. */
enum { SLB_BAND_BYTES = 128 << 20 };

typedef enum SlbAlpha {
    SLB_ALPHA_RESIZE, /* bicubic */
    SLB_ALPHA_NET,    /* through the network, as a grey picture */
    SLB_ALPHA_DROP,   /* left out; colours are taken as they are stored */
} SlbAlpha;

enum { SLB_WRAP_X = 1, SLB_WRAP_Y = 2 }; /* the right border is next to the left one, ... */

typedef struct SlbUpscaleOptions {
    /* The result. Any size: where it is larger than the picture in neither direction, the network
     * is not used. Any depth. Channels are those of the picture, or without its alpha; of grey with
     * alpha also 3, for a background in colour. */
    SlbImageInfo out;
    int factor; /* by which a network behind bicubic enlarges: 2, 3, 4; 0: the least that is enough
                   for the result, 4 at most. Others have one factor and keep it. */
    SlbAlpha alpha;
    unsigned wrap;         /* SLB_WRAP_* */
    uint8_t background[3]; /* R, G, B to put transparency on where the result has no alpha */
    uint64_t max_bytes;    /* that the upscaler and the plan may take: bands are as high as that
                              allows; 0: see SLB_BAND_BYTES */
    uint64_t other_bytes;  /* of max_bytes, that something else takes */
    uint32_t band_rows;    /* of the result; 0: chosen by max_bytes */
    SlbProgress progress;  /* counts pixels of the result; NULL: none */
    void *user;
} SlbUpscaleOptions;

typedef struct SlbUpscaler SlbUpscaler;

/* What a background is in a result that is grey, 0..255: its brightness. */
static inline double slb_background_grey(const uint8_t background[3])
{
    return 0.299 * background[0] + 0.587 * background[1] + 0.114 * background[2];
}

/* The least of 2, 3, 4 by which `in` becomes as large as `out` (4 where none is enough); 1 when
 * `out` is larger in neither direction. */
int slb_upscale_factor(const SlbImageInfo *in, const SlbImageInfo *out);

/* `plan` must outlive the upscaler; its threads are used. SLB_E_USAGE for options that do not fit
 * each other or the picture, SLB_E_INPUT for sizes that are too large, SLB_E_MEMORY when memory is
 * out or max_bytes too little: then the message says how much is needed. The caller frees *up. */
SLB_MUST_CHECK SlbStatus slb_upscaler_create(const SlbPlan *plan, const SlbImageInfo *in,
                                             const SlbUpscaleOptions *options, SlbUpscaler **up,
                                             SlbError *err);
/* Fails as that would, but takes no memory for rows. *bytes is what slb_upscaler_bytes would say.
 */
SLB_MUST_CHECK SlbStatus slb_upscaler_check(const SlbPlan *plan, const SlbImageInfo *in,
                                            const SlbUpscaleOptions *options, uint64_t *bytes,
                                            SlbError *err);
void slb_upscaler_free(SlbUpscaler *up); /* NULL is allowed */

const SlbImageInfo *slb_upscaler_in(const SlbUpscaler *up);
const SlbImageInfo *slb_upscaler_out(const SlbUpscaler *up);

/* Bytes that it holds, with those of the plan if that is used. */
uint64_t slb_upscaler_bytes(const SlbUpscaler *up);

/* Rows to push now; 0: rows are ready to be pulled, or all is done. */
uint32_t slb_upscaler_wants(const SlbUpscaler *up);

/* Which row of the picture is to be pushed next: they come in their order, but with SLB_WRAP_Y they
 * begin before the first and end behind the last. */
uint32_t slb_upscaler_next_row(const SlbUpscaler *up);

/* Takes the next `count` rows, at most slb_upscaler_wants (samples as in img/image.h). */
void slb_upscaler_push(SlbUpscaler *up, const void *rows, size_t stride_bytes, uint32_t count);

/* Rows that can be pulled now. */
uint32_t slb_upscaler_ready(const SlbUpscaler *up);

/* Gives the next `count` rows of the result, at most slb_upscaler_ready. The first pull of a band
 * runs the network on it. The same bytes for any band and any number of threads. SLB_PARTIAL when
 * progress cancelled, SLB_E_MEMORY; after a failure the upscaler is good for slb_upscaler_free
 * alone. */
SLB_MUST_CHECK SlbStatus slb_upscaler_pull(SlbUpscaler *up, void *rows, size_t stride_bytes,
                                           uint32_t count, SlbError *err);

#endif
