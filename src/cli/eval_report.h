/* What slbsr eval writes on standard output: a table as the measurements come, or JSON at the end.
 */
#ifndef SLBSR_CLI_EVAL_REPORT_H
#define SLBSR_CLI_EVAL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/eval_measure.h"

struct cJSON;

/* The caller fills the first five and zeroes the rest; `models` may change before every
 * eval_report_begin. */
typedef struct EvalReport {
    bool json;
    const EvalModels *models; /* none of them: bicubic alone */
    const char *protocol;     /* "vdsr", "rgb" */
    bool lr;                  /* the small pictures are published ones (--lr) */
    size_t failed;            /* measurements that failed; counted by the caller */
    EvalRow sum;              /* of the rows since eval_report_begin that count in means */
    EvalCounts counts;        /* of those rows */
    /* root owns all others; one result and one list of images a model, or one in all */
    struct cJSON *root, *result[EVAL_MODELS], *images[EVAL_MODELS];
} EvalReport;

/* The sequence is: for each set and scale begin, row..., end; then finish. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus eval_report_begin(EvalReport *report, const char *set, int scale,
                                           SlbError *err);
SLB_MUST_CHECK SlbStatus eval_report_row(EvalReport *report, const EvalRow *row, SlbError *err);
/* *mean gets the means of the rows; what is no number is left out of them and counted. */
SLB_MUST_CHECK SlbStatus eval_report_end(EvalReport *report, EvalRow *mean, SlbError *err);
/* "mean of PSNR: 98 of 100 pictures; 1 equal, 1 too small"; "" when all of them count. */
enum { EVAL_NOTE_BYTES = 160 };
void eval_psnr_note(const EvalCounts *counts, char text[EVAL_NOTE_BYTES]);
void eval_ssim_note(const EvalCounts *counts, char text[EVAL_NOTE_BYTES]);
SLB_MUST_CHECK SlbStatus eval_report_finish(EvalReport *report, SlbError *err);
void eval_report_free(EvalReport *report);

#endif
