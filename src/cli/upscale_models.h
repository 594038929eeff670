/* The networks of an upscaling run: the one of --model, or of --bits the best for each factor by
 * which a picture is enlarged. */
#ifndef SLBSR_CLI_UPSCALE_MODELS_H
#define SLBSR_CLI_UPSCALE_MODELS_H

#include "cli/model_choice.h"
#include "infer/upscale.h"

/* One that is ready to run. */
typedef struct UpscaleModel {
    const char *name; /* for reports */
    SlbModel *model;
    SlbPlan *plan;
    double pixel_seconds;          /* that a pixel of its output takes; 0: not measured */
    bool noted[SLB_MAX_SCALE + 1]; /* factors that are not its own, and that was said */
} UpscaleModel;

typedef struct UpscaleModels {
    ModelChoice choice;
    bool quiet, verbose;
    UpscaleModel by_factor[SLB_MAX_SCALE + 1]; /* of --model: the first alone */
} UpscaleModels;

/* The network for pictures that are enlarged by `factor` (slb_upscale_factor; 1 takes what 2 does),
 * opened when it is asked for the first time. One call at a time; what it gives stays until
 * cli_models_free. Errors as those of cli_open_model and cli_make_plan. */
SLB_MUST_CHECK SlbStatus cli_models_get(UpscaleModels *models, int factor, UpscaleModel **model,
                                        SlbError *err);

/* A note, once for each factor, where the network was made for another one. */
void cli_models_note(const UpscaleModels *models, UpscaleModel *model, int factor);

void cli_models_free(UpscaleModels *models);

#endif
