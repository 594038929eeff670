#include "kern/conv_xnor.h"

/* SSE2's vectors, and those of any other machine: ones are counted in pairs, fours and bytes. */
#define LANES 4
#define PIXELS 2
#define WHOLE_LANES 0
#define NAME slb_conv_xnor_c

typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));

static inline Bits count(Bits x)
{
    x -= (x >> 1) & 0x55555555u;
    x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
    return (x + (x >> 4)) & 0x0f0f0f0fu;
}

#include "kern/conv_xnor_tmpl.h"

/* Plain C first; a level takes the last row that it includes and that the machine can run. */
static const SlbConvXnorKernel kernels[] = {
    {SLB_CPU_C, "xnor c", slb_conv_xnor_c, NULL},
#if defined(__x86_64__)
    {SLB_CPU_AVX2, "xnor avx2", slb_conv_xnor_avx2, NULL},
    {SLB_CPU_AVX512, "xnor vpopcnt", slb_conv_xnor_vpopcnt, slb_cpu_has_vpopcnt},
#elif defined(__aarch64__)
    {SLB_CPU_NEON, "xnor neon", slb_conv_xnor_neon, NULL},
#endif
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static bool runs(const SlbConvXnorKernel *kernel)
{
    return slb_cpu_has(kernel->level) && (!kernel->has || kernel->has());
}

const SlbConvXnorKernel *slb_conv_xnor(SlbCpuLevel level)
{
    const SlbConvXnorKernel *best = kernels;
    for (int i = 1; i < KERNELS; i++)
        if (slb_cpu_includes(level, kernels[i].level) && runs(&kernels[i])) best = &kernels[i];
    return best;
}

const SlbConvXnorKernel *slb_conv_xnor_at(size_t index)
{
    for (int i = 0; i < KERNELS; i++)
        if (runs(&kernels[i]) && index-- == 0) return &kernels[i];
    return NULL;
}

/* The low layers that are faster by counting bits. Those that are not listed run on codes of 8 bits
 * (kern/conv_u8.h): all others, and on AMX these too, whose 8-bit products are twice as many in a
 * cycle as the bits that VPOPCNTDQ counts. */
static const struct {
    SlbCpuLevel level;
    int weight_bits, act_bits;
} counted[] = {
    {SLB_CPU_C, 1, 1},      {SLB_CPU_SSE2, 1, 1}, {SLB_CPU_AVX2, 1, 1},
    {SLB_CPU_AVX512, 1, 1}, {SLB_CPU_NEON, 1, 1},
};

bool slb_xnor_serves(SlbCpuLevel level, int weight_bits, int act_bits, bool sign)
{
    for (size_t i = 0; sign && i < sizeof counted / sizeof *counted; i++)
        if (counted[i].level == level && counted[i].weight_bits == weight_bits &&
            counted[i].act_bits == act_bits)
            return true;
    return false;
}

/* -- weights -- */

static size_t words_of(int in_channels)
{
    return ((size_t)in_channels + 31) / 32;
}

size_t slb_xnor_packed_bytes(int out_channels, int in_channels, int kernel)
{
    size_t taps = (size_t)(kernel * kernel), padded = (size_t)slb_out_padded(out_channels);
    return taps * padded * (sizeof(int32_t) + words_of(in_channels) * 4);
}

void slb_xnor_pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    int taps = kernel * kernel, padded = slb_out_padded(out_channels);
    size_t words = words_of(in_channels);
    int32_t *sum = packed;
    uint8_t *bits = (uint8_t *)(sum + (size_t)taps * (size_t)padded);
    memset(packed, 0, slb_xnor_packed_bytes(out_channels, in_channels, kernel));
    for (int o = 0; o < out_channels; o++)
        for (int i = 0; i < in_channels; i++)
            for (int t = 0; t < taps; t++) {
                int w = *oihw++;
                size_t tap = (size_t)(o / SLB_OUT_BLOCK * taps + t) * words;
                size_t lane = (tap + (size_t)i / 32) * SLB_OUT_BLOCK + (size_t)(o % SLB_OUT_BLOCK);
                sum[t * padded + o] += w;
                if (w > 0) bits[lane * 4 + (size_t)i % 32 / 8] |= (uint8_t)(1 << i % 8);
            }
}
