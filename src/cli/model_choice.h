/* Which model a command runs and how: options that `upscale` and `eval` share. */
#ifndef SLBSR_CLI_MODEL_CHOICE_H
#define SLBSR_CLI_MODEL_CHOICE_H

#include "cli/options.h"
#include "infer/plan.h"
#include "net/model.h"

typedef struct ModelChoice {
    int bits;          /* of the built-in model; 0: not given */
    const char *model; /* name or file; NULL: not given */
    const char *net;   /* for weight files without a network of their own; NULL: none */
    bool use_float;    /* float kernels even where the model has integer activations */
    int threads;       /* 0: one a processor */
} ModelChoice;

/* Rows for the option table of a command whose settings have a ModelChoice named `choice`: all of
 * it, or what is left when the command has rows of its own for `bits` and `model`. */
/* clang-format off */
#define MODEL_CHOICE_OPTIONS(Settings, bits_fallback)                                              \
    {'b', "bits", OPTION_INT, offsetof(Settings, choice.bits), NULL, "1|2|4|32", 0, 0, NULL,       \
     false, "bits of a weight: takes the best built-in model of that width for the scale"          \
     bits_fallback},                                                                               \
    {'m', "model", OPTION_TEXT, offsetof(Settings, choice.model), "MODEL|FILE", NULL, 0, 0, NULL,  \
     false, "a built-in model by name (slbsr models lists them) or a model file"},                 \
    MODEL_RUN_OPTIONS(Settings)
#define MODEL_RUN_OPTIONS(Settings)                                                                \
    {0, "net", OPTION_TEXT, offsetof(Settings, choice.net), "NET|FILE", NULL, 0, 0, NULL, false,   \
     "the network of a weight file that carries none: a name (vdsr) or a .net file"},              \
    {0, "float", OPTION_FLAG, offsetof(Settings, choice.use_float), NULL, NULL, 0, 0, NULL,        \
     false, "compute in float32 where activations have 8 bits or fewer"},                          \
    {'j', "threads", OPTION_INT, offsetof(Settings, choice.threads), "N", NULL, 1, 1024, NULL,     \
     false, "threads; without it one for each processor"}
/* clang-format on */

/* Opens the model that was chosen; --bits and --model exclude each other (SLB_E_USAGE), and one of
 * them must be there. --bits takes the best built-in one for `scale`. The caller frees *model.
 * `name` (may be NULL) gets what reports call the model: what stood behind --model, or the name of
 * the built-in one; valid as long as the choice. */
SLB_MUST_CHECK SlbStatus cli_open_model(const ModelChoice *choice, int scale, SlbModel **model,
                                        const char **name, SlbError *err);

/* True when `model` will run on the integer kernels. */
bool cli_runs_packed(const ModelChoice *choice, const SlbModel *model);

/* A plan for `model` on this machine's kernels. The caller frees *plan. */
SLB_MUST_CHECK SlbStatus cli_make_plan(const ModelChoice *choice, const SlbModel *model,
                                       SlbPlan **plan, SlbError *err);

#endif
