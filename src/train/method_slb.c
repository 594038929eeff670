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

enum {
    MAX_LEVELS = 16,
    BLOCK = 64, /* weights that are worked on together, for the vector units */
};

/* Of a block of weights: W_c and, with more than two levels, the probabilities by level. */
typedef struct Block {
    float weight[BLOCK];
    float probability[MAX_LEVELS][BLOCK];
} Block;

static int values(int bits)
{
    return bits == 1 ? 1 : slb_levels(bits)->count;
}

/* e^x to a relative 2e-7 for |x| <= 87, without branches: 2^(n + f), n whole, |f| <= 1/2, by the
 * Taylor series of 2^f and n put into the exponent. */
static inline float exponential(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    x = x > -87.0f ? x : -87.0f;     /* not fmaxf: compilers make no vectors of it */
    x = x < 87.0f ? x : 87.0f;
    float t = x * 1.44269504f;
    float n = (t + magic) - magic, f = t - n;
    float p = 1.54035304e-4f;
    p = p * f + 1.33335581e-3f;
    p = p * f + 9.61812911e-3f;
    p = p * f + 5.55041087e-2f;
    p = p * f + 2.40226507e-1f;
    p = p * f + 6.93147181e-1f;
    p = p * f + 1.0f;
    union {
        int32_t i;
        float f;
    } power = {((int32_t)n + 127) << 23};
    return p * power.f;
}

/* tanh(x / 2) = 1 - 2 / (e^x + 1). */
static void soft_signs(const float *logit, int count, float sharpness, Block *b)
{
    for (int j = 0; j < count; j++)
        b->weight[j] = 1.0f - 2.0f / (exponential(sharpness * logit[j]) + 1.0f);
}

