/* What an upscaler is made of; for the upscaler*.c files alone. */
#ifndef SLBSR_INFER_UPSCALER_STATE_H
#define SLBSR_INFER_UPSCALER_STATE_H

#include <stdbool.h>

#include "img/resize.h"
#include "infer/upscaler.h"

enum {
    SLB_PLANES = 4, /* Y, Cb, Cr or R, G, B, or one of grey; then alpha */
    SLB_PASSES = 2, /* of the network: colours, alpha */
};

/* Planes that go through the network together. */
typedef struct Pass {
    int first, planes; /* one of three: the network's channels all get it, and their mean counts */
} Pass;

struct SlbUpscaler {
    const SlbPlan *plan; /* NULL: nothing is left for a network to do */
    SlbUpscaleOptions options;
    SlbImageInfo in;
    int threads;

    int colours;        /* 1 or 3 */
    int planes;         /* and alpha, unless it is dropped */
    bool alpha;         /* the last plane is alpha */
    bool ycbcr;         /* planes are Y, Cb, Cr */
    bool grounded;      /* the result has none: it is put on the background */
    bool premultiplied; /* colours are times alpha */
    Pass pass[SLB_PASSES];
    int passes;
    bool by_network[SLB_PLANES], resized; /* some are not */

    /* Sizes, pixels. The network sees the picture with margins, width x height: the other end of it
     * (SLB_WRAP_*: held_x, held_y at each end), or its mirror image. Of rows beyond the border the
     * window holds the former; the latter are read where they came from. */
    uint32_t margin_x, margin_y, width, height, held_x, held_y;
    bool enlarged;               /* the network runs behind bicubic */
    int factor;                  /* the network's result to the picture */
    uint32_t net_in_w, net_in_h; /* what the network reads */
    uint32_t net_out_w, net_out_h;
    bool exact;                         /* the network's result, without margins, is the result */
    uint64_t plan_bytes, axis_bytes;    /* of the plan, used or not, and of these axes: */
    SlbAxis enlarge_rows, enlarge_cols; /* the picture to what the network reads; enlarged */
    SlbAxis net_rows, net_cols;         /* the network's result to the result; not exact */
    SlbAxis rows, cols;                 /* the picture to the result */

    /* The window: rows `first` .. `pushed` - 1 of the planes, 0..255, with margins of columns. */
    double *plane[SLB_PLANES];
    uint32_t first, pushed, window; /* rows; `window` is the room */

    /* The band: rows of the result that can be made of what is held. */
    SlbRows band;
    SlbRows need;       /* rows of the picture for the next band */
    uint32_t band_rows; /* at most */
    uint32_t next;      /* row to be pulled */
    float *net_in, *net_out[SLB_PASSES];
    SlbRows net_held; /* rows in net_out */
    double *scratch;  /* [threads][scratch_count] */
    size_t scratch_count;
    uint64_t bytes;
};

/* Threads for work on so many pixels: none beside the caller where waking them would take longer.
 */
static inline int slb_upscaler_team(const SlbUpscaler *up, uint64_t pixels)
{
    enum { WORTH_IT = 1 << 14 };
    return pixels < WORTH_IT ? 1 : up->threads;
}

/* Number i of a line of n that is mirrored at both ends, again and again: 1 0 | 0 1 2 | 2 1 0 | 0 1
 */
static inline uint32_t slb_mirrored(int64_t i, uint32_t n)
{
    int64_t period = 2 * (int64_t)n, at = ((i % period) + period) % period;
    return (uint32_t)(at < n ? at : period - 1 - at);
}

/* The window's row that is row y of the picture with its margins. */
static inline uint32_t slb_upscaler_source_row(const SlbUpscaler *up, uint32_t y)
{
    return up->held_y ? y : slb_mirrored((int64_t)y - up->margin_y, up->in.height);
}

/* From in, options and threads: the plan, planes, passes, sizes, and what plan and axes take. Errors
 * as those of slb_upscaler_create. */
SLB_MUST_CHECK SlbStatus slb_upscaler_lay_out(SlbUpscaler *up, const SlbPlan *plan, SlbError *err);

/* Then the axes. */
SLB_MUST_CHECK SlbStatus slb_upscaler_make_axes(SlbUpscaler *up, SlbError *err);

/* `count` rows into the window, from row up->pushed on; rows ahead of the window are left out. */
void slb_upscaler_store(SlbUpscaler *up, const unsigned char *rows, size_t stride_bytes,
                        uint32_t count);

/* Row y of what the network reads in a pass, into a row of net_in. For one thread of several. */
void slb_upscaler_net_row(const SlbUpscaler *up, const Pass *pass, uint32_t y, float *row);

/* Row y of the result. For one thread of several. */
void slb_upscaler_out_row(const SlbUpscaler *up, uint32_t y, unsigned char *row);

/* Numbers of scratch that a thread needs for the two above. */
size_t slb_upscaler_scratch(const SlbUpscaler *up);

#endif
