/* The packed convolution in plain C, written so that a compiler makes multiply-add-pairs of it
 * (pmaddwd, smlal).
 *
 * The taps of two pixels are gathered as 16-bit numbers; each output is then one long dot
 * product. Weights: int16_t [slb_out_padded(out)][depth], depth = taps * slb_out_padded(in). */
#include <math.h>
#include <string.h>

#include "kern/conv_u8.h"
#include "quant/requant.h" /* by way of it SLB_MAX_CHANNELS of the networks */

enum {
    PIXELS = 2,
    OUTPUTS = 4, /* PIXELS * OUTPUTS sums are made at a time */
    MAX_DEPTH = SLB_MAX_TAPS * SLB_MAX_CHANNELS,
};

static size_t packed_bytes(int out_channels, int in_channels, int kernel)
{
    size_t depth = (size_t)(kernel * kernel) * (size_t)slb_out_padded(in_channels);
    return (size_t)slb_out_padded(out_channels) * depth * sizeof(int16_t);
}

static void pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    int taps = kernel * kernel, padded = slb_out_padded(in_channels);
    int16_t *w = packed;
    memset(w, 0, packed_bytes(out_channels, in_channels, kernel));
    for (int o = 0; o < out_channels; o++)
        for (int t = 0; t < taps; t++, w += padded)
            for (int i = 0; i < in_channels; i++) w[i] = oihw[(o * in_channels + i) * taps + t];
}

static void gather(const SlbConvU8 *a, size_t pixel, int padded, int16_t *restrict x)
{
    for (int t = 0; t < a->taps; t++, x += padded) {
        const uint8_t *restrict in = a->in[t] + pixel * a->in_stride;
        for (int i = 0; i < padded; i++) x[i] = in[i];
    }
}

/* PIXELS rows of x times OUTPUTS rows of w; `blocks` blocks of 16 make a row. */
static void dot(const int16_t *restrict x, const int16_t *restrict w, size_t blocks,
                int32_t sum[restrict PIXELS][OUTPUTS])
{
    size_t depth = blocks * SLB_OUT_BLOCK;
    const int16_t *x0 = x, *x1 = x + depth;
    const int16_t *w0 = w, *w1 = w + depth, *w2 = w + 2 * depth, *w3 = w + 3 * depth;
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    for (size_t k = 0; k < depth; k++) {
        a0 += (int32_t)x0[k] * w0[k];
        a1 += (int32_t)x0[k] * w1[k];
        a2 += (int32_t)x0[k] * w2[k];
        a3 += (int32_t)x0[k] * w3[k];
        b0 += (int32_t)x1[k] * w0[k];
        b1 += (int32_t)x1[k] * w1[k];
        b2 += (int32_t)x1[k] * w2[k];
        b3 += (int32_t)x1[k] * w3[k];
    }
    const int32_t all[PIXELS][OUTPUTS] = {{a0, a1, a2, a3}, {b0, b1, b2, b3}};
    memcpy(sum, all, sizeof all);
}

static void store_codes(const SlbConvU8 *a, size_t pixel, const int32_t *restrict sum)
{
    uint8_t *restrict out = a->out_u8 + pixel * a->out_stride;
    for (int o = 0; o < a->out_channels; o++)
        out[o] = slb_requant_u8(sum[o] + a->bias[o], a->multiplier[o], a->code_max);
}

static void store_floats(const SlbConvU8 *a, size_t pixel, const int32_t *restrict sum)
{
    float *restrict out = a->out_f32 + pixel * a->out_stride;
    float low = a->relu ? 0.0f : -INFINITY;
    for (int o = 0; o < a->out_channels; o++) {
        float v = (float)(sum[o] + a->bias[o]) * a->multiplier[o];
        out[o] = v > low ? v : low;
    }
}

static void run(const SlbConvU8 *a)
{
    _Alignas(64) int16_t x[PIXELS * MAX_DEPTH];
    int32_t sum[PIXELS][SLB_MAX_CHANNELS], part[PIXELS][OUTPUTS];
    int padded = slb_out_padded(a->in_channels);
    size_t depth = (size_t)a->taps * (size_t)padded;
    for (size_t p = 0; p < a->pixels; p += PIXELS) {
        size_t n = a->pixels - p < PIXELS ? a->pixels - p : PIXELS;
        for (size_t q = 0; q < PIXELS; q++) /* the last pixel stands in for those there are not */
            gather(a, p + (q < n ? q : n - 1), padded, x + q * depth);
        const int16_t *w = a->weight;
        for (int o = 0; o < a->out_channels; o += OUTPUTS, w += OUTPUTS * depth) {
            dot(x, w, depth / SLB_OUT_BLOCK, part);
            for (int q = 0; q < PIXELS; q++) memcpy(&sum[q][o], part[q], sizeof part[q]);
        }
        for (size_t q = 0; q < n; q++) {
            if (a->out_u8)
                store_codes(a, p + q, sum[q]);
            else
                store_floats(a, p + q, sum[q]);
        }
    }
}

const SlbConvU8Kernel slb_conv_u8_c = {
    .level = SLB_CPU_C, .name = "packed c", .packed_bytes = packed_bytes, .pack = pack, .run = run};
