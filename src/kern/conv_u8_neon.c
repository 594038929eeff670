/* The packed convolution with the NEON that every 64-bit Arm has: MLA by element, eight 16-bit
 * products a time, codes and weights widened to 16 bits.
 *
 * No 16-bit sum overflows: a product is at most 255 * w in size for weights of at most w, so that
 * 32767 / (255 w) of them fit: 128 for 1-bit weights, 42 for 2 bits (w = 3), 8 for 4 bits (w = 15).
 * So many blocks of eight channels are added up in 16 bits (16, 5 and 1); then the sums are added
 * to those of 32 bits and begin anew.
 *
 * Weights: a header of 64 bytes (int32: blocks between two widenings), then int8_t [taps][padded
 * in] [padded out]. */
#include <stdlib.h>
#include <string.h>

#include "kern/conv_u8_arm.h"

enum { ROWS = 4, VECTORS = 2, LANES = 8, BLOCK = 8, HEADER = 64 };

static size_t packed_bytes(int out_channels, int in_channels, int kernel)
{
    return HEADER + (size_t)(kernel * kernel) * (size_t)slb_out_padded(in_channels) *
                        (size_t)slb_out_padded(out_channels);
}

static void pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    int taps = kernel * kernel, padded = slb_out_padded(out_channels), largest = 1;
    int8_t *w = (int8_t *)packed + HEADER;
    for (int t = 0; t < taps; t++)
        for (int i = 0; i < slb_out_padded(in_channels); i++)
            for (int o = 0; o < padded; o++) {
                bool there = o < out_channels && i < in_channels;
                *w = there ? oihw[(o * in_channels + i) * taps + t] : 0;
                if (abs(*w) > largest) largest = abs(*w);
                w++;
            }
    int32_t fit = INT16_MAX / (UINT8_MAX * largest * BLOCK);
    memset(packed, 0, HEADER);
    memcpy(packed, &fit, sizeof fit);
}

/* One channel, `lane` of x, to the sums of rows x vectors (constants). */
#define CHANNEL(lane)                                                                              \
    do {                                                                                           \
        for (int v = 0; v < vectors; v++) {                                                        \
            int16x8_t w = vmovl_s8(vld1_s8(weight + v * LANES));                                   \
            for (int r = 0; r < rows; r++) sum[r][v] = vmlaq_laneq_s16(sum[r][v], w, x[r], lane);  \
        }                                                                                          \
        weight += out_channels;                                                                    \
    } while (0)

/* 16-bit sums of `blocks` blocks, from the addresses on, of rows x vectors (constants), widened and
 * added to `wide`. */
ALWAYS_INLINE void add_blocks(const uint8_t *in, size_t stride, const int8_t *weight,
                              int out_channels, int blocks, int rows, int vectors,
                              int32x4_t wide[ROWS][VECTORS][2])
{
    int16x8_t sum[ROWS][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = vdupq_n_s16(0);
    for (int b = 0; b < blocks; b++, in += BLOCK) {
        int16x8_t x[ROWS];
        for (int r = 0; r < rows; r++)
            x[r] = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(in + (size_t)r * stride)));
        CHANNEL(0);
        CHANNEL(1);
        CHANNEL(2);
        CHANNEL(3);
        CHANNEL(4);
        CHANNEL(5);
        CHANNEL(6);
        CHANNEL(7);
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            wide[r][v][0] = vaddw_s16(wide[r][v][0], vget_low_s16(sum[r][v]));
            wide[r][v][1] = vaddw_high_s16(wide[r][v][1], sum[r][v]);
        }
}

/* `rows` pixels (a constant) from `pixel` on, the outputs of VECTORS vectors from `o` on. */
ALWAYS_INLINE void tile(const SlbConvU8 *a, size_t pixel, int o, int rows)
{
    int blocks = slb_out_padded(a->in_channels) / BLOCK;
    const int8_t *weight = (const int8_t *)a->weight + HEADER + o;
    int32_t fit;
    int32x4_t wide[ROWS][VECTORS][2];
    memcpy(&fit, a->weight, sizeof fit);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++)
            for (int h = 0; h < 2; h++) wide[r][v][h] = vld1q_s32(a->bias + o + v * LANES + h * 4);
    for (int t = 0; t < a->taps; t++) {
        const uint8_t *in = a->in[t] + pixel * a->in_stride;
        for (int b = 0; b < blocks; b += fit) {
            int n = blocks - b < fit ? blocks - b : fit;
            add_blocks(in + b * BLOCK, a->in_stride, weight, a->out_channels, n, rows, VECTORS,
                       wide);
            weight += (size_t)(n * BLOCK) * (size_t)a->out_channels;
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++)
            store_8(a, pixel + (size_t)r, o + v * LANES, wide[r][v][0], wide[r][v][1]);
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

const SlbConvU8Kernel slb_conv_u8_neon = {.level = SLB_CPU_NEON,
                                          .name = "packed neon",
                                          .packed_bytes = packed_bytes,
                                          .pack = pack,
                                          .run = run};
