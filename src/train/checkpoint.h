/* The state of a run between two steps, as a safetensors file: parameters, Adam's moments, and where the run is.
 * Random numbers need no state: they are keyed by the step (base/rng.h). */
#ifndef SLBSR_TRAIN_CHECKPOINT_H
#define SLBSR_TRAIN_CHECKPOINT_H

#include "train/layer.h"

/* Writes atomically, replacing an older one. `recipe` is everything that decides the result. */
SLB_MUST_CHECK SlbStatus slb_checkpoint_save(const char *path, const char *recipe,
                                             const SlbLayer *layers, int count, long step,
                                             SlbError *err);

/* Restores; *step is the number of steps done, or -1 when there is no file. SLB_E_USAGE when the file belongs to
 * another recipe; SLB_E_MODEL when it is damaged. Parameters are undefined on failure. */
SLB_MUST_CHECK SlbStatus slb_checkpoint_load(const char *path, const char *recipe, SlbLayer *layers,
                                             int count, long *step, SlbError *err);

#endif
