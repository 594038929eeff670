#include "kern/winograd.h"

/* 3 x 4 sums of 4 floats: the 16 registers of SSE2. */
#define LANES 4
#define ROWS 3
#define VECTORS 4
#define SUM_GRAD slb_grad_f32_c
#define NAME slb_winograd_c
#include "kern/winograd_points.h"

#include "kern/winograd_f32.h"

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

const SlbWinogradKernels *slb_winograd_mixed(const SlbCpu *cpu)
{
#if defined(__x86_64__)
    if (cpu->bf16) return &slb_winograd_avx512bf16;
#endif
    (void)cpu;
    return NULL;
}

const SlbWinogradKernels *slb_winograd_half(const SlbCpu *cpu)
{
#if defined(__x86_64__)
    if (cpu->bf16) return &slb_winograd_half_avx512bf16;
#endif
    (void)cpu;
    return NULL;
}

/* Bytes that the tiles of a block may take, and how many there are at least. */
enum { BLOCK_BYTES = 1 << 18, LEAST_TILES = 6 };

size_t slb_winograd_tiles(size_t tile_bytes)
{
    return BLOCK_BYTES / tile_bytes > LEAST_TILES ? BLOCK_BYTES / tile_bytes : LEAST_TILES;
}

size_t slb_winograd_scratch(int in_channels, int out_channels)
{
    size_t tile = SLB_WINOGRAD_POINTS * sizeof(float) * (size_t)(in_channels + out_channels);
    size_t least = LEAST_TILES * tile, room = BLOCK_BYTES > least ? BLOCK_BYTES : least;
    size_t gaps =
        2 * SLB_WINOGRAD_POINTS * 64; /* between the points; a tile more makes them even */
    return (room + tile + gaps) / sizeof(float);
}

size_t slb_winograd_grad_scratch(int in_channels, int out_channels)
{
    return slb_winograd_scratch(in_channels, out_channels) +
           SLB_WINOGRAD_POINTS * (size_t)in_channels * (size_t)out_channels;
}
