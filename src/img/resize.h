/* Bicubic resampling as MATLAB's imresize does it: a = -0.5, antialiased when shrinking, mirrored
 * or replicated border. One axis at a time, and a row at a time where a picture streams by. */
#ifndef SLBSR_IMG_RESIZE_H
#define SLBSR_IMG_RESIZE_H

#include <stddef.h>
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

/* Whether slb_axis_resize takes such sizes, but for a margin: none is 0 or above 2^31 - 1, and no
 * output is made of more than 1e8 inputs. SLB_E_USAGE. */
SLB_MUST_CHECK SlbStatus slb_axis_check(uint32_t in_size, uint32_t out_size, SlbError *err);

/* Bytes that an axis from in_size to out_size takes, one that slb_axis_resize makes; no overflow
 * for any size above 0. */
uint64_t slb_axis_bytes(uint32_t in_size, uint32_t out_size);

/* Output size ceil(in_size * numerator / denominator); scale = numerator / denominator.
 * Freed with slb_axis_free. */
SLB_MUST_CHECK SlbStatus slb_axis_bicubic(uint32_t in_size, uint32_t numerator,
                                          uint32_t denominator, SlbEdge edge, SlbAxis *axis,
                                          SlbError *err);

/* Exactly out_size outputs for the in_size inputs in the middle of an axis that has `margin` more
 * of them at each end: in_size + 2 * margin in all, of which those within slb_axis_reach are read;
 * `margin` is at least that, or 0: then the border is mirrored. */
SLB_MUST_CHECK SlbStatus slb_axis_resize(uint32_t in_size, uint32_t out_size, uint32_t margin,
                                         SlbAxis *axis, SlbError *err);
/* How far beyond the ends the outputs of such an axis reach, in inputs. */
uint32_t slb_axis_reach(uint32_t in_size, uint32_t out_size);

/* `out_size` samples of what in_size samples become when their plane is enlarged by `scale` and
 * samples lie at site, 1 + site, 2 + site, ... of both planes: chroma of video, which goes with
 * luma (img/y4m.h). Mirrored border. */
SLB_MUST_CHECK SlbStatus slb_axis_sited(uint32_t in_size, uint32_t out_size, double scale,
                                        double site, SlbAxis *axis, SlbError *err);
void slb_axis_free(SlbAxis *axis);

/* One output of a vertical axis, a row: the weighted sum of rows of `n` numbers, of which row i of
 * the axis is at `in` + (i - first) * n. Sums go from the first tap to the last: results never
 * depend on the compiler. */
void slb_axis_row_f64(const SlbAxis *rows, uint32_t output, const double *in, uint32_t first,
                      size_t n, double *out);
void slb_axis_row_f32(const SlbAxis *rows, uint32_t output, const float *in, uint32_t first,
                      size_t n, double *out);

/* One row along a horizontal axis; `channels` interleaved numbers in and out. */
void slb_axis_columns(const SlbAxis *cols, const double *in, size_t channels, double *out);

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

/* The same, but colours count by their alpha: it is multiplied into them before each pass and
 * divided out behind, so that those that do not show do not bleed into those that do; what has no
 * alpha left has no colour. The same bytes as above where there is no alpha or all of it is full.
 */
SLB_MUST_CHECK SlbStatus slb_resize_visible(const struct SlbImage *in, uint32_t numerator,
                                            uint32_t denominator, SlbEdge edge,
                                            struct SlbImage *out, SlbError *err);

#endif
