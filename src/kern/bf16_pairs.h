/* Pairs of bf16 as VDPBF16PS and TDPBF16PS take them, for files compiled with AVX512-BF16. */
#ifndef SLBSR_KERN_BF16_PAIRS_H
#define SLBSR_KERN_BF16_PAIRS_H

#include <immintrin.h>
#include <string.h>

#include "kern/conv_bf16.h"

/* (first[0], second[0], first[1], ...), 16 of each. */
static inline __m512i slb_pair(__m256i first, __m256i second)
{
    __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16);
    return _mm512_or_si512(_mm512_cvtepu16_epi32(first), high);
}

/* NULL stands for zeros in both. */
static inline __m512i slb_pair_rows(const SlbBf16 *first, const SlbBf16 *second)
{
    const __m256i zero = _mm256_setzero_si256();
    return slb_pair(first ? _mm256_loadu_si256((const __m256i *)first) : zero,
                    second ? _mm256_loadu_si256((const __m256i *)second) : zero);
}
static inline __m512i slb_pair_floats(const float *first, const float *second)
{
    const __m256i zero = _mm256_setzero_si256();
    return slb_pair(first ? (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(first)) : zero,
                    second ? (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(second)) : zero);
}

/* One pair in all lanes, as the left side of VDPBF16PS. */
static inline __m512bh slb_pair_everywhere(const SlbBf16 *two)
{
    int bits;
    memcpy(&bits, two, sizeof bits);
    return (__m512bh)_mm512_set1_epi32(bits);
}

#endif
