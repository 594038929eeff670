#include "net/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/safetensors.h"
#include "quant/levels.h"

static const char format_name[] = "slbsr 1";

enum {
    CONV_TENSORS = 4, /* at most, of one convolution */
    MAX_SCALES = 31,  /* characters of "2,3,4" */
    META_COUNT = 7,
};

/* Shapes and bits of the convolution that `node` is; no memory yet. */
static SlbConvParams conv_shape(const SlbGraph *graph, const SlbNode *node, int weight_bits)
{
    return (SlbConvParams){.in_channels = graph->nodes[node->source[0]].channels,
                           .out_channels = node->channels,
                           .kernel = node->kernel,
                           .bits = node->low ? weight_bits : 32};
}

static bool conv_alloc(SlbConvParams *c)
{
    size_t outputs = (size_t)c->out_channels;
    c->bias = slb_calloc(outputs, sizeof *c->bias);
    if (c->bits == 32) {
        c->weight = slb_calloc(slb_conv_weights(c), sizeof *c->weight);
        return c->bias && c->weight;
    }
    c->level = slb_calloc(slb_conv_weights(c), 1);
    c->scale = slb_calloc(outputs, sizeof *c->scale);
    return c->bias && c->level && c->scale;
}

SlbStatus slb_model_create(const SlbGraph *graph, int weight_bits, SlbModel **model, SlbError *err)
{
    if (weight_bits != 32 && !slb_levels(weight_bits))
        return slb_fail(err, SLB_E_USAGE, "weights of %d bits: there are 1, 2, 4 and 32 only",
                        weight_bits);
    SlbModel *m = slb_calloc(1, sizeof *m);
    if (!m) return slb_fail_memory(err, "a model");
    m->weight_bits = weight_bits;
    m->act_bits = 32;
    SlbStatus s = slb_graph_parse(graph->text, strlen(graph->text), "the network", &m->graph, err);
    if (s == SLB_OK) m->conv = slb_calloc((size_t)graph->conv_count, sizeof *m->conv);
    bool ok = m->conv != NULL;
    for (int i = 0; ok && i < graph->node_count; i++) {
        const SlbNode *node = &graph->nodes[i];
        if (node->op != SLB_OP_CONV) continue;
        m->conv[node->conv] = conv_shape(graph, node, weight_bits);
        ok = conv_alloc(&m->conv[node->conv]);
    }
    if (s == SLB_OK && !ok) s = slb_fail_memory(err, "a model");
    if (s == SLB_OK)
        *model = m;
    else
        slb_model_free(m);
    return s;
}

void slb_model_free(SlbModel *model)
{
    if (!model) return;
    for (int i = 0; model->conv && i < model->graph->conv_count; i++) {
        slb_free(model->conv[i].weight);
        slb_free(model->conv[i].level);
        slb_free(model->conv[i].scale);
        slb_free(model->conv[i].bias);
    }
    slb_free(model->conv);
    slb_graph_free(model->graph);
    free(model->scales);
    free(model->command);
    free(model->figures);
    slb_free(model);
}

uint64_t slb_model_bytes(const SlbModel *model)
{
    uint64_t bytes = 0;
    for (int i = 0; i < model->graph->conv_count; i++) {
        const SlbConvParams *c = &model->conv[i];
        bytes += slb_conv_weights(c) * (c->weight ? sizeof *c->weight : sizeof *c->level);
        bytes += (uint64_t)c->out_channels * 2 * sizeof(float);
    }
    return bytes;
}

/* What the tensors of a convolution are called, have for a shape, and how many there are: the same
 * for reading and writing. */
