/* slbsr import: float weights of another program as a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "net/foreign.h"

typedef struct Settings {
    const char *net, *map, *mean;
    double range;
    IntList scales;
    bool overwrite;
} Settings;

static const Option options[] = {
    {0, "net", OPTION_TEXT, offsetof(Settings, net), "NET|FILE", NULL, 0, 0, NULL, true,
     "the network that the weights are for: a name (vdsr, srresnet-x2) or a .net file"},
    {0, "map", OPTION_TEXT, offsetof(Settings, map), "FILE", NULL, 0, 0, NULL, false,
     "which tensor belongs to which convolution, where shapes do not tell"},
    {'s', "scale", OPTION_INTS, offsetof(Settings, scales), "N,...", "2|3|4", 0, 0, NULL, false,
     "factors that the weights were trained for (2, 3, 4), where the network does not tell"},
    {0, "range", OPTION_REAL, offsetof(Settings, range), "F", NULL, 1e-6, 1e6, "1", false,
     "the weights were trained on values of 0 to F"},
    {0, "mean", OPTION_TEXT, offsetof(Settings, mean), "R,G,B", NULL, 0, 0, NULL, false,
     "less this mean, of values of 0 to 1; one number for networks of Y"},
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace OUTPUT when it exists"},
    {0},
};

static SlbStatus load(const Settings *set, const char *input, SlbModel **model,
                      SlbForeignMatch **matches, SlbError *err)
{
    SlbGraph *net = NULL;
    SlbNameMap *map = NULL;
    SlbStatus s = slb_graph_open(set->net, &net, err);
    if (s == SLB_OK && set->map) s = slb_names_load(set->map, &map, err);
    if (s == SLB_OK) s = slb_foreign_load(input, net, map, model, matches, err);
    slb_names_free(map);
    slb_graph_free(net);
    return s;
}

/* As many numbers with commas between as the network's input has channels. */
static SlbStatus parse_mean(const Settings *set, int channels, double *mean, SlbError *err)
{
    const char *next = set->mean;
    for (int c = 0; next && c < channels; c++) {
        char *end;
        mean[c] = strtod(next, &end);
        bool ends = c + 1 == channels;
        if (end == next || *end != (ends ? 0 : ',') || !(mean[c] >= -1.0 && mean[c] <= 1.0))
            return slb_fail(err, SLB_E_USAGE, "--mean %s: %s of -1 to 1 expected for this network",
                            set->mean, channels == 1 ? "one number" : "three numbers 'R,G,B'");
        next = end + 1;
    }
    return SLB_OK;
}

static SlbStatus rescale(const Settings *set, SlbModel *model, SlbError *err)
{
    double mean[3] = {0};
    SlbStatus s = parse_mean(set, model->graph->nodes[0].channels, mean, err);
    if (s != SLB_OK || (set->range == 1.0 && !set->mean)) return s;
    return slb_foreign_rescale(model, set->range, mean, err);
}

/* "2,3,4" from the option, or what the network itself is for. */
static SlbStatus tell_scales(const Settings *set, SlbModel *model, SlbError *err)
{
    const SlbGraph *g = model->graph;
    char text[2 * MAX_LIST] = "", *to = text;
    for (int i = 0; i < set->scales.count; i++)
        to += sprintf(to, "%s%d", i ? "," : "", set->scales.item[i]);
    if (!g->enlarged) {
        sprintf(text, "%d", g->scale);
        if (set->scales.count && (set->scales.count > 1 || set->scales.item[0] != g->scale))
            return slb_fail(err, SLB_E_USAGE, "--scale: this network enlarges by %d and no other",
                            g->scale);
    }
    model->scales = strdup(text);
    return model->scales ? SLB_OK : slb_fail_memory(err, "a model");
}

static void print_matches(const SlbModel *model, const SlbForeignMatch *matches)
{
    for (int i = 0; i < model->graph->conv_count; i++) {
        const SlbConvParams *c = &model->conv[i];
        char shape[64];
        snprintf(shape, sizeof shape, "%dx%dx%dx%d", c->out_channels, c->in_channels, c->kernel,
                 c->kernel);
        printf("conv%02d  %-16s %-4s  ", i, shape, slb_dtype_name(matches[i].dtype));
        cli_print_clean(matches[i].weight);
        puts(matches[i].bias ? "" : " (no bias: zeros)");
    }
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    SlbModel *model;
    SlbForeignMatch *matches;
    SlbStatus s = load(set, invocation->operands[0], &model, &matches, err);
    if (s != SLB_OK) return s;
    s = tell_scales(set, model, err);
    if (s == SLB_OK) s = rescale(set, model, err);
    if (s == SLB_OK && !(model->command = strdup(invocation->line)))
        s = slb_fail_memory(err, "a model");
    if (s == SLB_OK) s = slb_model_save(model, invocation->operands[1], set->overwrite, err);
    if (s == SLB_OK) print_matches(model, matches);
    slb_free(matches);
    slb_model_free(model);
    return s;
}

const Command cmd_import = {
    .name = "import",
    .operands = "FILE OUTPUT",
    .min_operands = 2,
    .max_operands = 2,
    .summary = "Make a model of float weights from PyTorch",
    .notes =
        "FILE is a safetensors file with the weights (out, in, y, x) and biases of a network's "
        "convolutions as F16, BF16, F32 or F64; safetensors.torch.save_file(model.state_dict(), "
        "NAME) writes one. Convolutions take the tensors of their shape one after the other: in "
        "the file's order, or, when they stand there as that writer sorts them, by name with "
        "numbers in their order. What took what is printed: read it, for shapes are all that is "
        "checked.\n"
        "Networks of slbsr work on values of 0 to 1. For one that was trained on other ones, as "
        "EDSR "
        "was on 0 to 255 less a mean, --range and --mean change its first and last convolutions so "
        "that it does the same; near the border of a picture, where there are zeros beyond, nearly "
        "so.\n"
        "A map is a text with lines 'conv03 body.1.conv1', for convolutions whose weights are to "
        "be "
        "body.1.conv1.weight, and '- NAME', for tensors that are to be left out.",
    .example = "slbsr import edsr.safetensors w32.safetensors --net srresnet-x2 --range 255 --mean "
               "0.4488,0.4371,0.404\n"
               "slbsr import weights.safetensors my.safetensors --net my.net --map names.map",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
