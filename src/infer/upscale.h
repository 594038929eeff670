/* A picture larger: the network on Y, chroma and alpha by bicubic. */
#ifndef SLBSR_INFER_UPSCALE_H
#define SLBSR_INFER_UPSCALE_H

#include "img/image.h"
#include "infer/plan.h"

/* `in` upscaled by `scale` (2, 3, 4) into *out: same channels, depth and ICC profile, width and
 * height times scale. RGB goes to YCbCr (img/color.h) in double; Y is upscaled bicubically, then
 * improved by the plan's network; chroma and alpha bicubically; rounded once at the end. Grey: the
 * samples are taken for Y. The same bytes for any number of threads. `progress` is the network's.
 * The caller frees *out; nothing to free on failure. SLB_PARTIAL when `progress` cancelled,
 * SLB_E_USAGE for another scale, SLB_E_INPUT when the result would be too large for its sizes,
 * SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_upscale(const SlbPlan *plan, const SlbImage *in, int scale,
                                     SlbProgress progress, void *user, SlbImage *out,
                                     SlbError *err);

#endif
