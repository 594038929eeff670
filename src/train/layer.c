#include "train/layer.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/engine.h"

static SlbStatus param_create(SlbParam *param, size_t size, bool averaged, SlbError *err)
{
    float *block = slb_calloc(size, (averaged ? 5 : 4) * sizeof *block);
    if (!block) return slb_fail_memory(err, "the parameters of training");
    *param = (SlbParam){.value = block,
                        .grad = block + size,
                        .moment1 = block + 2 * size,
                        .moment2 = block + 3 * size,
                        .average = averaged ? block + 4 * size : NULL,
                        .size = size,
                        .rate = 1.0f};
    return SLB_OK;
}

SlbStatus slb_layer_create(SlbLayer *layer, const SlbNode *node, int in_channels,
                           const SlbLayerForm *form, SlbError *err)
{
    bool searched = node->low && form->weight_bits < 32, averaged = form->averaged;
    *layer = (SlbLayer){.method = searched ? form->method : &slb_method_float,
                        .ops = slb_search_ops(form->level),
                        .bits = searched ? form->weight_bits : 32,
                        .out_channels = node->channels,
                        .in_channels = in_channels,
                        .kernel = node->kernel};
    size_t channels = (size_t)node->channels;
    size_t values = slb_layer_weights(layer) * (size_t)layer->method->values(layer->bits);
    SlbStatus s = param_create(&layer->param[SLB_PARAM_WEIGHT], values, averaged && !searched, err);
    if (s == SLB_OK && layer->method->scaled)
        s = param_create(&layer->param[SLB_PARAM_SCALE], channels, averaged, err);
    if (s == SLB_OK) s = param_create(&layer->param[SLB_PARAM_BIAS], channels, averaged, err);
    if (s == SLB_OK && node->sbn) {
        s = param_create(&layer->param[SLB_PARAM_GAMMA], channels, averaged, err);
        layer->moments[0] = slb_calloc(channels, 4 * sizeof(float));
        layer->moments[1] = layer->moments[0] + 2 * channels;
        if (!layer->moments[0]) s = slb_fail_memory(err, "the parameters of training");
    }
    if (s == SLB_OK && node->low && form->steps)
        s = param_create(&layer->param[SLB_PARAM_STEP], 1, averaged, err);
    if (s != SLB_OK) slb_layer_free(layer);
    return s;
}

void slb_layer_free(SlbLayer *layer)
{
    for (int i = 0; i < SLB_PARAMS; i++) {
        slb_free(layer->param[i].value);
        layer->param[i] = (SlbParam){0};
    }
    slb_free(layer->moments[0]);
    layer->moments[0] = NULL;
}

void slb_layer_copy(const SlbLayer *from, SlbLayer *to)
{
    for (int i = 0; i < SLB_PARAMS; i++) {
        const SlbParam *p = &from->param[i];
        SlbParam *q = &to->param[i];
        size_t bytes = p->size * sizeof *p->value;
        if (!bytes) continue;
        memcpy(q->value, p->value, bytes);
        memcpy(q->moment1, p->moment1, bytes);
        memcpy(q->moment2, p->moment2, bytes);
        if (p->average) memcpy(q->average, p->average, bytes);
    }
    if (from->moments[0])
        memcpy(to->moments[0], from->moments[0], 4 * (size_t)from->out_channels * sizeof(float));
}

void slb_layer_forget_grads(SlbLayer *layer)
{
    for (int i = 0; i < SLB_PARAMS; i++)
        if (layer->param[i].size)
            memset(layer->param[i].grad, 0, layer->param[i].size * sizeof(float));
}

SlbLayer slb_layer_averaged(const SlbLayer *layer)
{
    SlbLayer view = *layer;
    for (int i = 0; i < SLB_PARAMS; i++)
        if (view.param[i].average) view.param[i].value = view.param[i].average;
    return view;
}

float slb_layer_step(const SlbLayer *layer)
{
    const SlbParam *p = &layer->param[SLB_PARAM_STEP];
    return p->size ? (float)exp((double)p->value[0]) : 0.0f;
}

void slb_layer_norm(const SlbLayer *layer, SlbNormState state, float *gain, float *bias)
{
    const float *beta = layer->param[SLB_PARAM_BIAS].value;
    const float *gamma = layer->param[SLB_PARAM_GAMMA].value;
    const float *mean = layer->moments[state], *variance = mean + layer->out_channels;
    for (int c = 0; c < layer->out_channels; c++) {
        gain[c] = gamma ? gamma[c] / sqrtf(variance[c] + SLB_NORM_EPSILON) : 1.0f;
        bias[c] = gamma ? beta[c] - gain[c] * mean[c] : beta[c];
    }
}

void slb_layer_random(const SlbLayer *layer, uint64_t seed, int conv, float gain, float *weight)
{
    enum { STREAM_INIT = 1 };
    SlbRng rng = slb_rng(seed, STREAM_INIT, (uint64_t)conv);
    size_t n = slb_layer_weights(layer);
    double deviation = gain * sqrt(2.0 * layer->out_channels / (double)n);
    for (size_t i = 0; i < n; i++) weight[i] = (float)(deviation * slb_rng_normal(&rng));
}

void slb_layer_centre(const SlbLayer *layer, float *weight)
{
    size_t n = slb_layer_weights(layer) / (size_t)layer->out_channels;
    for (int o = 0; o < layer->out_channels; o++, weight += n) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) sum += (double)weight[j];
        for (size_t j = 0; j < n; j++) weight[j] -= (float)(sum / (double)n);
    }
}
