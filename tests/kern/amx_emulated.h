/* The kernels for AMX a second time, on emulated tiles (src/kern/amx_emulation.h):
 * tests/CMakeLists.txt compiles their files once more. They need AVX-512 and AVX512-BF16 still. */
#ifndef TESTS_AMX_EMULATED_H
#define TESTS_AMX_EMULATED_H

#include "base/cpu.h"
#include "kern/conv_bf16.h"
#include "kern/conv_u8.h"

extern const SlbBf16Kernels slb_bf16_amx_emulated;
extern const SlbConvU8Kernel slb_conv_u8_amx_emulated;

static inline bool amx_can_be_emulated(void)
{
    SlbCpu cpu;
    return slb_cpu_detect(&cpu) && cpu.bf16;
}

/* NULL where this machine cannot run them. */
static inline const SlbConvU8Kernel *emulated_conv_u8(void)
{
#if defined(__x86_64__)
    if (amx_can_be_emulated()) return &slb_conv_u8_amx_emulated;
#endif
    return NULL;
}
static inline const SlbBf16Kernels *emulated_bf16(void)
{
#if defined(__x86_64__)
    if (amx_can_be_emulated()) return &slb_bf16_amx_emulated;
#endif
    return NULL;
}

#endif
