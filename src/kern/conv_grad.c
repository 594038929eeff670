#include "kern/conv_grad.h"

#define LANES 4
#define INPUTS 3
#define VECTORS 4
#define NAME slb_grad_f32_c
#include "kern/conv_grad_f32_tmpl.h"

SlbGradF32Fn slb_grad_f32(SlbCpuLevel level)
{
#if defined(__x86_64__)
    if (level == SLB_CPU_AVX512 || level == SLB_CPU_AMX) return slb_grad_f32_avx512;
    if (level == SLB_CPU_AVX2) return slb_grad_f32_avx2;
#elif defined(__aarch64__)
    if (level == SLB_CPU_NEON) return slb_grad_f32_neon;
#endif
    (void)level;
    return slb_grad_f32_c;
}
