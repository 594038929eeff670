#define LANES 16
#define SUMS 16
#define NAME slb_peak_f32_avx512
#include "kern/peak_f32_tmpl.h"

/* In one piece of assembly, since compilers copy the sums about otherwise. */
#define MAC(n) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #n "\n\t"

double slb_peak_int8_avx512(long rounds)
{
    for (long r = 0; r < rounds; r++)
        __asm__ volatile(MAC(0) MAC(1) MAC(2) MAC(3) MAC(4) MAC(5) MAC(6) MAC(7) MAC(8) MAC(9)
                             MAC(10) MAC(11) MAC(12) MAC(13) MAC(14) MAC(15)::
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                                   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                                   "xmm15");
    return 2.0 * SUMS * 64 * (double)rounds;
}
