/* The packed convolution with VPDPBUSD (AVX512-VNNI): four products of an unsigned code and a
 * signed weight a lane, summed in int32 without saturation, so exact.
 *
 * A tile of ROWS pixels by VECTORS vectors of 16 outputs stays in registers through all taps;
 * its weights stream from the second-level cache (36 KiB for 3x3 64 -> 64). Weights: int8_t
 * [taps][padded in / 4][padded out][4]. */
#include "kern/conv_u8_avx512.h"

static size_t packed_bytes(int out_channels, int in_channels, int kernel)
{
    return (size_t)(kernel * kernel) * (size_t)slb_out_padded(in_channels) *
           (size_t)slb_out_padded(out_channels);
}

static void pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    int taps = kernel * kernel, groups = slb_out_padded(in_channels) / GROUP;
    int padded = slb_out_padded(out_channels);
    int8_t *w = packed;
    for (int t = 0; t < taps; t++)
        for (int g = 0; g < groups; g++)
            for (int o = 0; o < padded; o++)
                for (int i = g * GROUP; i < (g + 1) * GROUP; i++)
                    *w++ = o < out_channels && i < in_channels
                               ? oihw[(o * in_channels + i) * taps + t]
                               : 0;
}

/* `rows` pixels from `pixel` on, `vectors` vectors of outputs from `o` on; both are constants. */
ALWAYS_INLINE void tile(const SlbConvU8 *a, size_t pixel, int o, int rows, int vectors)
{
    size_t channels = (size_t)slb_out_padded(a->in_channels), stride = a->in_stride;
    size_t group_bytes = (size_t)a->out_channels * GROUP;
    const int8_t *weight = (const int8_t *)a->weight + (size_t)o * GROUP;
    __m512i sum[ROWS][VECTORS];
    SLB_UNROLL
    for (int r = 0; r < rows; r++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) sum[r][v] = _mm512_load_si512(a->bias + o + v * LANES);
    }
    for (int t = 0; t < a->taps; t++, weight += channels / GROUP * group_bytes)
        add_products(a->in[t] + pixel * stride, stride, channels, weight, group_bytes, rows,
                     vectors, sum);
    SLB_UNROLL
    for (int r = 0; r < rows; r++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) store(a, pixel + (size_t)r, o + v * LANES, sum[r][v]);
    }
}

/* All outputs of `rows` pixels, a constant. */
ALWAYS_INLINE void outputs(const SlbConvU8 *a, size_t pixel, int rows)
{
    int o = 0;
    for (; o + VECTORS * LANES <= a->out_channels; o += VECTORS * LANES)
        tile(a, pixel, o, rows, VECTORS);
    for (; o < a->out_channels; o += LANES) tile(a, pixel, o, rows, 1);
}

static void run(const SlbConvU8 *a)
{
    size_t p = 0;
    for (; p + ROWS <= a->pixels; p += ROWS) outputs(a, p, ROWS);
    switch (a->pixels - p) {
    case 5: outputs(a, p, 5); break;
    case 4: outputs(a, p, 4); break;
    case 3: outputs(a, p, 3); break;
    case 2: outputs(a, p, 2); break;
    case 1: outputs(a, p, 1); break;
    default: break;
    }
}

const SlbConvU8Kernel slb_conv_u8_avx512 = {.level = SLB_CPU_AVX512,
                                            .name = "packed vnni",
                                            .packed_bytes = packed_bytes,
                                            .pack = pack,
                                            .run = run};
