/* The parts of `slbsr eval`: scoring one picture, and reporting what was scored. */
#ifndef SLBSR_CLI_EVAL_H
#define SLBSR_CLI_EVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "img/protocol.h"
#include "infer/plan.h"

typedef enum EvalProtocol { PROTOCOL_VDSR, PROTOCOL_RGB } EvalProtocol;

typedef struct EvalImage {
    const char *name; /* file name without its folder; not owned */
    SlbScore model;   /* NAN without a model; PSNR of equal pictures is INFINITY */
    SlbScore bicubic;
} EvalImage;

/* What the pictures of one set are scored with. */
typedef struct EvalJob {
    EvalProtocol protocol;
    const SlbPlan *plan; /* NULL: bicubic only */
    const char *lr_dir;  /* rgb: folder of the LR pictures; NULL: made here */
    int scale;
} EvalJob;

/* Scores the picture at `path` by job->protocol. `image->name` is left
 * alone. */
SLB_MUST_CHECK SlbStatus eval_image(const EvalJob *job, const char *path, EvalImage *image,
                                    SlbError *err);

/* One row of results: a set at a scale. */
typedef struct EvalResult {
    const char *set;      /* name of the set; not owned */
    const char *model;    /* NULL: bicubic only; not owned */
    const char *protocol; /* "vdsr", "rgb" */
    int scale;
    const EvalImage *images;
    size_t count;
    EvalImage mean; /* of the per-image values */
} EvalResult;

void eval_mean(EvalResult *result);

/* The text report, a line at a time so that it can be watched. */
void eval_print_head(const EvalResult *result);
void eval_print_image(const EvalResult *result, const EvalImage *image);

/* The JSON report: begin once, add each result, print and free at the end. Infinite and undefined values are
 * null. All return SLB_E_MEMORY when memory is out. */
typedef struct EvalJson EvalJson;
EvalJson *eval_json_begin(void); /* NULL: out of memory */
SLB_MUST_CHECK SlbStatus eval_json_add(EvalJson *json, const EvalResult *result, SlbError *err);
SLB_MUST_CHECK SlbStatus eval_json_print(const EvalJson *json, SlbError *err);
void eval_json_free(EvalJson *json); /* NULL is allowed */

#endif
