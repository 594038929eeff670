/* What slbsr eval does with one picture: scores of bicubic and of every model, and the crops that a
 * report shows. */
#ifndef SLBSR_CLI_EVAL_MEASURE_H
#define SLBSR_CLI_EVAL_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#include "img/protocol.h"
#include "infer/plan.h"

enum { EVAL_MODELS = 16 }; /* at most, in one run */

typedef enum EvalProtocol { EVAL_VDSR, EVAL_RGB } EvalProtocol;

/* A model made ready. */
typedef struct EvalModel {
    const char *name;
    SlbModel *model;
    SlbPlan *plan;
    bool packed; /* it runs on the integer kernels */
} EvalModel;

/* The models of one scale; the same number at every scale. */
typedef struct EvalModels {
    EvalModel item[EVAL_MODELS];
    int count;
} EvalModels;

/* One picture. NAN stands for what was not or cannot be measured, INFINITY for equal pictures. */
typedef struct EvalRow {
    const char *name; /* of the file, without its folder */
    SlbScore bicubic, model[EVAL_MODELS];
} EvalRow;

/* What the means of a set are of. A picture counts in that of PSNR only where PSNR is a number for
 * bicubic and all models, so that the means beside each other are of the same pictures; likewise
 * for SSIM. */
typedef struct EvalCounts {
    size_t pictures;
    size_t psnr, ssim; /* of them: in the means */
    size_t equal;      /* left out of PSNR, which is infinite; those left out for else are small */
} EvalCounts;

typedef struct EvalRect {
    uint32_t x, y, width, height;
} EvalRect;

/* A detail of a picture as everyone shows it: 8 bits, grey or RGB. */
typedef struct EvalView {
    uint32_t side;          /* wanted, pixels; set by the caller, the rest is filled in */
    EvalRect at;            /* where the crops lie: the window in which bicubic errs most */
    uint32_t width, height; /* of the picture, cropped to a multiple of the scale */
    SlbImage overview;      /* the whole picture, small */
    SlbImage original;
    SlbImage bicubic, model[EVAL_MODELS];
    SlbImage bicubic_error, model_error[EVAL_MODELS]; /* brightness of what is wrong in Y */
} EvalView;

/* Error of Y, in steps of 1/255, that is the brightest colour in an error map. */
enum { EVAL_ERROR_FULL = 40 };

/* Measures the picture at `path` by a protocol; `lr`: take the small picture from the set (rgb
 * only). Networks that enlarge by themselves are for rgb. *row is filled in any case, with NAN
 * where nothing was measured. `view` may be NULL; it is the caller's to free in any case.
 * SLB_E_INPUT for a picture that cannot be used. */
SLB_MUST_CHECK SlbStatus eval_measure(EvalProtocol protocol, bool lr, const EvalModels *models,
                                      const char *path, int scale, EvalRow *row, EvalView *view,
                                      SlbError *err);

void eval_view_free(EvalView *view); /* keeps `side` */

/* For eval_measure: where the crops lie, by the errors of bicubic; the overview and the crop of the
 * original. Planes are as large as `hr`. */
SLB_MUST_CHECK SlbStatus eval_view_begin(EvalView *view, const SlbImage *hr, const double *truth,
                                         const double *bicubic, SlbError *err);
/* The crop of one result and its error map. `luma` is its Y as it was scored. `colours` is the
 * result itself, or with `only_chroma` the picture that lends it its colours. */
SLB_MUST_CHECK SlbStatus eval_view_add(const EvalView *view, const double *truth,
                                       const double *luma, const SlbImage *colours,
                                       bool only_chroma, SlbImage *crop, SlbImage *error,
                                       SlbError *err);

#endif
