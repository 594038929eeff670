#include "infer/onnx_export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/onnx.h"
#include "quant/levels.h"
#include "quant/requant.h"

enum { NAME_BYTES = 48, META_COUNT = 8 };

typedef struct Name {
    char text[NAME_BYTES];
} Name;

typedef struct Exporter {
    const SlbModel *model;
    bool packed; /* low layers on codes */
    SlbOnnx *onnx;
    SlbError *err;
} Exporter;

/* What the tensor of a node is called: "input", "conv03", "add21", "output". */
static Name node_name(const Exporter *e, int index)
{
    static const char *const words[SLB_OPS] = {[SLB_OP_INPUT] = "input",
                                               [SLB_OP_CONV] = "conv",
                                               [SLB_OP_ADD] = "add",
                                               [SLB_OP_LRELU] = "lrelu",
                                               [SLB_OP_SHUFFLE] = "shuffle"};
    const SlbNode *node = &e->model->graph->nodes[index];
    Name n = {"output"};
    if (index == e->model->graph->node_count - 1) return n;
    if (node->op == SLB_OP_CONV)
        snprintf(n.text, sizeof n.text, "conv%02d%s", node->conv, node->relu ? ".relu" : "");
    else
        snprintf(n.text, sizeof n.text, index ? "%s%d" : "%s", words[node->op], index);
    return n;
}

/* "conv03.weight" */
static Name part_name(int conv, const char *part)
{
    Name n;
    snprintf(n.text, sizeof n.text, "conv%02d.%s", conv, part);
    return n;
}

static void scalar(Exporter *e, Name name, float value)
{
    slb_onnx_constant(e->onnx, name.text, SLB_ONNX_FLOAT, NULL, 0, &value, sizeof value);
}

/* `part` of a convolution, one element of 4 bytes an output channel. */
static void per_channel(Exporter *e, Name name, SlbOnnxType type, const SlbConvParams *c,
                        const void *values)
{
    size_t outputs = (size_t)c->out_channels;
    slb_onnx_constant(e->onnx, name.text, type, &outputs, 1, values, outputs * 4);
}

static void weights(Exporter *e, Name name, SlbOnnxType type, const SlbConvParams *c,
                    const void *values, size_t element_bytes)
{
    const size_t shape[] = {(size_t)c->out_channels, (size_t)c->in_channels, (size_t)c->kernel,
                            (size_t)c->kernel};
    slb_onnx_constant(e->onnx, name.text, type, shape, 4, values,
                      slb_conv_weights(c) * element_bytes);
}

/* -- convolutions -- */

/* The Conv itself, and its Relu. */
static void conv_node(Exporter *e, int index, const char *input, const char *weight,
                      const char *bias)
{
    const SlbNode *node = &e->model->graph->nodes[index];
    int k = node->kernel, p = k / 2;
    const SlbOnnxAttribute attributes[] = {
        {.name = "kernel_shape", .kind = SLB_ONNX_INTS, .ints = {k, k}, .count = 2},
        {.name = "pads", .kind = SLB_ONNX_INTS, .ints = {p, p, p, p}, .count = 4},
        {0},
    };
    const char *const inputs[] = {input, weight, bias, NULL};
    Name output = node_name(e, index), sum = output;
    if (node->relu) sum = part_name(node->conv, "sum");
    slb_onnx_node(e->onnx, "Conv", inputs, sum.text, attributes);
    const char *const relu[] = {sum.text, NULL};
    if (node->relu) slb_onnx_node(e->onnx, "Relu", relu, output.text, NULL);
}

static SlbStatus float_conv(Exporter *e, int index)
{
    const SlbNode *node = &e->model->graph->nodes[index];
    const SlbConvParams *c = &e->model->conv[node->conv];
    Name weight = part_name(node->conv, "weight"), bias = part_name(node->conv, "bias");
    float *oihw = slb_alloc(slb_conv_weights(c), sizeof *oihw);
    if (!oihw) return slb_fail_memory(e->err, "the weights of a network");
    slb_conv_effective(c, oihw);
    weights(e, weight, SLB_ONNX_FLOAT, c, oihw, sizeof *oihw);
    slb_free(oihw);
    per_channel(e, bias, SLB_ONNX_FLOAT, c, c->bias);
    conv_node(e, index, node_name(e, node->source[0]).text, weight.text, bias.text);
    return SLB_OK;
}

