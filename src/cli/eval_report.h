/* What slbsr eval writes on standard output: a table as the measurements come, or JSON at the end.
 */
#ifndef SLBSR_CLI_EVAL_REPORT_H
#define SLBSR_CLI_EVAL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "img/protocol.h"

/* One picture. NAN stands for what was not or cannot be measured, INFINITY for equal pictures. */
typedef struct EvalRow {
    const char *name; /* of the file, without its folder */
    SlbScore model, bicubic;
} EvalRow;

struct cJSON;

/* The caller fills the first four and zeroes the rest; `model` and `packed` may change before every
 * eval_report_begin. */
typedef struct EvalReport {
    bool json;
    const char *model;    /* NULL: bicubic alone */
    bool packed;          /* the model runs on integer kernels */
    const char *protocol; /* "vdsr", "rgb" */
    size_t failed;        /* measurements that failed; counted by the caller */
    EvalRow sum;          /* of the rows since eval_report_begin */
    size_t rows;
    struct cJSON *root, *result, *images; /* root owns the others */
} EvalReport;

/* The sequence is: for each set and scale begin, row..., end; then finish. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus eval_report_begin(EvalReport *report, const char *set, int scale,
                                           SlbError *err);
SLB_MUST_CHECK SlbStatus eval_report_row(EvalReport *report, const EvalRow *row, SlbError *err);
SLB_MUST_CHECK SlbStatus eval_report_end(EvalReport *report, SlbError *err);
SLB_MUST_CHECK SlbStatus eval_report_finish(EvalReport *report, SlbError *err);
void eval_report_free(EvalReport *report);

#endif
