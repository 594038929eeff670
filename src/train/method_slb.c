/* Searching for low-bit weights (Yang et al., NeurIPS 2020; paper.md section 1). Every weight has a
 * logit A_k per level v_k; with T = 1 / tau,
 *
 *     P_k = softmax_k(T A),   W_c = sum_k P_k v_k,   dW_c/dA_k = T P_k (v_k - W_c).
 *
 * For two levels one logit z = A_2 - A_1 is enough: W_c = tanh(T z / 2).
 *
 * The effective weight of output channel o is scale[o] * W_c / mean |W_c|, the mean over the
 * channel: levels reach from -1 to 1 whatever the float weights were, and |W_c| grows towards 1 as
 * T rises; the division keeps the channel's gain where it is meanwhile. It is a constant when the
 * weights are hard, and goes into the scale of the model file. */
#include <math.h>

#include "quant/levels.h"
#include "train/layer.h"

enum { MAX_LEVELS = 16, MAX_WEIGHTS = SLB_MAX_CHANNELS * 9 /* of a channel */ };

static int values(int bits)
{
    return bits == 1 ? 1 : slb_levels(bits)->count;
}

/* W_c of `count` weights from their logits, [count][levels]; with more than two levels also the
 * probabilities, unless that is NULL. */
static void soft(const SlbLayer *layer, const float *logit, size_t count, double sharpness,
                 float *weight, float *probability)
{
    if (layer->bits == 1)
        layer->ops->signs(logit, count, (float)sharpness, weight);
    else
        layer->ops->soft(logit, count, slb_levels(layer->bits)->count, (float)sharpness, weight,
                         probability);
}

/* The level of inference: the largest logit, the first of equals. */
static int hardest(const SlbLevels *levels, const float *logit)
{
    if (levels->bits == 1) return logit[0] > 0.0f;
    int best = 0;
    for (int k = 1; k < levels->count; k++)
        if (logit[k] > logit[best]) best = k;
    return best;
}

static size_t per_channel(const SlbLayer *layer)
{
    return slb_layer_weights(layer) / (size_t)layer->out_channels;
}

/* W_c (or W_q) of output channel o into `out`; returns mean |W|. `probability` as of soft. */
static double channel(const SlbLayer *layer, size_t o, double sharpness, bool hard, float *out,
                      float *probability)
{
    const SlbLevels *levels = slb_levels(layer->bits);
    size_t n = per_channel(layer), each = (size_t)values(layer->bits);
    const float *logit = layer->param[SLB_PARAM_WEIGHT].value + o * n * each;
    double sum = 0;
    if (!hard) soft(layer, logit, n, sharpness, out, probability);
    for (size_t j = 0; hard && j < n; j++)
        out[j] = (float)slb_level_value(levels, hardest(levels, logit + j * each));
    for (size_t j = 0; j < n; j++) sum += (double)fabsf(out[j]);
    return fmax(sum / (double)n, 1e-12);
}

/* Channels are tasks: those of all layers are shared among the threads of the caller's team. */
static void weights(const SlbLayer *layer, double sharpness, bool hard, float *weight)
{
    size_t n = per_channel(layer);
#pragma omp taskloop grainsize(8)
    for (size_t o = 0; o < (size_t)layer->out_channels; o++) {
        float *w = weight + o * n;
        double mean = channel(layer, o, sharpness, hard, w, NULL);
        float gain = (float)((double)layer->param[SLB_PARAM_SCALE].value[o] / mean);
        for (size_t j = 0; j < n; j++) w[j] *= gain;
    }
}

/* With C = W_c, m = mean |C| over n weights, s the scale and g the gradient of the effective weight
 * s C / m:  dL/ds = sum g C / m, and dL/dC_j = s/m (g_j - sign(C_j) dL/ds / n). The probabilities
 * wait for dL/dC where the gradients of their logits will be. */