/* Parameters of a low convolution as DequantizeLinear takes them: scales are above 0, so that signs
 * go into the weights. Arrays are owned. */
typedef struct Integers {
    int8_t *weight;      /* [O][I][K][K] */
    float *weight_scale; /* [O] */
    int32_t *bias;       /* [O] */
    float *bias_scale;   /* [O] in_step * weight_scale */
} Integers;

static void free_integers(Integers *q)
{
    slb_free(q->weight);
    slb_free(q->weight_scale);
    slb_free(q->bias);
    slb_free(q->bias_scale);
}

static void fill_integers(const SlbConvParams *c, const SlbRequant *r, Integers *q)
{
    const SlbLevels *levels = slb_levels(c->bits);
    size_t per_output = slb_conv_weights(c) / (size_t)c->out_channels;
    for (size_t o = 0; o < (size_t)c->out_channels; o++) {
        float unit = r->multiplier[o]; /* what one of a sum is worth */
        int sign = unit < 0.0f ? -1 : unit > 0.0f;
        q->weight_scale[o] = sign ? fabsf(unit) / c->in_step : 1.0f;
        q->bias_scale[o] = c->in_step * q->weight_scale[o];
        q->bias[o] = sign * r->bias[o];
        for (size_t i = o * per_output; i < (o + 1) * per_output; i++)
            q->weight[i] = (int8_t)(sign * slb_level_integer(levels, c->level[i]));
    }
}

static SlbStatus make_integers(const SlbConvParams *c, Integers *q, SlbError *err)
{
    size_t outputs = (size_t)c->out_channels;
    SlbRequant r;
    SlbStatus s = slb_requant_create(c, 0, 0.0f, &r, err);
    if (s != SLB_OK) return s;
    *q = (Integers){slb_alloc(slb_conv_weights(c), 1), slb_alloc(outputs, sizeof(float)),
                    slb_alloc(outputs, sizeof(int32_t)), slb_alloc(outputs, sizeof(float))};
    if (q->weight && q->weight_scale && q->bias && q->bias_scale)
        fill_integers(c, &r, q);
    else
        s = slb_fail_memory(err, "the weights of a network");
    slb_requant_free(&r);
    if (s != SLB_OK) free_integers(q);
    return s;
}

/* A node of two or three inputs (`c` may be NULL) that makes `part` of a convolution. */
static Name part_node(Exporter *e, int conv, const char *op, const char *a, const char *b,
                      const char *c, const char *part)
{
    static const SlbOnnxAttribute first_axis[] = {{.name = "axis", .kind = SLB_ONNX_INT}, {0}};
    const char *const inputs[] = {a, b, c, NULL};
    Name output = part_name(conv, part);
    bool channels = !c && strcmp(op, "DequantizeLinear") == 0; /* a scale each */
    slb_onnx_node(e->onnx, op, inputs, output.text, channels ? first_axis : NULL);
    return output;
}

static bool is_packed(const Exporter *e, int index)
{
    const SlbNode *node = &e->model->graph->nodes[index];
    return e->packed && node->op == SLB_OP_CONV && node->low;
}

/* How far from 0 the values below it of channel o of a packed convolution are. */
static double unit_of(const SlbConvParams *c, size_t o)
{
    if (c->scale[o] == 0.0f) return c->bias[o] < 0.0f ? -(double)c->bias[o] : INFINITY;
    return fabs((double)c->scale[o]) * (double)c->in_step / (slb_levels(c->bits)->count - 1);
}

/* What one-bit codes with a sign are told by, for each channel: 0 and above is +. Sums of a low
 * convolution are whole, so its values are 0 or at least one unit of its channel away from it;
 * where they are computed in floats, 0 may come out a little below, and half a unit keeps it on its
 * side. A shuffle makes one channel of several that follow each other: the least of their units
 * counts. */
static void sign_thresholds(Exporter *e, Name name, int source)
{
    const SlbGraph *g = e->model->graph;
    const size_t channels = (size_t)g->nodes[source].channels, shape[] = {channels, 1, 1};
    float threshold[SLB_MAX_CHANNELS] = {0};
    while (g->nodes[source].op == SLB_OP_SHUFFLE) source = g->nodes[source].source[0];
    const SlbConvParams *c = is_packed(e, source) ? &e->model->conv[g->nodes[source].conv] : NULL;
    size_t group = c ? (size_t)c->out_channels / channels : 0;
    for (size_t i = 0; c && i < channels; i++) {
        double least = INFINITY;
        for (size_t o = i * group; o < (i + 1) * group; o++) least = fmin(least, unit_of(c, o));
        if (isfinite(least)) threshold[i] = (float)(-0.5 * least);
    }
    slb_onnx_constant(e->onnx, name.text, SLB_ONNX_FLOAT, shape, 3, threshold,
                      channels * sizeof *threshold);
}

