#define NAME slb_conv_edge_c
#include "kern/edge_tmpl.h"

/* Two layouts for the two shapes there are. Few input channels: [taps][in][out_padded], vectors run
 * over the outputs. Else [out][taps][in_padded], vectors run over the 16 partial sums. */

size_t slb_edge_floats(int out_channels, int in_channels, int kernel)
{
    size_t taps = (size_t)(kernel * kernel);
    if (in_channels <= SLB_EDGE_FEW)
        return taps * (size_t)in_channels * (size_t)slb_out_padded(out_channels);
    return (size_t)out_channels * taps * (size_t)slb_out_padded(in_channels);
}

void slb_pack_edge(const float *oihw, int out_channels, int in_channels, int kernel, float *packed)
{
    if (in_channels <= SLB_EDGE_FEW) {
        slb_pack_f32(oihw, out_channels, in_channels, kernel, packed);
        return;
    }
    int taps = kernel * kernel, padded = slb_out_padded(in_channels);
    for (int o = 0; o < out_channels; o++)
        for (int t = 0; t < taps; t++)
            for (int i = 0; i < padded; i++)
                *packed++ = i < in_channels ? oihw[(o * in_channels + i) * taps + t] : 0.0f;
}

SlbConvEdgeFn slb_conv_edge(SlbCpuLevel level)
{
#if defined(__x86_64__)
    if (level == SLB_CPU_AVX512 || level == SLB_CPU_AMX) return slb_conv_edge_avx512;
    if (level == SLB_CPU_AVX2) return slb_conv_edge_avx2;
#endif
    (void)level;
    return slb_conv_edge_c;
}
