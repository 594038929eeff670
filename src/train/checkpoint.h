/* The state of a run as a safetensors file. */
#ifndef SLBSR_TRAIN_CHECKPOINT_H
#define SLBSR_TRAIN_CHECKPOINT_H

#include "train/state.h"

/* Writes atomically, replacing an older one. `recipe` is everything that decides the result. */
SLB_MUST_CHECK SlbStatus slb_checkpoint_save(const char *path, const char *recipe,
                                             const SlbTrainState *state, SlbError *err);

/* Restores; *found says whether there is a file. SLB_E_USAGE when it belongs to another recipe;
 * SLB_E_MODEL when it is damaged. The state is undefined on failure. */
SLB_MUST_CHECK SlbStatus slb_checkpoint_load(const char *path, const char *recipe,
                                             SlbTrainState *state, bool *found, SlbError *err);

/* Writes checkpoints while the run goes on: a copy of the state is handed to a thread. */
typedef struct SlbSaver SlbSaver;

/* `path` and `recipe` must outlive the saver; `copy` (of the run's form) becomes its own. On
 * failure `copy` is freed. */
SLB_MUST_CHECK SlbStatus slb_saver_create(const char *path, const char *recipe, SlbTrainState *copy,
                                          SlbSaver **saver, SlbError *err);
/* Begins to write `state`, after the one before is written. An error of that one is returned here.
 */
SLB_MUST_CHECK SlbStatus slb_saver_start(SlbSaver *saver, const SlbTrainState *state,
                                         SlbError *err);
/* True while one is being written. */
bool slb_saver_busy(SlbSaver *saver);
/* Waits for the last one and returns its error. */
SLB_MUST_CHECK SlbStatus slb_saver_wait(SlbSaver *saver, SlbError *err);
void slb_saver_free(SlbSaver *saver); /* waits; NULL is allowed */

#endif
