/* A model made ready to run: kernels chosen, weights packed for them, and a depth-first schedule
 * (design, section 5). Strips of columns go through all layers row by row; each tensor lives in a
 * ring of a few rows. */
#ifndef SLBSR_INFER_PLAN_H
#define SLBSR_INFER_PLAN_H

#include <stdint.h>

#include "base/cpu.h"
#include "net/model.h"

typedef struct SlbPlanOptions {
    bool packed; /* low layers by the integer kernels (needs a model with act_bits 8); else all in
                    float32 */
    SlbCpuLevel level; /* kernels to use */
    int threads;       /* at least 1 */
    uint32_t strip_px; /* width of a strip; 0: chosen from the cache size */
} SlbPlanOptions;

typedef struct SlbPlan SlbPlan;

/* `model` need not outlive the plan. SLB_E_MODEL when packed is asked of a model without activation
 * steps, or of a network whose low layers follow anything but a conv with relu (unsigned codes hold
 * nothing below 0); SLB_E_USAGE for a level that this machine lacks; SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_plan_create(const SlbModel *model, const SlbPlanOptions *options,
                                         SlbPlan **plan, SlbError *err);
void slb_plan_free(SlbPlan *plan); /* NULL is allowed */
int slb_plan_threads(const SlbPlan *plan);

/* Called every few finished rows of a strip, by one thread at a time: `done` of `total` pixels.
 * Returning nonzero cancels (the run then returns SLB_PARTIAL, `out` is half done). May be NULL. */
typedef int (*SlbProgress)(void *user, uint64_t done, uint64_t total);

/* Runs the network on one plane: `in` and `out` have width * height floats, contiguous, not
 * overlapping, in/out scale 0..1 (Y / 255); neither is clipped. The same bytes for any strip_px and
 * threads; for packed plans also for any level. Memory: a few rows of every tensor, as wide as a
 * strip, per thread. Any number of runs may share a plan. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_plan_run(const SlbPlan *plan, const float *in, float *out,
                                      uint32_t width, uint32_t height, SlbProgress progress,
                                      void *user, SlbError *err);

/* Which kernel serves convolution i, e.g. "packed c", "float avx2", "float c, fixed order". */
const char *slb_plan_kernel(const SlbPlan *plan, int conv);

#endif
