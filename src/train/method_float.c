/* Plain float weights. */
#include <string.h>

#include "train/layer.h"

static int values(int bits)
{
    (void)bits;
    return 1;
}

static void init(SlbLayer *layer, const float *weight)
{
    memcpy(layer->param[SLB_PARAM_WEIGHT].value, weight, slb_layer_weights(layer) * sizeof *weight);
}

static void weights(const SlbLayer *layer, double sharpness, bool hard, float *weight)
{
    (void)sharpness;
    (void)hard;
    memcpy(weight, layer->param[SLB_PARAM_WEIGHT].value, slb_layer_weights(layer) * sizeof *weight);
}

static void backward(const SlbLayer *layer, double sharpness, bool hard, const float *grad)
{
    (void)sharpness;
    (void)hard;
    memcpy(layer->param[SLB_PARAM_WEIGHT].grad, grad, slb_layer_weights(layer) * sizeof *grad);
}

static void harden(const SlbLayer *layer, SlbConvParams *conv)
{
    weights(layer, 0, true, conv->weight);
}

const SlbMethod slb_method_float = {
    "float", values, false, false, init, weights, backward, harden,
};
