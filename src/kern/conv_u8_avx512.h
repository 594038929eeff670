/* What the packed convolutions with AVX512-VNNI share. */
#ifndef SLBSR_KERN_CONV_U8_AVX512_H
#define SLBSR_KERN_CONV_U8_AVX512_H

#include <immintrin.h>
#include <string.h>

#include "kern/conv_u8.h"
#include "kern/unroll.h"

/* The register tile: 6 pixels (or pairs of them) by 4 vectors of 16 sums. */
enum { ROWS = 6, VECTORS = 4, LANES = 16, GROUP = 4 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE __m512i broadcast(const uint8_t *four)
{
    int bits;
    memcpy(&bits, four, sizeof bits);
    return _mm512_set1_epi32(bits);
}

/* As assembly, because compilers (gcc 12, clang 14) otherwise copy the sums about, at half the
 * speed. */
ALWAYS_INLINE void multiply_add(__m512i *sum, __m512i x, __m512i w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(x), "v"(w));
}

/* To the sums of `rows` rows of `in` (`row_bytes` apart) and `vectors` vectors of outputs, both
 * constants, the products of all channels with the weights from `weight` on. */
ALWAYS_INLINE void add_products(const uint8_t *in, size_t row_bytes, size_t channels,
                                const int8_t *weight, size_t group_bytes, int rows, int vectors,
                                __m512i sum[ROWS][VECTORS])
{
    for (size_t i = 0; i < channels; i += GROUP, weight += group_bytes) {
        __m512i w[VECTORS];
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) w[v] = _mm512_load_si512(weight + v * LANES * GROUP);
        SLB_UNROLL
        for (int r = 0; r < rows; r++) {
            __m512i x = broadcast(in + (size_t)r * row_bytes + i);
            SLB_UNROLL
            for (int v = 0; v < vectors; v++) multiply_add(&sum[r][v], x, w[v]);
        }
    }
}

/* 16 sums of one pixel to codes or floats, as quant/requant.h has it: the float is clamped
 * before it is rounded, which is the same as after. */
ALWAYS_INLINE void store(const SlbConvU8 *a, size_t pixel, int o, __m512i sum)
{
    size_t at = pixel * a->out_stride + (size_t)o;
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_load_ps(a->multiplier + o));
    const __m512 zero = _mm512_setzero_ps();
    if (a->out_u8) {
        v = _mm512_min_ps(_mm512_max_ps(v, zero), _mm512_set1_ps(a->code_max));
        _mm_store_si128((__m128i *)(a->out_u8 + at), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
    } else {
        _mm512_store_ps(a->out_f32 + at, a->relu ? _mm512_max_ps(v, zero) : v);
    }
}

#endif
