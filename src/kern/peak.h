/* What the arithmetic units of a core give at most: loops on registers, without memory. Benchmarks
 * state their speed as a share of this, measured in the same run. */
#ifndef SLBSR_KERN_PEAK_H
#define SLBSR_KERN_PEAK_H

#include "base/cpu.h"

typedef enum SlbPeak {
    SLB_PEAK_F32,  /* float32 multiply-add */
    SLB_PEAK_BF16, /* bf16 pairs into float32 */
    SLB_PEAK_INT8, /* unsigned times signed bytes into int32 */
    SLB_PEAK_BITS, /* products of -1 and +1, counted in int32 */
    SLB_PEAKS,
} SlbPeak;

/* "float32", "bf16", "int8", "1 bit". */
const char *slb_peak_name(SlbPeak kind);

/* Runs `rounds` rounds on the calling thread and returns the operations done (a multiply-add is
 * two); 0 where the level has no such instructions. The caller takes the time. */
double slb_peak_run(SlbPeak kind, const SlbCpu *cpu, long rounds);

#endif