/* W_c and probabilities of `count` weights from their logits, [count][levels]. */
static void soft(const SlbLevels *levels, const float *logit, int count, float sharpness, Block *b)
{
    int n = levels->count;
    float largest[BLOCK], sum[BLOCK] = {0}, mean[BLOCK] = {0};
    if (levels->bits == 1) {
        soft_signs(logit, count, sharpness, b);
        return;
    }
    for (int j = 0; j < count; j++) {
        largest[j] = logit[j * n];
        for (int k = 0; k < n; k++) {
            b->probability[k][j] = logit[j * n + k];
            largest[j] = largest[j] > logit[j * n + k] ? largest[j] : logit[j * n + k];
        }
    }
    for (int k = 0; k < n; k++) {
        float v = (float)slb_level_value(levels, k), *p = b->probability[k];
        for (int j = 0; j < count; j++) {
            p[j] = exponential(sharpness * (p[j] - largest[j]));
            sum[j] += p[j];
            mean[j] += p[j] * v;
        }
    }
    for (int j = 0; j < count; j++) sum[j] = 1.0f / sum[j];
    for (int k = 0; k < n; k++)
        for (int j = 0; j < count; j++) b->probability[k][j] *= sum[j];
    for (int j = 0; j < count; j++) b->weight[j] = mean[j] * sum[j];
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

static int block_size(size_t from, size_t n)
{
    return n - from < BLOCK ? (int)(n - from) : BLOCK;
}

/* W_c (or W_q) of output channel o into `out`; returns mean |W|. */
static double channel(const SlbLayer *layer, int o, double sharpness, bool hard, float *out)
{
    const SlbLevels *levels = slb_levels(layer->bits);
    size_t n = slb_layer_weights(layer) / (size_t)layer->out_channels;
    size_t each = (size_t)values(layer->bits);
    const float *logit = layer->param[SLB_PARAM_WEIGHT].value + (size_t)o * n * each;
    double sum = 0;
    Block b;
    for (size_t from = 0; from < n; from += BLOCK) {
        int count = block_size(from, n);
        if (!hard) soft(levels, logit + from * each, count, (float)sharpness, &b);
        for (int j = 0; j < count; j++) {
            const float *mine = logit + (from + (size_t)j) * each;
            float w = hard ? (float)slb_level_value(levels, hardest(levels, mine)) : b.weight[j];
            out[from + (size_t)j] = w;
            sum += (double)fabsf(w);
        }
    }
    return fmax(sum / (double)n, 1e-12);
}

static void weights(const SlbLayer *layer, double sharpness, bool hard, float *weight)
{
    size_t n = slb_layer_weights(layer) / (size_t)layer->out_channels;
    for (int o = 0; o < layer->out_channels; o++) {
        float *w = weight + (size_t)o * n;
        double mean = channel(layer, o, sharpness, hard, w);
        float gain = (float)((double)layer->param[SLB_PARAM_SCALE].value[o] / mean);
        for (size_t j = 0; j < n; j++) w[j] *= gain;
    }
}

/* dL/dA of a block of weights from dL/dW_c, added to grad. */
static void logit_grads(const SlbLevels *levels, const float *logit, int count, float sharpness,
                        const float *dw, float *grad)
{
    Block b;
    int n = levels->count;
    soft(levels, logit, count, sharpness, &b);
    if (levels->bits == 1) {
        for (int j = 0; j < count; j++)
            grad[j] += 0.5f * sharpness * (1.0f - b.weight[j] * b.weight[j]) * dw[j];
        return;
    }
    for (int k = 0; k < n; k++) {
        float v = (float)slb_level_value(levels, k);
        for (int j = 0; j < count; j++)
            grad[j * n + k] += sharpness * b.probability[k][j] * (v - b.weight[j]) * dw[j];
    }
}

/* `w` has room for the channel's weights. With C = W_c, m = mean |C| over n weights, s the scale
 * and g the gradient of the effective weight s C / m:  dL/ds = sum g C / m, and dL/dC_j = s/m (g_j
 * - sign(C_j) dL/ds / n). */
static void channel_backward(const SlbLayer *layer, int o, double sharpness, bool hard,
                             const float *grad, float *w)
{
    const SlbLevels *levels = slb_levels(layer->bits);
    size_t n = slb_layer_weights(layer) / (size_t)layer->out_channels;
    size_t each = (size_t)values(layer->bits), first = (size_t)o * n * each;
    const SlbParam *logits = &layer->param[SLB_PARAM_WEIGHT];
    const SlbParam *scale = &layer->param[SLB_PARAM_SCALE];
    double mean = channel(layer, o, sharpness, hard, w), along = 0;
    for (size_t j = 0; j < n; j++) along += (double)grad[j] * (double)w[j];
    along /= mean; /* dL/ds */
    scale->grad[o] += (float)along;
    if (hard) return;
    float gain = (float)((double)scale->value[o] / mean), share = (float)(along / (double)n);
    for (size_t j = 0; j < n; j++) {
        float sign = (float)((w[j] > 0.0f) - (w[j] < 0.0f));
        w[j] = gain * (grad[j] - sign * share); /* dL/dC from here on */
    }
    for (size_t from = 0; from < n; from += BLOCK)
        logit_grads(levels, logits->value + first + from * each, block_size(from, n),
                    (float)sharpness, w + from, logits->grad + first + from * each);
}

static void backward(const SlbLayer *layer, double sharpness, bool hard, const float *grad)
{
    size_t n = slb_layer_weights(layer) / (size_t)layer->out_channels;
    for (int o = 0; o < layer->out_channels; o++) {
        float w[SLB_MAX_CHANNELS * 9];
        channel_backward(layer, o, sharpness, hard, grad + (size_t)o * n, w);
    }
}

/* Logits whose softmax at T = 1 has the mean u: A_k = (2 c v_k - v_k^2) / (2 d^2), a bell of width
 * d = 0.6 of the distance between levels around a centre c, which is found by bisection (the mean
 * grows with c). */
static void place(const SlbLevels *levels, double u, float *logit)
{
    const double width = 0.6 * 2.0 / (levels->count - 1), inverse = 0.5 / (width * width);
    double low = -4, high = 4;
    Block b;
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
        soft(levels, logit, 1, 1.0f, &b);
        if ((double)b.weight[0] < u)
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
    const SlbLevels *levels = slb_levels(layer->bits);
    const double reach = levels->bits == 2 ? 1.8 : 2.7, most = 0.97;
    size_t n = slb_layer_weights(layer) / (size_t)layer->out_channels;
    size_t each = (size_t)values(layer->bits);
    for (int o = 0; o < layer->out_channels; o++) {
        const float *w = weight + (size_t)o * n;
        double square = 0, sum = 0;
        for (size_t j = 0; j < n; j++) square += (double)w[j] * (double)w[j];
        double unit = fmax(reach * sqrt(square / (double)n), 1e-12);
        for (size_t j = 0; j < n; j++) {
            double u = fmin(fmax((double)w[j] / unit, -most), most);
            sum += fabs(u);
            place(levels, u, layer->param[SLB_PARAM_WEIGHT].value + ((size_t)o * n + j) * each);
        }
        layer->param[SLB_PARAM_SCALE].value[o] = (float)(unit * sum / (double)n);
    }
}

static void harden(const SlbLayer *layer, SlbConvParams *conv)
{
    const SlbLevels *levels = slb_levels(layer->bits);
    size_t n = slb_layer_weights(layer) / (size_t)layer->out_channels;
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
