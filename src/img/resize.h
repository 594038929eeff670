/* Bicubic resampling as MATLAB's imresize does it: a = -0.5, antialiased when shrinking, mirrored
 * or replicated border. One axis at a time. */
#ifndef SLBSR_IMG_RESIZE_H
#define SLBSR_IMG_RESIZE_H

#include <stdint.h>

#include "base/status.h"

typedef enum SlbEdge {
    SLB_EDGE_MIRROR,    /* half-sample symmetric: MATLAB today */
    SLB_EDGE_REPLICATE, /* as in the published LR images */
} SlbEdge;

/* The weights of one axis: output i is sum_t weight[i * taps + t] * in[index[i * taps + t]]. */
typedef struct SlbAxis {
    uint32_t in_size, out_size, taps;
    uint32_t *index; /* [out_size][taps], each < in_size */
    double *weight;  /* [out_size][taps], each row sums to 1 */
} SlbAxis;

/* Output size ceil(in_size * numerator / denominator); scale = numerator / denominator.
 * Freed with slb_axis_free. */
SLB_MUST_CHECK SlbStatus slb_axis_bicubic(uint32_t in_size, uint32_t numerator,
                                          uint32_t denominator, SlbEdge edge, SlbAxis *axis,
                                          SlbError *err);
void slb_axis_free(SlbAxis *axis);

/* One plane of doubles [rows->in_size][cols->in_size] to [rows->out_size][cols->out_size],
 * contiguous, rows (the vertical axis) first. */
SLB_MUST_CHECK SlbStatus slb_resize_f64(const double *in, const SlbAxis *rows, const SlbAxis *cols,
                                        double *out, SlbError *err);

/* A whole 8- or 16-bit picture, every channel alike, rounded to the sample type after the first
 * (vertical) pass and after the second: MATLAB's result for integer images. The metadata
 * follow (img/meta.h). *out is the caller's to free; nothing to free on failure. */
struct SlbImage;
SLB_MUST_CHECK SlbStatus slb_resize_image(const struct SlbImage *in, uint32_t numerator,
                                          uint32_t denominator, SlbEdge edge, struct SlbImage *out,
                                          SlbError *err);

#endif
