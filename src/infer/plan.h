/* A model made ready to run: kernels chosen, weights packed for them, and a depth-first schedule
 * (design, section 5). Strips of columns go through all layers row by row; each tensor lives in a
 * ring of a few rows. */
#ifndef SLBSR_INFER_PLAN_H
#define SLBSR_INFER_PLAN_H

#include <stdint.h>

#include "base/cpu.h"
#include "net/model.h"

typedef struct SlbPlanOptions {
    bool packed; /* low layers by the integer kernels (needs a model with act_bits below 32); else
                    all in float32 */
    SlbCpuLevel level; /* kernels to use */
    int threads;       /* at least 1 */
    uint32_t strip_px; /* width of a strip; 0: chosen from the cache size */
} SlbPlanOptions;

typedef struct SlbPlan SlbPlan;

/* `model` need not outlive the plan. SLB_E_MODEL when packed is asked of a model without activation
 * steps, or of one whose steps and scales slb_requant_create refuses; SLB_E_USAGE for a level that
 * this machine lacks; SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_plan_create(const SlbModel *model, const SlbPlanOptions *options,
                                         SlbPlan **plan, SlbError *err);
void slb_plan_free(SlbPlan *plan); /* NULL is allowed */
int slb_plan_threads(const SlbPlan *plan);
int slb_plan_channels(const SlbPlan *plan); /* of its input and of its output: 1 (Y), 3 (RGB) */
int slb_plan_scale(const SlbPlan *plan);    /* output to input: 2, 3, 4; 1 behind bicubic */

/* Bytes of memory that it holds and that a run on an input of `width` pixels takes besides its
 * planes.
 */
uint64_t slb_plan_bytes(const SlbPlan *plan, uint32_t width);

/* Called every few finished rows of a strip, by one thread at a time: `done` of `total` pixels.
 * Returning nonzero cancels (the run then returns SLB_PARTIAL, `out` is half done). May be NULL. */
typedef int (*SlbProgress)(void *user, uint64_t done, uint64_t total);

/* Runs the network on a picture. `in`: [height][width][channels] floats of 0..1 (Y / 255 or
 * R, G, B / 255); `out`: [height * scale][width * scale][channels], not clipped; both contiguous,
 * not overlapping. The same bytes for any strip_px and threads; for packed plans also for any
 * level. Memory: a few rows of every tensor, as wide as a strip, per thread. Any number of runs may
 * share a plan. SLB_E_USAGE when the output has more rows than a uint32_t counts; SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_plan_run(const SlbPlan *plan, const float *in, float *out,
                                      uint32_t width, uint32_t height, SlbProgress progress,
                                      void *user, SlbError *err);

/* Rows first .. first + count - 1 of a picture. */
typedef struct SlbRows {
    uint32_t first, count;
} SlbRows;

/* The rows of an input of `height` rows that rows `out` of its output are made of: the receptive
 * field, cut off at the picture's borders. */
SlbRows slb_plan_reads(const SlbPlan *plan, uint32_t height, SlbRows out);

/* The same for a part of the picture, so that it can stream by: `width` and `height` are those of
 * the whole input, `in` begins at row in_rows.first and has at least slb_plan_reads(plan, height,
 * out_rows) (else SLB_E_USAGE), `out` begins at row out_rows.first. Bytes are those of the whole
 * picture's run. Each call computes as many rows again as the receptive field reaches beyond
 * out_rows: ask for several hundred at a time. `progress` counts the pixels of out_rows. */
SLB_MUST_CHECK SlbStatus slb_plan_run_rows(const SlbPlan *plan, uint32_t width, uint32_t height,
                                           const float *in, SlbRows in_rows, float *out,
                                           SlbRows out_rows, SlbProgress progress, void *user,
                                           SlbError *err);

/* Which kernel serves convolution i, e.g. "packed c", "float avx2", "float c, fixed order". */
const char *slb_plan_kernel(const SlbPlan *plan, int conv);

#endif
