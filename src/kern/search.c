#define NAME slb_search_c
#include "kern/search_tmpl.h"

const SlbSearchOps *slb_search_ops(SlbCpuLevel cpu_level)
{
#if defined(__x86_64__)
    if (cpu_level == SLB_CPU_AVX512 || cpu_level == SLB_CPU_AMX) return &slb_search_avx512;
    if (cpu_level == SLB_CPU_AVX2) return &slb_search_avx2;
#endif
    (void)cpu_level;
    return &slb_search_c;
}
