#include "train/layer.h"

#include <math.h>

#include "base/mem.h"

static SlbStatus param_create(SlbParam *param, size_t size, SlbError *err)
{
    float *block = slb_calloc(size, 4 * sizeof *block);
    if (!block) return slb_fail_memory(err, "the parameters of training");
    *param = (SlbParam){.value = block,
                        .grad = block + size,
                        .moment1 = block + 2 * size,
                        .moment2 = block + 3 * size,
                        .size = size,
                        .rate = 1.0f};
    return SLB_OK;
}

SlbStatus slb_layer_create(SlbLayer *layer, const SlbNode *node, int in_channels, int weight_bits,
                           SlbError *err)
{
    bool searched = node->low && weight_bits < 32;
    *layer = (SlbLayer){.method = searched ? &slb_method_slb : &slb_method_float,
                        .bits = searched ? weight_bits : 32,
                        .out_channels = node->channels,
                        .in_channels = in_channels,
                        .kernel = node->kernel};
    size_t channels = (size_t)node->channels;
    size_t values = slb_layer_weights(layer) * (size_t)layer->method->values(layer->bits);
    SlbStatus s = param_create(&layer->param[SLB_PARAM_WEIGHT], values, err);
    if (s == SLB_OK && layer->method->scaled)
        s = param_create(&layer->param[SLB_PARAM_SCALE], channels, err);
    if (s == SLB_OK) s = param_create(&layer->param[SLB_PARAM_BIAS], channels, err);
    if (s != SLB_OK) slb_layer_free(layer);
    return s;
}

void slb_layer_free(SlbLayer *layer)
{
    for (int i = 0; i < SLB_PARAMS; i++) {
        slb_free(layer->param[i].value);
        layer->param[i] = (SlbParam){0};
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
