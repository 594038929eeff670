/* What the packed convolutions with AVX2 share. */
#ifndef SLBSR_KERN_CONV_U8_AVX2_H
#define SLBSR_KERN_CONV_U8_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "kern/conv_u8.h"
#include "kern/unroll.h"

/* The register tile: 3 pixels (or pairs of them) by 4 vectors of 8 sums. */
enum { ROWS = 3, VECTORS = 4, LANES = 8, GROUP = 4 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE __m256i broadcast(const uint8_t *four)
{
    int bits;
    memcpy(&bits, four, sizeof bits);
    return _mm256_set1_epi32(bits);
}

/* 8 sums of one pixel to codes or floats, as quant/requant.h has it: the float is clamped before it
 * is rounded, which is the same as after. */
ALWAYS_INLINE void store(const SlbConvU8 *a, size_t pixel, int o, __m256i sum)
{
    size_t at = pixel * a->out_stride + (size_t)o;
    __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(a->multiplier + o));
    const __m256 zero = _mm256_setzero_ps();
    if (!a->out_u8) {
        _mm256_store_ps(a->out_f32 + at, a->relu ? _mm256_max_ps(v, zero) : v);
        return;
    }
    v = _mm256_min_ps(_mm256_max_ps(v, zero), _mm256_set1_ps(a->code_max));
    __m256i codes = _mm256_packus_epi32(_mm256_cvtps_epi32(v), _mm256_setzero_si256());
    codes = _mm256_packus_epi16(codes, codes); /* in each half: 4 codes first */
    __m128i low = _mm256_castsi256_si128(codes), high = _mm256_extracti128_si256(codes, 1);
    _mm_storel_epi64((__m128i *)(a->out_u8 + at), _mm_unpacklo_epi32(low, high));
}

/* 16-bit sums of `groups` groups, from the addresses on, of rows x vectors (constants), widened and
 * added to `wide`. */
ALWAYS_INLINE void add_groups(const uint8_t *in, size_t stride, const int8_t *weight,
                              size_t group_bytes, int groups, int rows, int vectors,
                              __m256i wide[ROWS][VECTORS])
{
    __m256i sum[ROWS][VECTORS];
    const __m256i ones = _mm256_set1_epi16(1);
    SLB_UNROLL
    for (int r = 0; r < rows; r++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) sum[r][v] = _mm256_setzero_si256();
    }
    for (int g = 0; g < groups; g++, in += GROUP, weight += group_bytes) {
        __m256i x[ROWS];
        SLB_UNROLL
        for (int r = 0; r < rows; r++) x[r] = broadcast(in + (size_t)r * stride);
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) {
            __m256i w = _mm256_load_si256((const __m256i *)(weight + v * LANES * GROUP));
            SLB_UNROLL
            for (int r = 0; r < rows; r++)
                sum[r][v] = _mm256_add_epi16(sum[r][v], _mm256_maddubs_epi16(x[r], w));
        }
    }
    SLB_UNROLL
    for (int r = 0; r < rows; r++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++)
            wide[r][v] = _mm256_add_epi32(wide[r][v], _mm256_madd_epi16(sum[r][v], ones));
    }
}

#endif
