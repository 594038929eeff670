#include "kern/conv_bf16.h"

const SlbBf16Kernels *slb_bf16_kernels(const SlbCpu *cpu)
{
#if defined(__x86_64__)
    if (cpu->bf16) return cpu->level == SLB_CPU_AMX ? &slb_bf16_amx : &slb_bf16_avx512;
#endif
    (void)cpu;
    return NULL;
}
