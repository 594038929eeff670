#define NAME slb_tensor_c
#include "kern/tensor_tmpl.h"

const SlbTensorOps *slb_tensor_ops(SlbCpuLevel level)
{
#if defined(__x86_64__)
    if (level == SLB_CPU_AVX512 || level == SLB_CPU_AMX) return &slb_tensor_avx512;
    if (level == SLB_CPU_AVX2) return &slb_tensor_avx2;
#endif
    (void)level;
    return &slb_tensor_c;
}