/* Codes of fewer than 8 bits end before a uint8 does: values are brought within their range.
 * Returns the name of what is to be quantized. */
static Name bounded(Exporter *e, int conv, int source, SlbCodes codes)
{
    Name from = node_name(e, source);
    float step = e->model->conv[conv].in_step;
    if (codes.most == UINT8_MAX) return from;
    Name low = part_name(conv, "low"), high = part_name(conv, "high");
    scalar(e, low, (float)-codes.zero * step);
    scalar(e, high, (float)(codes.most - codes.zero) * step);
    if (!codes.sign) return part_node(e, conv, "Clip", from.text, low.text, high.text, "clipped");
    Name threshold = part_name(conv, "threshold");
    sign_thresholds(e, threshold, source);
    Name above = part_node(e, conv, "GreaterOrEqual", from.text, threshold.text, NULL, "is_above");
    return part_node(e, conv, "Where", above.text, high.text, low.text, "sign");
}

/* The input of a low convolution, through its codes and back. */
static Name coded_input(Exporter *e, const SlbNode *node)
{
    int conv = node->conv, source = node->source[0];
    SlbCodes codes = slb_codes(e->model->act_bits, e->model->graph->nodes[source].positive);
    uint8_t zero_code = (uint8_t)codes.zero;
    Name step = part_name(conv, "in_step"), zero = part_name(conv, "in_zero");
    scalar(e, step, e->model->conv[conv].in_step);
    slb_onnx_constant(e->onnx, zero.text, SLB_ONNX_UINT8, NULL, 0, &zero_code, 1);
    Name in = bounded(e, conv, source, codes);
    in = part_node(e, conv, "QuantizeLinear", in.text, step.text, zero.text, "codes");
    return part_node(e, conv, "DequantizeLinear", in.text, step.text, zero.text, "in");
}

/* The floats that an integer constant of a convolution means. */
static Name dequantized(Exporter *e, int conv, const char *part, const char *scale,
                        const char *value)
{
    return part_node(e, conv, "DequantizeLinear", part_name(conv, part).text,
                     part_name(conv, scale).text, NULL, value);
}

static SlbStatus packed_conv(Exporter *e, int index)
{
    const SlbNode *node = &e->model->graph->nodes[index];
    const SlbConvParams *c = &e->model->conv[node->conv];
    Integers q;
    SlbStatus s = make_integers(c, &q, e->err);
    if (s != SLB_OK) return s;
    weights(e, part_name(node->conv, "weight"), SLB_ONNX_INT8, c, q.weight, sizeof *q.weight);
    per_channel(e, part_name(node->conv, "weight_scale"), SLB_ONNX_FLOAT, c, q.weight_scale);
    per_channel(e, part_name(node->conv, "bias"), SLB_ONNX_INT32, c, q.bias);
    per_channel(e, part_name(node->conv, "bias_scale"), SLB_ONNX_FLOAT, c, q.bias_scale);
    free_integers(&q);
    Name in = coded_input(e, node),
         weight = dequantized(e, node->conv, "weight", "weight_scale", "weight_value"),
         bias = dequantized(e, node->conv, "bias", "bias_scale", "bias_value");
    conv_node(e, index, in.text, weight.text, bias.text);
    return SLB_OK;
}

/* -- the other layers -- */

static SlbStatus add_node(Exporter *e, int index)
{
    static const SlbOnnxAttribute slope[] = {
        {.name = "alpha", .kind = SLB_ONNX_REAL, .real = SLB_LRELU_SLOPE}, {0}};
    const SlbNode *node = &e->model->graph->nodes[index];
    const SlbOnnxAttribute shuffle[] = {
        {.name = "blocksize", .kind = SLB_ONNX_INT, .ints = {node->factor}},
        {.name = "mode", .kind = SLB_ONNX_TEXT, .text = "CRD"},
        {0}};
    Name output = node_name(e, index), source[2];
    const char *inputs[3] = {NULL};
    for (int i = 0; i < 2; i++) {
        if (node->source[i] < 0) continue;
        source[i] = node_name(e, node->source[i]);
        inputs[i] = source[i].text;
    }
    switch (node->op) {
    case SLB_OP_CONV: return is_packed(e, index) ? packed_conv(e, index) : float_conv(e, index);
    case SLB_OP_ADD: slb_onnx_node(e->onnx, "Add", inputs, output.text, NULL); break;
    case SLB_OP_LRELU: slb_onnx_node(e->onnx, "LeakyRelu", inputs, output.text, slope); break;
    case SLB_OP_SHUFFLE:
        slb_onnx_node(e->onnx, "DepthToSpace", inputs, output.text, shuffle);
        break;
    case SLB_OP_INPUT:
    case SLB_OPS: break;
    }
    return SLB_OK;
}

