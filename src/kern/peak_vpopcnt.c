#include "kern/peak_isa.h"

enum { SUMS = 12 };

/* What conv_xnor_vpopcnt.c does with two words: their difference, its ones, the sum. In one piece
 * of assembly, since compilers copy the sums about otherwise. */
#define MAC(n, t)                                                                                  \
    "vpxord %%zmm30, %%zmm31, %%zmm" #t "\n\t"                                                     \
    "vpopcntd %%zmm" #t ", %%zmm" #t "\n\t"                                                        \
    "vpaddd %%zmm" #t ", %%zmm" #n ", %%zmm" #n "\n\t"

double slb_peak_bits_vpopcnt(long rounds)
{
    for (long r = 0; r < rounds; r++)
        __asm__ volatile(MAC(0, 12) MAC(1, 13) MAC(2, 14) MAC(3, 15) MAC(4, 16) MAC(5, 17)
                             MAC(6, 18) MAC(7, 19) MAC(8, 20) MAC(9, 21) MAC(10, 22) MAC(11, 23)::
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                                   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                                   "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21",
                                   "xmm22", "xmm23");
    return 2.0 * SUMS * 512 * (double)rounds;
}
