/* The weight gradient with AMX, for conv_bf16_amx.c: SlbBf16Kernels's grad_scratch and grad. */
#ifndef SLBSR_KERN_CONV_GRAD_AMX_H
#define SLBSR_KERN_CONV_GRAD_AMX_H

#include "kern/conv_bf16.h"

size_t slb_grad_amx_scratch(int in_channels, int out_channels, size_t reach);
void slb_grad_amx(const SlbGradBf16 *args);

#endif