static void channel_backward(const SlbLayer *layer, size_t o, double sharpness, bool hard,
                             const float *grad)
{
    float w[MAX_WEIGHTS], dw[MAX_WEIGHTS];
    size_t n = per_channel(layer), each = (size_t)values(layer->bits);
    const SlbParam *scale = &layer->param[SLB_PARAM_SCALE];
    float *slope = layer->param[SLB_PARAM_WEIGHT].grad + o * n * each;
    double mean = channel(layer, o, sharpness, hard, w, slope), along = 0;
    for (size_t j = 0; j < n; j++) along += (double)grad[j] * (double)w[j];
    along /= mean; /* dL/ds */
    scale->grad[o] = (float)along;
    if (hard) return;
    float gain = (float)((double)scale->value[o] / mean), share = (float)(along / (double)n);
    for (size_t j = 0; j < n; j++) {
        float sign = (float)((w[j] > 0.0f) - (w[j] < 0.0f));
        dw[j] = gain * (grad[j] - sign * share);
    }
    float sharp = (float)sharpness;
    if (layer->bits > 1)
        layer->ops->slopes(w, dw, n, slb_levels(layer->bits)->count, sharp, slope);
    else
        for (size_t j = 0; j < n; j++) slope[j] = 0.5f * sharp * (1.0f - w[j] * w[j]) * dw[j];
}

static void backward(const SlbLayer *layer, double sharpness, bool hard, const float *grad)
{
    size_t n = per_channel(layer);
#pragma omp taskloop grainsize(8)
    for (size_t o = 0; o < (size_t)layer->out_channels; o++)
        channel_backward(layer, o, sharpness, hard, grad + o * n);
}

/* Logits whose softmax at T = 1 has the mean u: A_k = (2 c v_k - v_k^2) / (2 d^2), a bell of width
 * d = 0.6 of the distance between levels around a centre c, which is found by bisection (the mean
 * grows with c). */
static void place(const SlbLayer *layer, double u, float *logit)
{
    const SlbLevels *levels = slb_levels(layer->bits);
    const double width = 0.6 * 2.0 / (levels->count - 1), inverse = 0.5 / (width * width);
    double low = -4, high = 4;
    float mean, probability[MAX_LEVELS];
    if (levels->bits == 1) {
        logit[0] = (float)(2.0 * atanh(u));
        return;
    }
    for (int step = 0; step < 40; step++) {
        double centre = 0.5 * (low + high);
        for (int k = 0; k < levels->count; k++) {
            double v = slb_level_value(levels, k);
            logit[k] = (float)((2 * centre * v - v * v) * inverse);
        }
        soft(layer, logit, 1, 1.0, &mean, probability);
        if ((double)mean < u)
            low = centre;
        else
            high = centre;
    }
}

/* A smooth start: at T = 1, scale * W_c / mean |W_c| is the float weight, but for those larger than
 * `reach` deviations of its channel. The smaller the reach, the more of them are cut off, the
 * larger, the fewer weights are nearest to the outer levels: the best uniform quantizer of a normal
 * distribution (Max 1960) reaches 1.5 deviations with 4 levels and 2.5 with 16. At 1 bit only the
 * signs matter in the end. */
static void init(SlbLayer *layer, const float *weight)
{
    const double reach = layer->bits == 2 ? 1.8 : 2.7, most = 0.97;
    size_t n = per_channel(layer);
    size_t each = (size_t)values(layer->bits);
    for (int o = 0; o < layer->out_channels; o++) {
        const float *w = weight + (size_t)o * n;
        double square = 0, sum = 0;
        for (size_t j = 0; j < n; j++) square += (double)w[j] * (double)w[j];
        double unit = fmax(reach * sqrt(square / (double)n), 1e-12);
        for (size_t j = 0; j < n; j++) {
            double u = fmin(fmax((double)w[j] / unit, -most), most);
            sum += fabs(u);
            place(layer, u, layer->param[SLB_PARAM_WEIGHT].value + ((size_t)o * n + j) * each);
        }
        layer->param[SLB_PARAM_SCALE].value[o] = (float)(unit * sum / (double)n);
    }
}

static void harden(const SlbLayer *layer, SlbConvParams *conv)
{
    const SlbLevels *levels = slb_levels(layer->bits);
    size_t n = per_channel(layer);
    size_t each = (size_t)values(layer->bits);
    const float *logit = layer->param[SLB_PARAM_WEIGHT].value;
    for (size_t i = 0; i < slb_layer_weights(layer); i++)
        conv->level[i] = (uint8_t)hardest(levels, logit + i * each);
    for (int o = 0; o < layer->out_channels; o++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += fabs(slb_level_value(levels, conv->level[(size_t)o * n + j]));
        double scale = (double)layer->param[SLB_PARAM_SCALE].value[o];
        conv->scale[o] = (float)(scale * (double)n / sum);
    }
}

const SlbMethod slb_method_slb = {
    "slb", values, true, true, init, weights, backward, harden,
};
