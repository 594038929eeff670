/* The packed convolution with VPMADDUBSW (AVX2): an unsigned code times a signed weight, two
 * neighbouring products added into 16 bits with saturation.
 *
 * No sum ever saturates: a pair of products is at most 2 * 255 * w in size for weights of at most
 * w, so that 32767 / (510 w) of them fit into 16 bits: 64 for 1-bit weights, 21 for 2 bits (w = 3),
 * 4 for 4 bits (w = 15). So many groups of four channels are added up in 16 bits; then the sums are
 * widened to 32 bits (VPMADDWD by ones, which adds the two of an output) and begin anew.
 *
 * Weights: a header of 64 bytes (int32: groups between two widenings), then int8_t [taps][padded in
 * / 4][padded out][4]. */
#include <stdlib.h>

#include "kern/conv_u8_avx2.h"

enum { HEADER = 64 };

static size_t packed_bytes(int out_channels, int in_channels, int kernel)
{
    return HEADER + (size_t)(kernel * kernel) * (size_t)slb_out_padded(in_channels) *
                        (size_t)slb_out_padded(out_channels);
}

static void pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    int taps = kernel * kernel, groups = slb_out_padded(in_channels) / GROUP;
    int padded = slb_out_padded(out_channels), largest = 1;
    int8_t *w = (int8_t *)packed + HEADER;
    for (int t = 0; t < taps; t++)
        for (int g = 0; g < groups; g++)
            for (int o = 0; o < padded; o++)
                for (int i = g * GROUP; i < (g + 1) * GROUP; i++) {
                    bool there = o < out_channels && i < in_channels;
                    *w = there ? oihw[(o * in_channels + i) * taps + t] : 0;
                    if (abs(*w) > largest) largest = abs(*w);
                    w++;
                }
    int32_t fit = INT16_MAX / (2 * UINT8_MAX * largest);
    memset(packed, 0, HEADER);
    memcpy(packed, &fit, sizeof fit);
}

/* `rows` pixels from `pixel` on, `vectors` vectors of outputs from `o` on; both are constants. */
ALWAYS_INLINE void tile(const SlbConvU8 *a, size_t pixel, int o, int rows, int vectors)
{
    int groups = slb_out_padded(a->in_channels) / GROUP;
    size_t stride = a->in_stride, group_bytes = (size_t)a->out_channels * GROUP;
    const int8_t *weight = (const int8_t *)a->weight + HEADER + (size_t)o * GROUP;
    int32_t fit;
    __m256i wide[ROWS][VECTORS];
    memcpy(&fit, a->weight, sizeof fit);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            wide[r][v] = _mm256_loadu_si256((const __m256i *)(a->bias + o + v * LANES));
    for (int t = 0; t < a->taps; t++) {
        const uint8_t *in = a->in[t] + pixel * stride;
        for (int g = 0; g < groups; g += fit) {
            int n = groups - g < fit ? groups - g : fit;
            add_groups(in + g * GROUP, stride, weight, group_bytes, n, rows, vectors, wide);
            weight += (size_t)n * group_bytes;
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) store(a, pixel + (size_t)r, o + v * LANES, wide[r][v]);
}

/* All outputs of `rows` pixels, a constant. */
ALWAYS_INLINE void outputs(const SlbConvU8 *a, size_t pixel, int rows)
{
    int o = 0;
    for (; o + VECTORS * LANES <= a->out_channels; o += VECTORS * LANES)
        tile(a, pixel, o, rows, VECTORS);
    for (; o < a->out_channels; o += 2 * LANES) tile(a, pixel, o, rows, 2);
}

static void run(const SlbConvU8 *a)
{
    size_t p = 0;
    for (; p + ROWS <= a->pixels; p += ROWS) outputs(a, p, ROWS);
    if (a->pixels - p == 2)
        outputs(a, p, 2);
    else if (a->pixels - p == 1)
        outputs(a, p, 1);
}

const SlbConvU8Kernel slb_conv_u8_avx2 = {.level = SLB_CPU_AVX2,
                                          .name = "packed avx2",
                                          .packed_bytes = packed_bytes,
                                          .pack = pack,
                                          .run = run};
