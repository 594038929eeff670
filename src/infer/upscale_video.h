/* Frames of video made larger: luma by the network, chroma bicubically, each where its samples lie.
 */
#ifndef SLBSR_INFER_UPSCALE_VIDEO_H
#define SLBSR_INFER_UPSCALE_VIDEO_H

#include "img/y4m.h"
#include "infer/plan.h"

typedef struct SlbVideoUpscaler SlbVideoUpscaler;

/* For frames of `in` times `scale` (2, 3, 4). `plan` must outlive it; its threads are used.
 * SLB_E_USAGE for another scale, SLB_E_MODEL when that is not the factor of a network that enlarges
 * by itself, SLB_E_INPUT when the result would be too large, SLB_E_MEMORY. The caller frees *up. */
SLB_MUST_CHECK SlbStatus slb_video_upscaler_create(const SlbPlan *plan, const SlbVideoInfo *in,
                                                   int scale, SlbVideoUpscaler **up, SlbError *err);
void slb_video_upscaler_free(SlbVideoUpscaler *up); /* NULL is allowed */

/* Bounds what work on a frame and the plan take, as in infer/upscaler.h: `max_bytes`, of which
 * something else takes `other_bytes`. SLB_E_MEMORY when that is too little. */
SLB_MUST_CHECK SlbStatus slb_video_upscaler_limit(SlbVideoUpscaler *up, uint64_t max_bytes,
                                                  uint64_t other_bytes, SlbError *err);

/* Of the result: `in` but for width and height. */
const SlbVideoInfo *slb_video_upscaler_info(const SlbVideoUpscaler *up);

/* Most bytes at work for a frame; the frames themselves, bands and the plan not among them. */
uint64_t slb_video_upscaler_bytes(const SlbVideoInfo *in, int scale);

/* `in` enlarged into `out`, which slb_frame_alloc made for slb_video_upscaler_info; parameters are
 * copied. The network has learnt luma of 16..235 (in 8 bits): limited range is taken as it is, its
 * levels below black and above white too, up to 255; what levels of more than 8 bits have beyond
 * that is enlarged bicubically and added to the result, so that the highest stays. Full range is
 * brought to 16..235 for the network and back behind it. Chroma keeps its levels. Rounded once at
 * the end (luma of full range and of more than 8 bits goes through 16 bits). `progress` as for
 * slb_plan_run; errors as those of slb_upscale_image. */
SLB_MUST_CHECK SlbStatus slb_upscale_frame(SlbVideoUpscaler *up, const SlbFrame *in, SlbFrame *out,
                                           SlbProgress progress, void *user, SlbError *err);

#endif
