/* DoReFa weights (Zhou et al. 2016, arXiv 1606.06160): rounded in the forward pass, as if they were
 * not in the backward pass (straight through). Per weight there is one float w. In a layer with the
 * largest |tanh w| of M and the mean |w| of m,
 *
 *     1 bit    D(w) = m sign(w),                          dD/dw = 1
 *     k bits   D(w) = 2 Q_k(tanh(w) / (2 M) + 1/2) - 1,   dD/dw = d(tanh(w) / M)/dw, that of M
 *                                                                 included
 *
 * with Q_k(x) = round((2^k - 1) x) / (2^k - 1) and sign(0) = 1. These are exactly the levels V of
 * SLB (quant/levels.h), times m at 1 bit.
 *
 * The effective weight of output channel o is scale[o] * D(w). The paper has batch normalization
 * behind every convolution and needs no scale; here the scale is learned wherever SLB's is, so that
 * the two differ in the search alone. At 1 bit it starts at the channel's own mean |w| over m (the
 * scale of XNOR-Net), at k bits such that tanh(w) / M * scale is the float weight it starts from,
 * but for the few that are cut off. There is no temperature. */
#include <math.h>

#include "quant/levels.h"
#include "train/layer.h"

static int values(int bits)
{
    (void)bits;
    return 1;
}

static size_t per_channel(const SlbLayer *layer)
{
    return slb_layer_weights(layer) / (size_t)layer->out_channels;
}

/* What all weights of a layer share: m at 1 bit, else M, and which weight has it. */
static double shared(const SlbLayer *layer, size_t *largest)
{
    const SlbParam *p = &layer->param[SLB_PARAM_WEIGHT];
    double sum = 0, most = 0;
    *largest = 0;
    for (size_t i = 0; i < p->size; i++) {
        double size = fabs((double)p->value[i]);
        sum += size;
        if (size > most) *largest = i;
        most = fmax(most, size);
    }
    return layer->bits == 1 ? fmax(sum / (double)p->size, 1e-12) : fmax(tanh(most), 1e-12);
}

/* Index of the level of weight w. Ties go up. */
static int level_of(const SlbLevels *levels, float w, double shared)
{
    if (levels->bits == 1) return w >= 0.0f;
    double x = tanh((double)w) / (2.0 * shared) + 0.5;
    return (int)fmin(floor((levels->count - 1) * x + 0.5), levels->count - 1);
}

/* D(w) is this times the level's value. */
static double unit(const SlbLayer *layer, double shared)
{
    return layer->bits == 1 ? shared : 1.0;
}

static void weights(const SlbLayer *layer, double sharpness, bool hard, float *weight)
{
    (void)sharpness;
    (void)hard;
    const SlbLevels *levels = slb_levels(layer->bits);
    const float *w = layer->param[SLB_PARAM_WEIGHT].value;
    size_t n = per_channel(layer), largest;
    double all = shared(layer, &largest);
    for (int o = 0; o < layer->out_channels; o++) {
        double gain = unit(layer, all) * (double)layer->param[SLB_PARAM_SCALE].value[o];
        for (size_t i = (size_t)o * n; i < ((size_t)o + 1) * n; i++)
            weight[i] = (float)(gain * slb_level_value(levels, level_of(levels, w[i], all)));
    }
}

/* dL/dw from dL/dD (in `grad` of the parameter) at k bits. With t = tanh w: d(t_i / M)/dw_j is (1 -
 * t_j^2) / M for i = j, and where w_j is the largest also -t_i / M^2 times the sign of w_j and (1 -
 * t_j^2). */
static void through_tanh(const SlbParam *p, double most, size_t largest)
{
    double along = 0; /* sum dL/dD_i t_i */
    for (size_t i = 0; i < p->size; i++) {
        double t = tanh((double)p->value[i]), g = (double)p->grad[i];
        along += g * t;
        p->grad[i] = (float)(g * (1.0 - t * t) / most);
    }
    double t = tanh((double)p->value[largest]);
    p->grad[largest] -= (float)(copysign(1.0, t) * (1.0 - t * t) * along / (most * most));
}

static void backward(const SlbLayer *layer, double sharpness, bool hard, const float *grad)
{
    (void)sharpness;
    (void)hard;
    const SlbLevels *levels = slb_levels(layer->bits);
    const SlbParam *p = &layer->param[SLB_PARAM_WEIGHT], *scale = &layer->param[SLB_PARAM_SCALE];
    size_t n = per_channel(layer), largest;
    double all = shared(layer, &largest);
    for (int o = 0; o < layer->out_channels; o++) {
        double along = 0; /* dL/dscale */
        for (size_t i = (size_t)o * n; i < ((size_t)o + 1) * n; i++) {
            double v = slb_level_value(levels, level_of(levels, p->value[i], all));
            along += (double)grad[i] * unit(layer, all) * v;
            p->grad[i] = scale->value[o] * grad[i];
        }
        scale->grad[o] = (float)along;
    }
    if (layer->bits > 1) through_tanh(p, all, largest);
}

/* At 1 bit the float weights themselves; else weights whose tanh / M lies in -1..1 and is the float
 * weight over the scale, but for those beyond `reach` deviations of their channel. The reaches are
 * those of SLB's start (method_slb.c). */
static void init(SlbLayer *layer, const float *weight)
{
    const double reach = layer->bits == 2 ? 1.8 : 2.7, most = 0.97;
    float *value = layer->param[SLB_PARAM_WEIGHT].value;
    size_t n = per_channel(layer), largest;
    for (int o = 0; o < layer->out_channels; o++) {
        double square = 0, sum = 0;
        for (size_t i = (size_t)o * n; i < ((size_t)o + 1) * n; i++) {
            square += (double)weight[i] * (double)weight[i];
            sum += fabs((double)weight[i]);
        }
        double end = fmax(reach * sqrt(square / (double)n), 1e-12);
        for (size_t i = (size_t)o * n; i < ((size_t)o + 1) * n; i++) {
            double u = fmin(fmax((double)weight[i] / end, -most), most);
            value[i] = layer->bits == 1 ? weight[i] : (float)atanh(u);
        }
        layer->param[SLB_PARAM_SCALE].value[o] = (float)(layer->bits == 1 ? sum / (double)n : end);
    }
    double all = shared(layer, &largest);
    for (int o = 0; o < layer->out_channels; o++)
        layer->param[SLB_PARAM_SCALE].value[o] *= (float)(layer->bits == 1 ? 1.0 / all : all);
}

static void harden(const SlbLayer *layer, SlbConvParams *conv)
{
    const SlbLevels *levels = slb_levels(layer->bits);
    const float *w = layer->param[SLB_PARAM_WEIGHT].value;
    size_t largest;
    double all = shared(layer, &largest);
    for (size_t i = 0; i < slb_layer_weights(layer); i++)
        conv->level[i] = (uint8_t)level_of(levels, w[i], all);
    for (int o = 0; o < layer->out_channels; o++)
        conv->scale[o] = (float)(unit(layer, all) * (double)layer->param[SLB_PARAM_SCALE].value[o]);
}

const SlbMethod slb_method_dorefa = {
    "dorefa", values, true, false, init, weights, backward, harden,
};
