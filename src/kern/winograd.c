#include "kern/winograd.h"

/* 3 x 4 sums of 4 floats: the 16 registers of SSE2. */
#define LANES 4
#define ROWS 3
#define VECTORS 4
#define NAME slb_winograd_c
#define MULTIPLY_GRAD slb_grad_f32_c
#include "kern/winograd_tmpl.h"

const SlbWinogradKernels *slb_winograd(SlbCpuLevel level)
{
#if defined(__x86_64__)
    if (level == SLB_CPU_AVX512 || level == SLB_CPU_AMX) return &slb_winograd_avx512;
    if (level == SLB_CPU_AVX2) return &slb_winograd_avx2;
#elif defined(__aarch64__)
    if (level == SLB_CPU_NEON) return &slb_winograd_neon;
#endif
    (void)level;
    return &slb_winograd_c;
}

size_t slb_winograd_block(int in_channels, int out_channels)
{
    enum { BYTES = 1 << 19, LEAST = 6 };
    size_t tile = SLB_WINOGRAD_POINTS * sizeof(float) * (size_t)(in_channels + out_channels);
    return BYTES / tile > LEAST ? BYTES / tile : LEAST;
}

size_t slb_winograd_scratch(int in_channels, int out_channels)
{
    size_t tiles = slb_winograd_block(in_channels, out_channels);
    return SLB_WINOGRAD_POINTS *
           (slb_winograd_step(tiles, in_channels) + slb_winograd_step(tiles, out_channels));
}

size_t slb_winograd_grad_scratch(int in_channels, int out_channels)
{
    return slb_winograd_scratch(in_channels, out_channels) +
           SLB_WINOGRAD_POINTS * (size_t)in_channels * (size_t)out_channels;
}
