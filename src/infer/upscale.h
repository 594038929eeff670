/* Whole pictures made larger, on top of upscaler.h. */
#ifndef SLBSR_INFER_UPSCALE_H
#define SLBSR_INFER_UPSCALE_H

#include <stdbool.h>

#include "infer/upscaler.h"

/* What size a result shall have. */
typedef struct SlbWantedSize {
    double scale;           /* both sides times this, rounded; 0: by the next two */
    uint32_t width, height; /* pixels; of one that is 0 the shape of the picture decides */
    bool fit;               /* the largest picture of the same shape within width x height */
} SlbWantedSize;

enum { SLB_MAX_WANTED_SCALE = 64 };

/* The result's size for a picture of `in`, in info->width and height (at least 1). SLB_E_USAGE when
 * `wanted` says nothing or a scale that is not above 0 and at most SLB_MAX_WANTED_SCALE;
 * SLB_E_INPUT when the result would have a side of 2^31 pixels or more. */
SLB_MUST_CHECK SlbStatus slb_wanted_size(const SlbWantedSize *wanted, const SlbImageInfo *in,
                                         SlbImageInfo *info, SlbError *err);

/* `in` upscaled as the options say (infer/upscaler.h) into the rows of *out, which is of the kind
 * options->out says and has memory for them. With `tta` the mean of eight results, one for each way
 * to turn and mirror the picture. Metadata are left alone. Errors as those of slb_upscaler_create
 * and slb_upscaler_pull. */
SLB_MUST_CHECK SlbStatus slb_upscale_pixels(const SlbPlan *plan, const SlbImage *in,
                                            const SlbUpscaleOptions *options, bool tta,
                                            SlbImage *out, SlbError *err);

/* The same into a new picture, whose metadata follow (img/meta.h). The caller frees *out; nothing
 * to free on failure. */
SLB_MUST_CHECK SlbStatus slb_upscale_image(const SlbPlan *plan, const SlbImage *in,
                                           const SlbUpscaleOptions *options, bool tta,
                                           SlbImage *out, SlbError *err);

/* Whether the network can enlarge by just `scale`: SLB_E_USAGE when that is not 2, 3 or 4,
 * SLB_E_MODEL when the network enlarges by itself, by another factor. */
SLB_MUST_CHECK SlbStatus slb_check_scale(const SlbPlan *plan, int scale, SlbError *err);

/* The same with defaults: `in` times `scale` (2, 3, 4; else SLB_E_USAGE), same channels and depth.
 * SLB_E_MODEL when that is not the factor of a network that enlarges by itself. */
SLB_MUST_CHECK SlbStatus slb_upscale(const SlbPlan *plan, const SlbImage *in, int scale,
                                     SlbProgress progress, void *user, SlbImage *out,
                                     SlbError *err);

#endif