static int conv_tensors(const SlbConvParams *c, int index, bool steps, SlbTensor t[CONV_TENSORS])
{
    const char *part[CONV_TENSORS] = {"weight", "bias", "scale", "in_step"};
    size_t outputs = (size_t)c->out_channels, side = (size_t)c->kernel;
    int count = c->bits == 32 ? 2 : steps ? 4 : 3;
    for (int i = 0; i < count; i++) {
        t[i] = (SlbTensor){.dtype = SLB_F32, .dims = 1, .shape = {i == 3 ? 1 : outputs}};
        snprintf(t[i].name, sizeof t[i].name, "conv%02d.%s", index, part[i]);
        t[i].bytes = t[i].shape[0] * sizeof(float);
    }
    if (c->bits == 32) {
        size_t shape[] = {outputs, (size_t)c->in_channels, side, side};
        t[0].dims = 4;
        memcpy(t[0].shape, shape, sizeof shape);
        t[0].bytes = slb_conv_weights(c) * sizeof(float);
    } else {
        t[0].dtype = SLB_U8;
        t[0].shape[0] = t[0].bytes = slb_packed_bytes(slb_levels(c->bits), slb_conv_weights(c));
    }
    return count;
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* -- reading -- */

/* What is being read: messages need its name, and the tensors met so far are counted. */
typedef struct Source {
    const SlbTensorFile *file;
    const char *name;
    size_t met;
    SlbError *err;
} Source;

static bool same_shape(const SlbTensor *a, const SlbTensor *b)
{
    return a->dtype == b->dtype && a->dims == b->dims &&
           memcmp(a->shape, b->shape, (size_t)a->dims * sizeof *a->shape) == 0;
}

/* Checks one convolution's tensors against the network; before any memory for them is taken. */
static SlbStatus check_conv(Source *src, const SlbConvParams *c, int index, bool steps)
{
    SlbTensor want[CONV_TENSORS];
    int count = conv_tensors(c, index, steps, want);
    for (int i = 0; i < count; i++) {
        const SlbTensor *t = slb_tensors_find(src->file, want[i].name);
        if (!t)
            return slb_fail(src->err, SLB_E_MODEL,
                            "%s: tensor '%s' is missing: it is no model of "
                            "this network",
                            src->name, want[i].name);
        if (!same_shape(t, &want[i]))
            return slb_fail(src->err, SLB_E_MODEL,
                            "%s: tensor '%s' has another shape or type "
                            "than the network wants",
                            src->name, t->name);
        src->met++;
    }
    return SLB_OK;
}

/* Names are checked one by one, so equal counts mean that every tensor of the file was asked for.
 */
static SlbStatus check_tensors(Source *src, const SlbGraph *graph, int weight_bits, bool steps)
{
    for (int i = 0; i < graph->node_count; i++) {
        const SlbNode *node = &graph->nodes[i];
        if (node->op != SLB_OP_CONV) continue;
        SlbConvParams c = conv_shape(graph, node, weight_bits);
        SlbStatus s = check_conv(src, &c, node->conv, steps);
        if (s != SLB_OK) return s;
    }
    size_t there = slb_tensors_count(src->file);
    if (there == src->met) return SLB_OK;
    return slb_fail(src->err, SLB_E_MODEL, "%s: has %zu tensors, the network only wants %zu",
                    src->name, there, src->met);
}

static SlbStatus read_floats(Source *src, const char *name, float *values)
{
    const SlbTensor *t = slb_tensors_find(src->file, name);
    memcpy(values, t->data, t->bytes);
    if (all_finite(values, t->bytes / sizeof *values)) return SLB_OK;
    return slb_fail(src->err, SLB_E_MODEL, "%s: tensor '%s' has values that are not finite",
                    src->name, name);
}

static SlbStatus read_conv(Source *src, SlbConvParams *c, int index, bool steps)
{
    SlbTensor t[CONV_TENSORS];
    int count = conv_tensors(c, index, steps, t);
    SlbStatus s = read_floats(src, t[1].name, c->bias);
    if (s != SLB_OK) return s;
    if (c->bits == 32) return read_floats(src, t[0].name, c->weight);
    const SlbTensor *packed = slb_tensors_find(src->file, t[0].name);
    if (!slb_unpack(slb_levels(c->bits), packed->data, slb_conv_weights(c), c->level))
        return slb_fail(src->err, SLB_E_MODEL, "%s: tensor '%s' has bits set behind its end",
                        src->name, t[0].name);
    s = read_floats(src, t[2].name, c->scale);
    if (s != SLB_OK || count < 4) return s;
    s = read_floats(src, t[3].name, &c->in_step);
    if (s == SLB_OK && !(c->in_step > 0.0f))
        s = slb_fail(src->err, SLB_E_MODEL, "%s: tensor '%s' must be above 0", src->name,
                     t[3].name);
    return s;
}

/* "2,3,4": single digits from 2 to 8 with commas between. */
static bool valid_scales(const char *text)
{
    size_t length = strlen(text);
    if (length == 0) return true;
    if (length > MAX_SCALES || length % 2 == 0) return false;
    for (size_t i = 0; i < length; i++)
        if (i % 2 ? text[i] != ',' : text[i] < '2' || text[i] > '8') return false;
    return true;
}

/* A number of bits in the metadata; 0 when it is none. */
static int meta_bits(const SlbTensorFile *file, const char *key)
{
    static const int known[] = {1, 2, 4, 7, 8, 32};
    const char *text = slb_tensors_meta(file, key);
    for (size_t i = 0; text && i < sizeof known / sizeof *known; i++) {
        char name[12];
        snprintf(name, sizeof name, "%d", known[i]);
        if (strcmp(text, name) == 0) return known[i];
    }
    return 0;
}

static bool valid_bits(int weight_bits, int act_bits)
{
    if (weight_bits == 32) return act_bits == 32;
    return slb_levels(weight_bits) && (act_bits == 8 || act_bits == 7 || act_bits == 4 ||
                                       act_bits == 2 || act_bits == 1 || act_bits == 32);
}

/* Takes a copy of a metadata string; an absent one is "". */
static bool copy_meta(const Source *src, const char *key, char **copy)
{
    const char *text = slb_tensors_meta(src->file, key);
    *copy = strdup(text ? text : "");
    return *copy != NULL;
}

static SlbStatus read_model(Source *src, const SlbGraph *graph, int weight_bits, int act_bits,
                            SlbModel **model)
{
    bool steps = act_bits < 32;
    SlbStatus s = check_tensors(src, graph, weight_bits, steps);
    if (s != SLB_OK) return s;
    SlbModel *m = NULL;
    s = slb_model_create(graph, weight_bits, &m, src->err);
    if (s != SLB_OK) return s;
    m->act_bits = act_bits;
    for (int i = 0; s == SLB_OK && i < graph->conv_count; i++)
        s = read_conv(src, &m->conv[i], i, steps);
    if (s == SLB_OK &&
        (!copy_meta(src, "scales", &m->scales) || !copy_meta(src, "command", &m->command) ||
         !copy_meta(src, "figures", &m->figures)))
        s = slb_fail_memory(src->err, src->name);
    if (s == SLB_OK && !valid_scales(m->scales))
        s = slb_fail(src->err, SLB_E_MODEL, "%s: its scales are not like \"2,3,4\"", src->name);
    if (s == SLB_OK)
        *model = m;
    else
        slb_model_free(m);
    return s;
}

/* A file of our own: the network and the bits are in the metadata. */
static SlbStatus read_own(Source *src, SlbModel **model)
{
    const char *text = slb_tensors_meta(src->file, "net");
    int weight_bits = meta_bits(src->file, "weight_bits");
    int act_bits = meta_bits(src->file, "act_bits");
    if (!text || !valid_bits(weight_bits, act_bits))
        return slb_fail(src->err, SLB_E_MODEL,
                        "%s: damaged: no net, weight_bits or act_bits that "
                        "fit each other",
                        src->name);
    SlbGraph *graph;
    SlbStatus s = slb_graph_parse(text, strlen(text), src->name, &graph, src->err);
    if (s != SLB_OK) return s;
    s = read_model(src, graph, weight_bits, act_bits, model);
    slb_graph_free(graph);
    return s;
}

static SlbStatus read_any(const SlbTensorFile *file, const char *name, const SlbGraph *net,
                          SlbModel **model, SlbError *err)
{
    Source src = {.file = file, .name = name, .err = err};
    const char *format = slb_tensors_meta(file, "format");
    if (format && strcmp(format, format_name) == 0) return read_own(&src, model);
    if (format && strncmp(format, "slbsr ", 6) == 0)
        return slb_fail(err, SLB_E_MODEL,
                        "%s: of format '%.32s', and '%s' is read here: a newer "
                        "version is needed",
                        name, format, format_name);
    if (!net)
        return slb_fail(err, SLB_E_MODEL,
                        "%s: carries no network of its own; name it with --net (vdsr, or a .net "
                        "file), or make it a model with 'slbsr import'",
                        name);
    return read_model(&src, net, 32, 32, model);
}

SlbStatus slb_model_parse(const unsigned char *data, size_t bytes, const char *name,
                          const SlbGraph *net, SlbModel **model, SlbError *err)
{
    SlbTensorFile *file;
    SlbStatus s = slb_tensors_parse(data, bytes, 0, name, &file, err);
    if (s != SLB_OK) return s;
    s = read_any(file, name, net, model, err);
    slb_tensors_close(file);
    return s;
}

SlbStatus slb_model_load(const char *path, const SlbGraph *net, SlbModel **model, SlbError *err)
{
    SlbTensorFile *file;
    SlbStatus s = slb_tensors_open(path, &file, err);
    if (s != SLB_OK) return s;
    s = read_any(file, path, net, model, err);
    slb_tensors_close(file);
    return s;
}

/* -- writing -- */

/* What a reader would refuse must not be written: a training that diverged, say. */
static SlbStatus check_model(const SlbModel *m, const char *path, SlbError *err)
{
    if (!valid_bits(m->weight_bits, m->act_bits) || (m->scales && !valid_scales(m->scales)))
        return slb_fail(err, SLB_E_USAGE,
                        "%s: a model of weight bits %d, activation bits %d and "
                        "scales '%s' cannot be written",
                        path, m->weight_bits, m->act_bits, m->scales ? m->scales : "");
    for (int i = 0; i < m->graph->conv_count; i++) {
        const SlbConvParams *c = &m->conv[i];
        size_t outputs = (size_t)c->out_channels;
        bool ok = all_finite(c->bias, outputs);
        if (c->bits == 32)
            ok = ok && all_finite(c->weight, slb_conv_weights(c));
        else
            ok = ok && all_finite(c->scale, outputs) &&
                 (m->act_bits == 32 || (isfinite(c->in_step) && c->in_step > 0.0f));
        if (!ok)
            return slb_fail(err, SLB_E_MODEL,
                            "%s: not written: convolution %d has values that "
                            "are not finite, or no step",
                            path, i);
    }
    return SLB_OK;
}

/* The tensors of the file, pointing into the model and into *packed (owned by the caller). */
static size_t list_tensors(const SlbModel *m, SlbTensor *tensors, uint8_t *packed)
{
    size_t count = 0;
    for (int i = 0; i < m->graph->conv_count; i++) {
        const SlbConvParams *c = &m->conv[i];
        SlbTensor *t = &tensors[count];
        count += (size_t)conv_tensors(c, i, m->act_bits < 32, t);
        t[0].data = c->weight;
        t[1].data = c->bias;
        if (c->bits == 32) continue;
        slb_pack(slb_levels(c->bits), c->level, slb_conv_weights(c), packed);
        t[0].data = packed;
        packed += t[0].bytes;
        t[2].data = c->scale;
        if (m->act_bits < 32) t[3].data = &c->in_step;
    }
    return count;
}

static SlbStatus write_model(const SlbModel *m, const char *path, bool overwrite,
                             SlbTensor *tensors, uint8_t *packed, SlbError *err)
{
    char weight_bits[12], act_bits[12];
    snprintf(weight_bits, sizeof weight_bits, "%d", m->weight_bits);
    snprintf(act_bits, sizeof act_bits, "%d", m->act_bits);
    const SlbTensorMeta meta[META_COUNT] = {
        {"format", format_name},
        {"net", m->graph->text},
        {"weight_bits", weight_bits},
        {"act_bits", act_bits},
        {"scales", m->scales ? m->scales : ""},
        {"command", m->command ? m->command : ""},
        {"figures", m->figures ? m->figures : ""},
    };
    size_t count = list_tensors(m, tensors, packed);
    return slb_tensors_write(path, tensors, count, meta, META_COUNT, overwrite, err);
}

SlbStatus slb_model_save(const SlbModel *model, const char *path, bool overwrite, SlbError *err)
{
    SlbStatus s = check_model(model, path, err);
    if (s != SLB_OK) return s;
    size_t packed_bytes = 0;
    for (int i = 0; i < model->graph->conv_count; i++)
        if (model->conv[i].bits < 32) packed_bytes += slb_conv_weights(&model->conv[i]);
    SlbTensor *tensors =
        slb_calloc((size_t)model->graph->conv_count * CONV_TENSORS, sizeof *tensors);
    uint8_t *packed = slb_alloc(packed_bytes, 1);
    s = tensors && packed ? write_model(model, path, overwrite, tensors, packed, err)
                          : slb_fail_memory(err, path);
    slb_free(tensors);
    slb_free(packed);
    return s;
}

size_t slb_conv_parameters(const SlbConvParams *conv)
{
    size_t outputs = (size_t)conv->out_channels;
    return slb_conv_weights(conv) + outputs + (conv->bits < 32 ? outputs : 0);
}

size_t slb_model_parameters(const SlbModel *model)
{
    size_t sum = 0;
    for (int i = 0; i < model->graph->conv_count; i++) sum += slb_conv_parameters(&model->conv[i]);
    return sum;
}

void slb_conv_effective(const SlbConvParams *conv, float *weight)
{
    size_t count = slb_conv_weights(conv), per_output = count / (size_t)conv->out_channels;
    if (conv->bits == 32) {
        memcpy(weight, conv->weight, count * sizeof *weight);
        return;
    }
    const SlbLevels *levels = slb_levels(conv->bits);
    for (size_t i = 0; i < count; i++) {
        double value = slb_level_value(levels, conv->level[i]);
        weight[i] = (float)((double)conv->scale[i / per_output] * value);
    }
}
