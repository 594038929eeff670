/* The instances of conv_f32_tmpl.h. To add one: a file conv_f32_SUFFIX.c, a line here, a row in
 * conv_f32.c. */
#ifndef SLBSR_KERN_CONV_F32_ISA_H
#define SLBSR_KERN_CONV_F32_ISA_H

#include "kern/conv_f32.h"

void slb_conv_f32_c(const SlbConvF32 *args);
void slb_conv_f32_avx2(const SlbConvF32 *args);
void slb_conv_f32_avx512(const SlbConvF32 *args);
void slb_conv_f32_neon(const SlbConvF32 *args);

#endif
