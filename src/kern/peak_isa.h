/* The loops of peak.h, one for each instruction set. */
#ifndef SLBSR_KERN_PEAK_ISA_H
#define SLBSR_KERN_PEAK_ISA_H

double slb_peak_f32_c(long rounds);
double slb_peak_f32_avx2(long rounds);
double slb_peak_f32_avx512(long rounds);
double slb_peak_int8_avx512(long rounds);
double slb_peak_int8_amx(long rounds);
double slb_peak_bits_vpopcnt(long rounds);
double slb_peak_bf16_avx512bf16(long rounds);
double slb_peak_bf16_amx(long rounds);

#endif
