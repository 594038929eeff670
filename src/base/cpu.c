#include "base/cpu.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const level_names[SLB_CPU_LEVELS] = {"c", "sse2", "avx2", "vnni", "amx", "neon"};

const char *slb_cpu_level_name(SlbCpuLevel level)
{
    return level_names[level];
}

#if defined(__x86_64__)
#include <cpuid.h>

/* State that the operating system saves on a context switch (XCR0). */
enum { XCR0_AVX = 0x06, XCR0_AVX512 = 0xe6 };

static uint64_t xcr0(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return ((uint64_t)d << 32) | a;
}

static bool has_avx2(void)
{
    unsigned a, b, c, d, c1;
    if (!__get_cpuid(1, &a, &b, &c1, &d) || !(c1 & bit_FMA)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    return (b & bit_AVX2) && (xcr0() & XCR0_AVX) == XCR0_AVX;
}

static bool has_avx512(void)
{
    unsigned a, b, c, d;
    const unsigned want = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if (!has_avx2() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    return (b & want) == want && (c & bit_AVX512VNNI) && (xcr0() & XCR0_AVX512) == XCR0_AVX512;
}

static bool has_bf16(void)
{
    unsigned a, b, c, d;
    return has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16);
}

bool slb_cpu_has_vpopcnt(void)
{
    unsigned a, b, c, d;
    return has_avx512() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_AVX512VPOPCNTDQ);
}

#ifdef SLBSR_AMX_EMULATION
static bool has_amx(void)
{
    return has_bf16(); /* tiles in plain C, the rest with AVX-512: kern/amx_tile.h */
}
#else
/* The bits of CPUID 7.0, which not every compiler's cpuid.h has, and those of XCR0. */
enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25, XCR0_TILES = 3 << 17 };

/* Linux hands out tiles only to processes that ask; what is granted counts for all threads. */
static bool may_use_tiles(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* asm/prctl.h, later than Linux 5.16 */
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static bool has_amx(void)
{
    unsigned a, b, c, d;
    const unsigned want = AMX_TILE | AMX_INT8 | AMX_BF16;
    if (!has_bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    return (d & want) == want && (xcr0() & XCR0_TILES) == XCR0_TILES && may_use_tiles();
}
#endif

bool slb_cpu_has(SlbCpuLevel level)
{
    switch (level) {
    case SLB_CPU_C:
    case SLB_CPU_SSE2: return true;
    case SLB_CPU_AVX2: return has_avx2();
    case SLB_CPU_AVX512: return has_avx512();
    case SLB_CPU_AMX: return has_amx();
    default: return false;
    }
}
#else
static bool has_bf16(void)
{
    return false;
}

bool slb_cpu_has_vpopcnt(void)
{
    return false;
}

bool slb_cpu_has(SlbCpuLevel level)
{
#if defined(__aarch64__)
    return level == SLB_CPU_C || level == SLB_CPU_NEON;
#else
    return level == SLB_CPU_C;
#endif
}
#endif

bool slb_cpu_includes(SlbCpuLevel level, SlbCpuLevel other)
{
    if (level == SLB_CPU_NEON) return other == SLB_CPU_NEON || other == SLB_CPU_C;
    return other <= level;
}

#if defined(__aarch64__)
#include <sys/auxv.h>

/* The kernel's numbers (its asm/hwcap.h), which headers of older systems do not all have. */
enum { AT_HWCAP_ASIMDDP = 1 << 20, AT_HWCAP2_I8MM = 1 << 13 };

bool slb_cpu_has_dotprod(void)
{
    return getauxval(AT_HWCAP) & AT_HWCAP_ASIMDDP;
}

bool slb_cpu_has_i8mm(void)
{
    return getauxval(AT_HWCAP2) & AT_HWCAP2_I8MM;
}
#else
bool slb_cpu_has_dotprod(void)
{
    return false;
}

bool slb_cpu_has_i8mm(void)
{
    return false;
}
#endif

/* Only levels that may be taken are asked for: to ask for AMX changes the process. */
bool slb_cpu_detect(SlbCpu *cpu)
{
    *cpu = (SlbCpu){.level = SLB_CPU_C, .bf16 = has_bf16()};
    const char *wanted = getenv("SLBSR_CPU");
    if (!wanted || !*wanted) {
        cpu->level = (SlbCpuLevel)(SLB_CPU_LEVELS - 1);
        while (!slb_cpu_has(cpu->level)) cpu->level--; /* level c always is there */
        return true;
    }
    for (int l = 0; l < SLB_CPU_LEVELS; l++) {
        if (strcmp(wanted, level_names[l]) != 0 || !slb_cpu_has((SlbCpuLevel)l)) continue;
        cpu->level = (SlbCpuLevel)l;
        cpu->bf16 = cpu->bf16 && slb_cpu_includes(cpu->level, SLB_CPU_AVX512);
        return true;
    }
    return false;
}

SlbStatus slb_cpu_refuse(const char *setting, const char *level, SlbError *err)
{
    char list[64] = "";
    size_t used = 0;
    for (int l = 0; l < SLB_CPU_LEVELS; l++)
        if (slb_cpu_has((SlbCpuLevel)l))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
                                     level_names[l]);
    return slb_fail(err, SLB_E_USAGE, "%s=%s: this machine has no such level; it has: %s", setting,
                    level, list);
}

int slb_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}
