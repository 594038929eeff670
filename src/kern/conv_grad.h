/* The gradient of a convolution's weights:
 *
 *   grad[t][i][o] += sum_p in[t][p * in_stride + i] * delta[p * delta_stride + o]
 *
 * with the taps of conv_f32.h. Sums go over the pixels in order, in blocks of SLB_GRAD_CHUNK. */
#ifndef SLBSR_KERN_CONV_GRAD_H
#define SLBSR_KERN_CONV_GRAD_H

#include "kern/conv_f32.h"

enum { SLB_GRAD_CHUNK = 64 };

typedef struct SlbGradF32 {
    const float *in[SLB_MAX_TAPS];
    int taps;
    int in_channels;
    size_t in_stride;
    const float *delta; /* 64-byte aligned */
    int out_channels;   /* padded: a multiple of SLB_OUT_BLOCK */
    size_t delta_stride;
    size_t pixels;
    float *grad; /* [taps][in_channels][out_channels], 64-byte aligned */
} SlbGradF32;

typedef void (*SlbGradF32Fn)(const SlbGradF32 *args);
SlbGradF32Fn slb_grad_f32(SlbCpuLevel level);

void slb_grad_f32_c(const SlbGradF32 *args);
void slb_grad_f32_avx2(const SlbGradF32 *args);
void slb_grad_f32_avx512(const SlbGradF32 *args);
void slb_grad_f32_neon(const SlbGradF32 *args);

#endif
