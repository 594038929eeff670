/* The packed convolution with PMADDWD (SSE2, every x86-64): codes and weights widened to 16 bits,
 * two neighbouring products added into 32 bits, so exact.
 *
 * A tile of ROWS pixels by VECTORS vectors of 4 outputs stays in registers through all taps.
 * Weights: int16_t [taps][padded in / 2][padded out][2]. */
#include <emmintrin.h>

#include "kern/conv_u8.h"

enum { ROWS = 2, VECTORS = 4, LANES = 4, BLOCK = 8, OUTPUTS = VECTORS * LANES };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static size_t packed_bytes(int out_channels, int in_channels, int kernel)
{
    return (size_t)(kernel * kernel) * (size_t)slb_out_padded(in_channels) *
           (size_t)slb_out_padded(out_channels) * sizeof(int16_t);
}

static void pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    int taps = kernel * kernel, padded = slb_out_padded(out_channels);
    int16_t *w = packed;
    for (int t = 0; t < taps; t++)
        for (int i = 0; i < slb_out_padded(in_channels); i += 2)
            for (int o = 0; o < padded; o++)
                for (int k = i; k < i + 2; k++)
                    *w++ = o < out_channels && k < in_channels
                               ? oihw[(o * in_channels + k) * taps + t]
                               : 0;
}

/* OUTPUTS sums of one pixel to codes or floats, as quant/requant.h has it: the float is clamped
 * before it is rounded, which is the same as after. */
ALWAYS_INLINE void store(const SlbConvU8 *a, size_t pixel, int o, const __m128i sum[VECTORS])
{
    size_t at = pixel * a->out_stride + (size_t)o;
    const __m128 zero = _mm_setzero_ps(), most = _mm_set1_ps(a->code_max);
    __m128 x[VECTORS];
    for (int v = 0; v < VECTORS; v++)
        x[v] = _mm_mul_ps(_mm_cvtepi32_ps(sum[v]), _mm_load_ps(a->multiplier + o + v * LANES));
    if (a->out_f32) {
        for (int v = 0; v < VECTORS; v++)
            _mm_store_ps(a->out_f32 + at + v * LANES, a->relu ? _mm_max_ps(x[v], zero) : x[v]);
        return;
    }
    __m128i c[VECTORS];
    for (int v = 0; v < VECTORS; v++)
        c[v] = _mm_cvtps_epi32(_mm_min_ps(_mm_max_ps(x[v], zero), most));
    __m128i low = _mm_packs_epi32(c[0], c[1]), high = _mm_packs_epi32(c[2], c[3]);
    _mm_store_si128((__m128i *)(a->out_u8 + at), _mm_packus_epi16(low, high));
}

/* Two channels, pair `pair` of x, to the sums of `rows` pixels. */
#define CHANNELS(pair)                                                                             \
    do {                                                                                           \
        for (int r = 0; r < rows; r++) {                                                           \
            __m128i two = _mm_shuffle_epi32(x[r], (pair)*0x55);                                    \
            for (int v = 0; v < VECTORS; v++) {                                                    \
                __m128i w = _mm_load_si128((const __m128i *)(weight + v * LANES * 2));             \
                sum[r][v] = _mm_add_epi32(sum[r][v], _mm_madd_epi16(two, w));                      \
            }                                                                                      \
        }                                                                                          \
        weight += pair_count;                                                                      \
    } while (0)

/* `rows` pixels (a constant) from `pixel` on, OUTPUTS outputs from `o` on. */
ALWAYS_INLINE void tile(const SlbConvU8 *a, size_t pixel, int o, int rows)
{
    int channels = slb_out_padded(a->in_channels);
    size_t stride = a->in_stride, pair_count = (size_t)a->out_channels * 2;
    const int16_t *weight = (const int16_t *)a->weight + (size_t)o * 2;
    __m128i sum[ROWS][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++)
            sum[r][v] = _mm_load_si128((const __m128i *)(a->bias + o + v * LANES));
    for (int t = 0; t < a->taps; t++) {
        const uint8_t *in = a->in[t] + pixel * stride;
        for (int i = 0; i < channels; i += BLOCK, in += BLOCK) {
            __m128i x[ROWS];
            for (int r = 0; r < rows; r++)
                x[r] =
                    _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(in + (size_t)r * stride)),
                                      _mm_setzero_si128());
            CHANNELS(0);
            CHANNELS(1);
            CHANNELS(2);
            CHANNELS(3);
        }
    }
    for (int r = 0; r < rows; r++) store(a, pixel + (size_t)r, o, sum[r]);
}

/* Outputs first: the weights of a tile's outputs stay in the first-level cache (18 KiB for 3x3, 64
 * inputs) while the pixels go by. */
static void run(const SlbConvU8 *a)
{
    for (int o = 0; o < a->out_channels; o += OUTPUTS) {
        size_t p = 0;
        for (; p + ROWS <= a->pixels; p += ROWS) tile(a, p, o, ROWS);
        if (p < a->pixels) tile(a, p, o, 1);
    }
}

const SlbConvU8Kernel slb_conv_u8_sse2 = {.level = SLB_CPU_SSE2,
                                          .name = "packed sse2",
                                          .packed_bytes = packed_bytes,
                                          .pack = pack,
                                          .run = run};
