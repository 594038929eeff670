#include "kern/conv_u8.h"

/* Plain C first; of the others each level takes the last that it includes. */
static const SlbConvU8Kernel *const kernels[] = {
    &slb_conv_u8_c,
#if defined(__x86_64__)
    &slb_conv_u8_avx2,
    &slb_conv_u8_avx512,
    &slb_conv_u8_amx,
#endif
};

const SlbConvU8Kernel *slb_conv_u8(SlbCpuLevel level)
{
    const SlbConvU8Kernel *best = kernels[0];
    if (level == SLB_CPU_NEON) return best; /* on a ladder of its own */
    for (size_t i = 1; i < sizeof kernels / sizeof *kernels; i++)
        if (kernels[i]->level <= level) best = kernels[i];
    return best;
}
