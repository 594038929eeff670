/* The record of a training run, OUT.csv (train/trainlog.h), read back. */
#ifndef SLBSR_CLI_TRAIN_LOG_H
#define SLBSR_CLI_TRAIN_LOG_H

#include <stddef.h>

#include "base/status.h"

enum { LOG_COLUMNS = 64, LOG_NAME_BYTES = 32 };

typedef struct TrainLog {
    char *name; /* of the file, without its folder (but see train_log_tell_apart), ".csv" and
                   ".safetensors" */
    char column[LOG_COLUMNS][LOG_NAME_BYTES];
    double *value[LOG_COLUMNS]; /* [rows]; NAN where the field is empty */
    int columns;
    size_t rows;
} TrainLog;

/* SLB_E_INPUT when the file is missing or is no such record. A last row that was cut off is left
 * out. The caller frees *log; nothing to free on failure. */
SLB_MUST_CHECK SlbStatus train_log_read(const char *path, TrainLog *log, SlbError *err);
void train_log_free(TrainLog *log);

/* Where logs, read from `paths`, have the same name, that becomes the path as it was given.
 * SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus train_log_tell_apart(TrainLog *logs, char *const *paths, int count,
                                              SlbError *err);

/* The values of a column, NULL when there is none of this name. */
const double *train_log_find(const TrainLog *log, const char *name);

/* The last value of a column that is there, and the step it is of; NAN when there is none. */
double train_log_last(const TrainLog *log, const char *name, double *step);

#endif
