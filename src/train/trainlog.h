/* The record of a run: OUT.csv. */
#ifndef SLBSR_TRAIN_TRAINLOG_H
#define SLBSR_TRAIN_TRAINLOG_H

#include "train/train.h"

/* Begins the file with its header, or, when going on after `step` steps (step > 0), drops the rows
 * of later steps. SLB_E_OUTPUT. */
SLB_MUST_CHECK SlbStatus slb_trainlog_begin(const char *path, const int *scales, int scale_count,
                                            long step, SlbError *err);

/* Appends one row; fields that were not measured stay empty. */
SLB_MUST_CHECK SlbStatus slb_trainlog_add(const char *path, const SlbTrainReport *report,
                                          SlbError *err);

#endif
