/* slbsr export: a model for other programs. */
#include <string.h>
#include <strings.h>

#include "cli/commands.h"
#include "infer/builtin.h"
#include "infer/onnx_export.h"
#include "net/foreign.h"

typedef struct Settings {
    const char *net, *map;
    bool use_float, overwrite;
} Settings;

static const Option options[] = {
    {0, "float", OPTION_FLAG, offsetof(Settings, use_float), NULL, NULL, 0, 0, NULL, false,
     "float weights and activations in ONNX, also of models with activations of 8 bits or fewer"},
    {0, "map", OPTION_TEXT, offsetof(Settings, map), "FILE", NULL, 0, 0, NULL, false,
     "names for the tensors of a safetensors file, as for slbsr import"},
    {0, "net", OPTION_TEXT, offsetof(Settings, net), "NET|FILE", NULL, 0, 0, NULL, false,
     "the network of a weight file that carries none: a name (vdsr) or a .net file"},
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace OUTPUT when it exists"},
    {0},
};

static bool has_extension(const char *path, const char *extension)
{
    size_t n = strlen(path), m = strlen(extension);
    return n > m && strcasecmp(path + n - m, extension) == 0;
}

static SlbStatus open_model(const Settings *set, const char *name, SlbModel **model, SlbError *err)
{
    SlbGraph *net = NULL;
    SlbStatus s = set->net ? slb_graph_open(set->net, &net, err) : SLB_OK;
    if (s == SLB_OK) s = slb_model_open(name, net, model, err);
    slb_graph_free(net);
    return s;
}

static SlbStatus export_weights(const Settings *set, const SlbModel *model, const char *output,
                                SlbError *err)
{
    SlbNameMap *map = NULL;
    SlbStatus s = set->map ? slb_names_load(set->map, &map, err) : SLB_OK;
    if (s == SLB_OK) s = slb_foreign_save(model, map, output, set->overwrite, err);
    slb_names_free(map);
    return s;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    const char *output = invocation->operands[1];
    bool onnx = has_extension(output, ".onnx");
    SlbModel *model;
    if (!onnx && !has_extension(output, ".safetensors"))
        return slb_fail(err, SLB_E_USAGE, "%s: the name must end in .onnx or .safetensors", output);
    if (onnx && set->map)
        return slb_fail(err, SLB_E_USAGE, "--map: is for safetensors; %s is to be ONNX", output);
    if (!onnx && set->use_float)
        return slb_fail(err, SLB_E_USAGE,
                        "--float: is for ONNX; %s gets float weights in any case; leave it out",
                        output);
    SlbStatus s = open_model(set, invocation->operands[0], &model, err);
    if (s != SLB_OK) return s;
    SlbOnnxOptions how = {set->use_float, invocation->line, set->overwrite};
    s = onnx ? slb_export_onnx(model, &how, output, err) : export_weights(set, model, output, err);
    slb_model_free(model);
    return s;
}

const Command cmd_export = {
    .name = "export",
    .operands = "MODEL|FILE OUTPUT",
    .min_operands = 2,
    .max_operands = 2,
    .summary = "Write a model for other programs: ONNX, or PyTorch's weights",
    .notes =
        "OUTPUT.onnx: opset 13, one input and one output, N x channels x height x width floats of "
        "any size. What they hold stands in the file: Y / 255, already enlarged bicubically, for "
        "networks with 'input y bicubic', R, G, B / 255 of the picture for 'input rgb'. slbsr lets "
        "the network see 8 pixels of the picture's mirror image beyond its border, and cuts them "
        "off the result: where that is not done, results differ near the border. Models with "
        "activations of 8 bits or fewer keep their integers, as QuantizeLinear and "
        "DequantizeLinear around int8 weights; results of the same input differ from slbsr's by "
        "one "
        "of 255 at most, at few pixels.\n"
        "OUTPUT.safetensors: the float weights that the model means, conv00.weight (out, in, y, x) "
        "and conv00.bias and so on, or with --map under the names of another program's network. "
        "Not for slbsr itself, which keeps models with their bits; but slbsr import reads it.",
    .example = "slbsr export vdsr-w2 vdsr-w2.onnx\n"
               "slbsr export my.safetensors for-pytorch.safetensors --map edsr.map",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
