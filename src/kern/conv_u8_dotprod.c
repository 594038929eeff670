/* The packed convolution with SDOT (Arm v8.2 dot products): four products of signed bytes a lane,
 * summed in int32, so exact.
 *
 * Codes are unsigned, weights signed, and there is no such product before the extension of 8-bit
 * matrices (conv_u8_i8mm.c). So codes are taken less 128, which is one exclusive or, and what that
 * takes from a sum is put back: sum x w = sum (x - 128) w + 128 sum w. The second term, of all taps
 * and channels, is known when weights are packed; at most 128 * 9 * 1024 * 15 < 2^25. Padding
 * channels have weights of 0, so what they hold does not count.
 *
 * Weights: int32_t [padded out], the second term; then int8_t [taps][padded in / 4][padded out][4].
 */
#include <string.h>

#include "kern/conv_u8_arm.h"

enum { ROWS = 4, VECTORS = 4, LANES = 4, GROUP = 4, LOAD = 16 };

static size_t packed_bytes(int out_channels, int in_channels, int kernel)
{
    size_t padded = (size_t)slb_out_padded(out_channels);
    return padded * sizeof(int32_t) +
           (size_t)(kernel * kernel) * (size_t)slb_out_padded(in_channels) * padded;
}

static void pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    int taps = kernel * kernel, groups = slb_out_padded(in_channels) / GROUP;
    int padded = slb_out_padded(out_channels);
    int32_t *back = packed;
    int8_t *w = (int8_t *)(back + padded);
    memset(back, 0, (size_t)padded * sizeof *back);
    for (int o = 0; o < out_channels; o++)
        for (int k = 0; k < in_channels * taps; k++)
            back[o] += 128 * oihw[o * in_channels * taps + k];
    for (int t = 0; t < taps; t++)
        for (int g = 0; g < groups; g++)
            for (int o = 0; o < padded; o++)
                for (int i = g * GROUP; i < (g + 1) * GROUP; i++)
                    *w++ = o < out_channels && i < in_channels
                               ? oihw[(o * in_channels + i) * taps + t]
                               : 0;
}

/* Four channels, lane `lane` of x, to the sums of `rows` x VECTORS. */
#define CHANNELS(lane)                                                                             \
    do {                                                                                           \
        for (int v = 0; v < VECTORS; v++) {                                                        \
            int8x16_t w = vld1q_s8(weight + v * LANES * GROUP);                                    \
            for (int r = 0; r < rows; r++) sum[r][v] = vdotq_laneq_s32(sum[r][v], w, x[r], lane);  \
        }                                                                                          \
        weight += group_bytes;                                                                     \
    } while (0)

/* `rows` pixels (a constant) from `pixel` on, the outputs of VECTORS vectors from `o` on. */
ALWAYS_INLINE void tile(const SlbConvU8 *a, size_t pixel, int o, int rows)
{
    int channels = slb_out_padded(a->in_channels);
    size_t stride = a->in_stride, group_bytes = (size_t)a->out_channels * GROUP;
    const int32_t *back = a->weight;
    const int8_t *weight = (const int8_t *)(back + a->out_channels) + (size_t)o * GROUP;
    const uint8x16_t flip = vdupq_n_u8(0x80);
    int32x4_t sum[ROWS][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++)
            sum[r][v] =
                vaddq_s32(vld1q_s32(a->bias + o + v * LANES), vld1q_s32(back + o + v * LANES));
    for (int t = 0; t < a->taps; t++) {
        const uint8_t *in = a->in[t] + pixel * stride;
        for (int i = 0; i < channels; i += LOAD, in += LOAD) {
            int8x16_t x[ROWS];
            for (int r = 0; r < rows; r++)
                x[r] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(in + (size_t)r * stride), flip));
            CHANNELS(0);
            CHANNELS(1);
            CHANNELS(2);
            CHANNELS(3);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v += 2)
            store_8(a, pixel + (size_t)r, o + v * LANES, sum[r][v], sum[r][v + 1]);
}

/* Outputs first: the weights of a tile's outputs stay in the first-level cache (9 KiB for 3x3, 64
 * inputs) while the pixels go by. */
static void run(const SlbConvU8 *a)
{
    for (int o = 0; o < a->out_channels; o += VECTORS * LANES) {
        size_t p = 0;
        for (; p + ROWS <= a->pixels; p += ROWS) tile(a, p, o, ROWS);
        for (; p < a->pixels; p++) tile(a, p, o, 1);
    }
}

const SlbConvU8Kernel slb_conv_u8_dotprod = {.level = SLB_CPU_NEON,
                                             .name = "packed neon dotprod",
                                             .packed_bytes = packed_bytes,
                                             .pack = pack,
                                             .run = run,
                                             .has = slb_cpu_has_dotprod};
