#include "kern/edge.h"

#include <string.h>

#include "quant/requant.h" /* by way of it SLB_MAX_CHANNELS of the networks */

/* Two layouts for the two shapes there are. One input channel: [taps][out_padded], vectors run
 * over the outputs. Else [out][taps][in_padded], vectors run over the 16 partial sums. */

enum { PARTS = 16 };

size_t slb_edge_floats(int out_channels, int in_channels, int kernel)
{
    size_t taps = (size_t)(kernel * kernel);
    if (in_channels == 1) return taps * (size_t)slb_out_padded(out_channels);
    return (size_t)out_channels * taps * (size_t)slb_out_padded(in_channels);
}

void slb_pack_edge(const float *oihw, int out_channels, int in_channels, int kernel, float *packed)
{
    if (in_channels == 1) {
        slb_pack_f32(oihw, out_channels, in_channels, kernel, packed);
        return;
    }
    int taps = kernel * kernel, padded = slb_out_padded(in_channels);
    for (int o = 0; o < out_channels; o++)
        for (int t = 0; t < taps; t++)
            for (int i = 0; i < padded; i++)
                *packed++ = i < in_channels ? oihw[(o * in_channels + i) * taps + t] : 0.0f;
}

/* One input channel: sum[o] over the taps. */
static void spread(const SlbConvEdge *a, size_t pixel, float *restrict sum)
{
    int outputs = slb_out_padded(a->out_channels);
    const float *restrict w = a->weight;
    memset(sum, 0, (size_t)outputs * sizeof *sum);
    for (int t = 0; t < a->taps; t++, w += outputs) {
        float x = a->in[t][pixel * a->in_stride];
        for (int o = 0; o < outputs; o++) sum[o] += x * w[o];
    }
}

/* Many input channels: one output at a time. */
static float gather(const SlbConvEdge *a, size_t pixel, const float *restrict w, int padded)
{
    float part[PARTS] = {0};
    for (int t = 0; t < a->taps; t++) {
        const float *restrict x = a->in[t] + pixel * a->in_stride;
        for (int i = 0; i < padded; i += PARTS, w += PARTS)
            for (int j = 0; j < PARTS; j++) part[j] += x[i + j] * w[j];
    }
    for (int half = PARTS / 2; half; half /= 2)
        for (int j = 0; j < half; j++) part[j] += part[j + half];
    return part[0];
}

static void store(const SlbConvEdge *a, size_t pixel, const float *restrict sum)
{
    int outputs = slb_out_padded(a->out_channels);
    float *restrict f = a->out_f32 ? a->out_f32 + pixel * a->out_stride : NULL;
    uint8_t *restrict u = a->out_f32 ? NULL : a->out_u8 + pixel * a->out_stride;
    for (int o = 0; o < outputs; o++) {
        float v = sum[o] + a->bias[o];
        if (a->relu) v = v > 0.0f ? v : 0.0f;
        if (f)
            f[o] = v;
        else
            u[o] = slb_quantize_u8(v, a->inverse_step);
    }
}

void slb_conv_edge(const SlbConvEdge *a)
{
    float sum[SLB_MAX_CHANNELS] = {0};
    int padded = slb_out_padded(a->in_channels);
    size_t depth = (size_t)a->taps * (size_t)padded;
    for (size_t p = 0; p < a->pixels; p++) {
        if (a->in_channels == 1)
            spread(a, p, sum);
        else
            for (int o = 0; o < a->out_channels; o++)
                sum[o] = gather(a, p, a->weight + (size_t)o * depth, padded);
        store(a, p, sum);
    }
}
