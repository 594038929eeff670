#include "kern/peak.h"

#define LANES 4
#define SUMS 12
#define NAME slb_peak_f32_c
#include "kern/peak_f32_tmpl.h"

const char *slb_peak_name(SlbPeak kind)
{
    static const char *const names[SLB_PEAKS] = {"float32", "bf16", "int8"};
    return names[kind];
}

double slb_peak_run(SlbPeak kind, const SlbCpu *cpu, long rounds)
{
#if defined(__x86_64__)
    bool wide = cpu->level == SLB_CPU_AVX512 || cpu->level == SLB_CPU_AMX;
    if (kind == SLB_PEAK_BF16) return cpu->bf16 ? slb_peak_bf16_avx512bf16(rounds) : 0;
    if (kind == SLB_PEAK_INT8) return wide ? slb_peak_int8_avx512(rounds) : 0;
    if (wide) return slb_peak_f32_avx512(rounds);
    if (cpu->level == SLB_CPU_AVX2) return slb_peak_f32_avx2(rounds);
#endif
    (void)cpu;
    return kind == SLB_PEAK_F32 ? slb_peak_f32_c(rounds) : 0;
}
