/* What the processor and the operating system offer. */
#ifndef SLBSR_BASE_CPU_H
#define SLBSR_BASE_CPU_H

#include <stdbool.h>

#include "base/status.h"

/* Kernel levels. On x86-64 they are ordered: a level includes those before it. SLB_CPU_NEON is on a
 * ladder of its own: it includes SLB_CPU_C alone. */
typedef enum SlbCpuLevel {
    SLB_CPU_C,      /* plain C, as the compiler makes it for the oldest processor of the kind */
    SLB_CPU_SSE2,   /* every x86-64 */
    SLB_CPU_AVX2,   /* AVX2 and FMA */
    SLB_CPU_AVX512, /* AVX-512 F, BW, DQ, VL, VNNI (Ice Lake, Zen 4 and later); named "vnni" */
    SLB_CPU_AMX,  /* the above, AVX512-BF16, AMX tile, int8 and bf16 (Sapphire Rapids and later) */
    SLB_CPU_NEON, /* every 64-bit Arm; with dot products and 8-bit matrices where it has them */
    SLB_CPU_LEVELS,
} SlbCpuLevel;

typedef struct SlbCpu {
    SlbCpuLevel level; /* what to use: the highest there is, or what SLBSR_CPU asks for */
    bool bf16;         /* AVX512-BF16 may be used at this level */
} SlbCpu;

/* "c", "sse2", "avx2", "vnni", "amx", "neon". */
const char *slb_cpu_level_name(SlbCpuLevel level);

/* True when this machine can run kernels of `level`: asks CPUID and, for the wide registers, XCR0;
 * for the tiles of AMX also asks Linux to let the process use them, which holds from then on. */
bool slb_cpu_has(SlbCpuLevel level);

/* True when `level` includes the kernels of `other` (see above). */
bool slb_cpu_includes(SlbCpuLevel level, SlbCpuLevel other);

/* AVX512-VPOPCNTDQ beside level "vnni". False on other processors. */
bool slb_cpu_has_vpopcnt(void);

/* Extensions of NEON, as the operating system tells (AT_HWCAP): SDOT and UDOT; USMMLA. False on
 * other processors. */
bool slb_cpu_has_dotprod(void);
bool slb_cpu_has_i8mm(void);

/* What to use. The environment variable SLBSR_CPU (a level's name) lowers the level; a name that is
 * unknown or that the machine lacks gives false, with *cpu the highest there is. */
bool slb_cpu_detect(SlbCpu *cpu);

/* SLB_E_USAGE for a `level` that is unknown or that the machine lacks, with those that it has;
 * `setting` is what asked for it: "SLBSR_CPU". */
SLB_MUST_CHECK SlbStatus slb_cpu_refuse(const char *setting, const char *level, SlbError *err);

/* Logical processors this process may run on (sched affinity), at least 1. */
int slb_cpu_count(void);

#endif
