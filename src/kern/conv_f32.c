#include "kern/conv_f32.h"

#include "kern/conv_f32_isa.h"

/* 3 x 4 sums of 4 floats: the 16 registers of SSE2. */
#define LANES 4
#define PIXELS 3
#define VECTORS 4
#define NAME slb_conv_f32_c
#include "kern/conv_f32_tmpl.h"

SlbConvF32Fn slb_conv_f32(SlbCpuLevel level)
{
#if defined(__x86_64__)
    if (level == SLB_CPU_AVX512 || level == SLB_CPU_AMX) return slb_conv_f32_avx512;
    if (level == SLB_CPU_AVX2) return slb_conv_f32_avx2;
#elif defined(__aarch64__)
    if (level == SLB_CPU_NEON) return slb_conv_f32_neon;
#endif
    (void)level;
    return slb_conv_f32_c;
}

void slb_pack_f32(const float *oihw, int out_channels, int in_channels, int kernel, float *packed)
{
    int taps = kernel * kernel, padded = slb_out_padded(out_channels);
    for (int t = 0; t < taps; t++)
        for (int i = 0; i < in_channels; i++)
            for (int o = 0; o < padded; o++)
                *packed++ = o < out_channels ? oihw[(o * in_channels + i) * taps + t] : 0.0f;
}
