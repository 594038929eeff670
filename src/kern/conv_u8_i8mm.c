/* The packed convolution with USMMLA (Arm v8.6 8-bit matrices): two pixels of eight unsigned codes
 * times two outputs of eight signed weights, added to 2 x 2 sums in int32, so exact.
 *
 * Weights: int8_t [taps][padded in / 8][padded out][8]: a vector holds two outputs. */
#include "kern/conv_u8_arm.h"

enum { PAIRS = 4, OUTPUTS = 8, BLOCK = 8 }; /* a tile: PAIRS pairs of pixels x OUTPUTS */

static size_t packed_bytes(int out_channels, int in_channels, int kernel)
{
    return (size_t)(kernel * kernel) * (size_t)slb_out_padded(in_channels) *
           (size_t)slb_out_padded(out_channels);
}

static void pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    int taps = kernel * kernel, blocks = slb_out_padded(in_channels) / BLOCK;
    int padded = slb_out_padded(out_channels);
    int8_t *w = packed;
    for (int t = 0; t < taps; t++)
        for (int b = 0; b < blocks; b++)
            for (int o = 0; o < padded; o++)
                for (int i = b * BLOCK; i < (b + 1) * BLOCK; i++)
                    *w++ = o < out_channels && i < in_channels
                               ? oihw[(o * in_channels + i) * taps + t]
                               : 0;
}

/* `pairs` pairs of pixels (a constant) from `pixel` on, the second of a pair `second` bytes behind
 * the first (0: there is one pixel only, which stands in for it), OUTPUTS outputs from `o` on. */
ALWAYS_INLINE void tile(const SlbConvU8 *a, size_t pixel, int o, int pairs, size_t second)
{
    int channels = slb_out_padded(a->in_channels);
    size_t pair_bytes = 2 * a->in_stride, block_bytes = (size_t)a->out_channels * BLOCK;
    const int8_t *weight = (const int8_t *)a->weight + (size_t)o * BLOCK;
    int32x4_t sum[PAIRS][OUTPUTS / 2];
    for (int v = 0; v < OUTPUTS / 2; v++) {
        int32x2_t bias = vld1_s32(a->bias + o + 2 * v);
        for (int p = 0; p < pairs; p++) sum[p][v] = vcombine_s32(bias, bias);
    }
    for (int t = 0; t < a->taps; t++) {
        const uint8_t *in = a->in[t] + pixel * a->in_stride;
        for (int i = 0; i < channels; i += BLOCK, in += BLOCK, weight += block_bytes) {
            uint8x16_t x[PAIRS];
            for (int p = 0; p < pairs; p++) {
                const uint8_t *first = in + (size_t)p * pair_bytes;
                x[p] = vcombine_u8(vld1_u8(first), vld1_u8(first + second));
            }
            for (int v = 0; v < OUTPUTS / 2; v++) {
                int8x16_t w = vld1q_s8(weight + v * 2 * BLOCK);
                for (int p = 0; p < pairs; p++) sum[p][v] = vusmmlaq_s32(sum[p][v], x[p], w);
            }
        }
    }
    for (int p = 0; p < pairs; p++) { /* lanes: pixel 0 of outputs 0 and 1, pixel 1 of the same */
        int64x2_t s[OUTPUTS / 2];
        for (int v = 0; v < OUTPUTS / 2; v++) s[v] = vreinterpretq_s64_s32(sum[p][v]);
        store_8(a, pixel + 2 * (size_t)p, o, vreinterpretq_s32_s64(vzip1q_s64(s[0], s[1])),
                vreinterpretq_s32_s64(vzip1q_s64(s[2], s[3])));
        if (second)
            store_8(a, pixel + 2 * (size_t)p + 1, o, vreinterpretq_s32_s64(vzip2q_s64(s[0], s[1])),
                    vreinterpretq_s32_s64(vzip2q_s64(s[2], s[3])));
    }
}

/* Outputs first: the weights of a tile's outputs stay in the first-level cache (4.5 KiB for 3x3, 64
 * inputs) while the pixels go by. */
static void run(const SlbConvU8 *a)
{
    for (int o = 0; o < a->out_channels; o += OUTPUTS) {
        size_t p = 0;
        for (; p + 2 * PAIRS <= a->pixels; p += 2 * PAIRS) tile(a, p, o, PAIRS, a->in_stride);
        for (; p + 2 <= a->pixels; p += 2) tile(a, p, o, 1, a->in_stride);
        if (p < a->pixels) tile(a, p, o, 1, 0);
    }
}

const SlbConvU8Kernel slb_conv_u8_i8mm = {.level = SLB_CPU_NEON,
                                          .name = "packed neon i8mm",
                                          .packed_bytes = packed_bytes,
                                          .pack = pack,
                                          .run = run,
                                          .has = slb_cpu_has_i8mm};
