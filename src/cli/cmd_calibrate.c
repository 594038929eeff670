/* slbsr calibrate: other activation codes for a finished model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "cli/commands.h"
#include "infer/builtin.h"
#include "train/recalibrate.h"

typedef struct Settings {
    TextList data;
    const char *val;
    int act_bits, patch, seed, val_pictures, threads;
    bool overwrite;
} Settings;

static const Option options[] = {
    {'d', "data", OPTION_TEXTS, offsetof(Settings, data), "DIR|PACK", NULL, 0, 0, NULL, true,
     "pictures to fit the codes to, as for 'slbsr train'; may be repeated"},
    {'a', "act-bits", OPTION_INT, offsetof(Settings, act_bits), NULL, "8|7|4|2|1|32", 0, 0, "7",
     false, "bits of the activations that low-bit layers read; 32: float"},
    {0, "patch", OPTION_INT, offsetof(Settings, patch), "N", NULL, 16, 1024, NULL, false,
     "side of a patch, pixels at output resolution; without it 41, or 48 times the network's own "
     "factor"},
    {0, "seed", OPTION_INT, offsetof(Settings, seed), "N", NULL, 0, 2147483647, "1", false,
     "of the choice of patches"},
    {0, "val", OPTION_TEXT, offsetof(Settings, val), "DIR", NULL, 0, 0, NULL, false,
     "folder of pictures to validate on; without it the model keeps its figures, which are those "
     "of its old codes"},
    {0, "val-pictures", OPTION_INT, offsetof(Settings, val_pictures), "N", NULL, 0, 1000000, "0",
     false, "validate on the first N pictures; 0: on all"},
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace OUT if it exists"},
    {'j', "threads", OPTION_INT, offsetof(Settings, threads), "N", NULL, 1, 1024, NULL, false,
     "threads; without it one for each processor"},
    {0},
};

/* What made the model, and then this. */
static SlbStatus add_command(SlbModel *model, const char *line, SlbError *err)
{
    const char *before = model->command && *model->command ? model->command : "";
    size_t bytes = strlen(before) + strlen(line) + sizeof " && ";
    char *both = malloc(bytes);
    if (!both) return slb_fail_memory(err, "the model");
    snprintf(both, bytes, "%s%s%s", before, *before ? " && " : "", line);
    free(model->command);
    model->command = both;
    return SLB_OK;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    SlbModel *model = NULL;
    if (!set->val && cli_given(invocation, "val-pictures"))
        return slb_fail(err, SLB_E_USAGE, "--val-pictures: goes with --val only");
    SlbStatus s = slb_model_open(invocation->operands[0], NULL, &model, err);
    if (s != SLB_OK) return s;
    const SlbGraph *g = model->graph;
    SlbRecalibration how = {.data = set->data.item,
                            .data_count = set->data.count,
                            .act_bits = set->act_bits,
                            .patch = set->patch    ? set->patch
                                     : g->enlarged ? 41
                                                   : 48 * g->scale,
                            .seed = (uint64_t)set->seed,
                            .val = set->val,
                            .val_pictures = set->val_pictures,
                            .threads = set->threads ? set->threads : slb_cpu_count()};
    if (!g->enlarged && how.patch % g->scale)
        s = slb_fail(err, SLB_E_USAGE, "--patch %d: must be a multiple of the network's factor, %d",
                     how.patch, g->scale);
    if (s == SLB_OK) s = slb_recalibrate(model, &how, err);
    if (s == SLB_OK) s = add_command(model, invocation->line, err);
    if (s == SLB_OK) s = slb_model_save(model, invocation->operands[1], set->overwrite, err);
    slb_model_free(model);
    return s;
}

const Command cmd_calibrate = {
    .name = "calibrate",
    .operands = "MODEL OUT",
    .min_operands = 2,
    .max_operands = 2,
    .summary = "Other activation codes for a finished low-bit model",
    .notes =
        "The steps of the codes are chosen anew, by the smallest squared error on random patches; "
        "weights stay as they are. Codes of 7 bits run faster than those of 8: 3x3 layers "
        "whose input has no sign need a third fewer products; where it has one, it is an eighth "
        "bit. For 4 bits and less a model has to be trained for them, see "
        "'slbsr train --act-bits'.",
    .example = "slbsr calibrate vdsr-w2 fast.safetensors --data photos --act-bits 7",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
