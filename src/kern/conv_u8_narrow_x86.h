/* What the kernels of kern/conv_u8_narrow.h for x86-64 share. */
#ifndef SLBSR_KERN_CONV_U8_NARROW_X86_H
#define SLBSR_KERN_CONV_U8_NARROW_X86_H

#include <immintrin.h>

#include "kern/conv_u8_narrow.h"

/* 16 channels of the four operands of one pair, product k to out + k * step: of the pixels at d, d
 * + stride, d + 2
 * * stride, and d3, which is the last one twice where there is none behind it. */
static inline void slb_narrow_operands(const uint8_t *d, const uint8_t *d3, size_t stride,
                                       size_t step, uint8_t *out)
{
    const __m128i middle = _mm_set1_epi8((char)128);
    __m128i zeroth = _mm_loadu_si128((const __m128i *)d);
    __m128i first = _mm_loadu_si128((const __m128i *)(d + stride));
    __m128i second = _mm_loadu_si128((const __m128i *)(d + 2 * stride));
    __m128i third = _mm_loadu_si128((const __m128i *)d3);
    __m128i differences[] = {_mm_sub_epi8(zeroth, second), _mm_sub_epi8(second, first),
                             _mm_sub_epi8(first, third)};
    _mm_storeu_si128((__m128i *)out, _mm_xor_si128(differences[0], middle));
    _mm_storeu_si128((__m128i *)(out + step), _mm_add_epi8(first, second));
    _mm_storeu_si128((__m128i *)(out + 2 * step), _mm_xor_si128(differences[1], middle));
    _mm_storeu_si128((__m128i *)(out + 3 * step), _mm_xor_si128(differences[2], middle));
}

#endif
