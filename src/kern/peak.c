#include "kern/peak.h"

#define LANES 4
#define SUMS 12
#define NAME slb_peak_f32_c
#include "kern/peak_f32_tmpl.h"

const char *slb_peak_name(SlbPeak kind)
{
    static const char *const names[SLB_PEAKS] = {"float32", "bf16", "int8", "1 bit"};
    return names[kind];
}

#if defined(__x86_64__)
/* Emulated tiles have no peak worth telling. */
#ifdef SLBSR_AMX_EMULATION
enum { REAL_TILES = 0 };
#else
enum { REAL_TILES = 1 };
#endif

static double run_x86(SlbPeak kind, const SlbCpu *cpu, long rounds)
{
    bool amx = cpu->level == SLB_CPU_AMX, wide = amx || cpu->level == SLB_CPU_AVX512;
    bool tiles = amx && REAL_TILES;
    switch (kind) {
    case SLB_PEAK_BF16:
        if (tiles) return slb_peak_bf16_amx(rounds);
        return cpu->bf16 ? slb_peak_bf16_avx512bf16(rounds) : 0;
    case SLB_PEAK_INT8:
        if (tiles) return slb_peak_int8_amx(rounds);
        return wide ? slb_peak_int8_avx512(rounds) : 0;
    case SLB_PEAK_BITS: return wide && slb_cpu_has_vpopcnt() ? slb_peak_bits_vpopcnt(rounds) : 0;
    default:
        if (wide) return slb_peak_f32_avx512(rounds);
        return cpu->level == SLB_CPU_AVX2 ? slb_peak_f32_avx2(rounds) : slb_peak_f32_c(rounds);
    }
}
#endif

double slb_peak_run(SlbPeak kind, const SlbCpu *cpu, long rounds)
{
#if defined(__x86_64__)
    return run_x86(kind, cpu, rounds);
#else
    (void)cpu;
    return kind == SLB_PEAK_F32 ? slb_peak_f32_c(rounds) : 0;
#endif
}