/* -- the model -- */

static const char *input_meaning(const SlbGraph *graph)
{
    if (graph->enlarged)
        return "Y / 255, already enlarged bicubically (MATLAB's imresize) to the size of the "
               "result, with 8 pixels of the small picture's mirror image around it that are cut "
               "off the result: at its border the network is less sure; Y is BT.601's, 16 to 235 "
               "of 255, or the samples of a grey picture";
    if (graph->nodes[0].channels == 3)
        return "R, G, B / 255 of the picture, with 8 pixels of its mirror image around it that are "
               "cut off the result: at its border the network is less sure";
    return "Y / 255 of the picture, with 8 pixels of its mirror image around it that are cut off "
           "the result: at its border the network is less sure; Y is BT.601's, 16 to 235 of 255, "
           "or the samples of a grey picture";
}

static const char *output_meaning(const SlbGraph *graph)
{
    return graph->nodes[0].channels == 3 ? "R, G, B / 255 of the result, not clipped"
                                         : "Y / 255 of the result, not clipped";
}

static void add_ends(Exporter *e)
{
    const SlbGraph *g = e->model->graph;
    int channels = g->nodes[0].channels;
    char height[24] = "height", width[24] = "width";
    slb_onnx_input(e->onnx, "input", channels, height, width, input_meaning(g));
    if (g->scale > 1) {
        snprintf(height, sizeof height, "%d*height", g->scale);
        snprintf(width, sizeof width, "%d*width", g->scale);
    }
    slb_onnx_output(e->onnx, "output", channels, height, width, output_meaning(g));
}

static SlbStatus write_model(Exporter *e, const SlbOnnxOptions *options, const char *path)
{
    const SlbModel *m = e->model;
    char weight_bits[12], act_bits[12], scale[12], size[32] = "", doc[512];
    snprintf(weight_bits, sizeof weight_bits, "%d", m->weight_bits);
    snprintf(act_bits, sizeof act_bits, "%d", e->packed ? m->act_bits : 32);
    snprintf(scale, sizeof scale, "%d", m->graph->scale);
    bool told = m->scales && *m->scales;
    if (!m->graph->enlarged) snprintf(size, sizeof size, "%d times ", m->graph->scale);
    snprintf(
        doc, sizeof doc,
        "A network for super-resolution, made by slbsr. Input: %s. Output: %s, %sas large as the "
        "input.",
        input_meaning(m->graph), output_meaning(m->graph), size);
    const SlbTensorMeta meta[META_COUNT] = {
        {"slbsr_version", SLBSR_VERSION},
        {"weight_bits", weight_bits},
        {"act_bits", act_bits},
        {"scales", told                 ? m->scales
                   : m->graph->enlarged ? ""
                                        : scale},
        {"command", m->command ? m->command : ""},
        {"export_command", options->command ? options->command : ""},
        {"figures", m->figures ? m->figures : ""},
        {"net", m->graph->text},
    };
    return slb_onnx_write(e->onnx, "slbsr", doc, meta, META_COUNT, path, options->overwrite,
                          e->err);
}

SlbStatus slb_export_onnx(const SlbModel *model, const SlbOnnxOptions *options, const char *path,
                          SlbError *err)
{
    Exporter e = {.model = model,
                  .packed = model->weight_bits < 32 && model->act_bits < 32 && !options->use_float,
                  .onnx = slb_onnx_create(),
                  .err = err};
    SlbStatus s = e.onnx ? SLB_OK : slb_fail_memory(err, path);
    if (s == SLB_OK) add_ends(&e);
    for (int i = 1; s == SLB_OK && i < model->graph->node_count; i++) s = add_node(&e, i);
    if (s == SLB_OK) s = write_model(&e, options, path);
    slb_onnx_free(e.onnx);
    return s;
}
