/* VPOPCNTD (AVX512-VPOPCNTDQ; Ice Lake, Zen 4 and later) counts the ones of 16 lanes at a time. */
#include <immintrin.h>
#include <stdint.h>

#define LANES 16
#define PIXELS 8
#define WHOLE_LANES 1
#define NAME slb_conv_xnor_vpopcnt

typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));

static inline Bits count(Bits x)
{
    return (Bits)_mm512_popcnt_epi32((__m512i)x);
}

#include "kern/conv_xnor_tmpl.h"
