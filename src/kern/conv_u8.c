#include "kern/conv_u8.h"

/* Plain C first; a level takes the last row that it includes and that the machine can run. */
static const SlbConvU8Kernel *const kernels[] = {
    &slb_conv_u8_c,
#if defined(__x86_64__)
    &slb_conv_u8_sse2,   &slb_conv_u8_avx2,          &slb_conv_u8_narrow_avx2,
    &slb_conv_u8_avx512, &slb_conv_u8_narrow_avx512, &slb_conv_u8_amx,
#elif defined(__aarch64__)
    &slb_conv_u8_neon,
    &slb_conv_u8_dotprod,
    &slb_conv_u8_i8mm,
#endif
};

static bool runs(const SlbConvU8Kernel *kernel)
{
    return slb_cpu_has(kernel->level) && (!kernel->has || kernel->has());
}

/* Those that are narrow stand behind their like of all codes. */
static const SlbConvU8Kernel *last_of(SlbCpuLevel level, bool narrow)
{
    const SlbConvU8Kernel *best = kernels[0];
    for (size_t i = 1; i < sizeof kernels / sizeof *kernels; i++)
        if (slb_cpu_includes(level, kernels[i]->level) && runs(kernels[i]) &&
            (narrow || !kernels[i]->narrow))
            best = kernels[i];
    return best;
}

const SlbConvU8Kernel *slb_conv_u8(SlbCpuLevel level)
{
    return last_of(level, false);
}

const SlbConvU8Kernel *slb_conv_u8_narrow(SlbCpuLevel level)
{
    return last_of(level, true);
}

const SlbConvU8Kernel *slb_conv_u8_at(size_t index)
{
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (runs(kernels[i]) && index-- == 0) return kernels[i];
    return NULL;
}
