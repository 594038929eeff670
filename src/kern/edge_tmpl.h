/* The float kernel of fixed order for one instruction set: included by edge.c, edge_avx2.c and
 * edge_avx512.c, which define NAME. The text is plain C and the order of its sums does not depend on
 * how many of them a register holds; the flags only make the vectors wider. */
#include <string.h>

#include "kern/edge.h"
#include "quant/requant.h" /* by way of it SLB_MAX_CHANNELS of the networks */

enum { PARTS = 16 };

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
            u[o] = slb_quantize_u8(v, a->inverse_step, a->code_max);
    }
}

void NAME(const SlbConvEdge *a)
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
