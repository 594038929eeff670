#define NAME slb_tensor_c
#include "kern/tensor_tmpl.h"

SlbQuantizer slb_quantizer(SlbCodes codes, float step)
{
    return (SlbQuantizer){.step = step,
                          .inverse = (float)(1.0 / (double)step),
                          .low = (float)-codes.zero,
                          .high = (float)(codes.most - codes.zero),
                          .sign = codes.sign};
}

const SlbTensorOps *slb_tensor_ops(SlbCpuLevel level)
{
#if defined(__x86_64__)
    if (level == SLB_CPU_AVX512 || level == SLB_CPU_AMX) return &slb_tensor_avx512;
    if (level == SLB_CPU_AVX2) return &slb_tensor_avx2;
#endif
    (void)level;
    return &slb_tensor_c;
}
