/* Ones are looked up, four bits at a time (Mula's way: PSHUFB). */
#include <immintrin.h>
#include <stdint.h>

#define LANES 8
#define PIXELS 4
#define WHOLE_LANES 0
#define NAME slb_conv_xnor_avx2

typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));

static inline Bits count(Bits x)
{
    const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, /**/
                                          0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i four = _mm256_set1_epi8(15);
    __m256i low = _mm256_and_si256((__m256i)x, four);
    __m256i high = _mm256_and_si256(_mm256_srli_epi32((__m256i)x, 4), four);
    return (Bits)_mm256_add_epi8(_mm256_shuffle_epi8(ones, low), _mm256_shuffle_epi8(ones, high));
}

#include "kern/conv_xnor_tmpl.h"
