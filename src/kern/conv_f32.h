/* Float convolutions as shifted products, for inference and training alike:
 *
 *   out[p][o] = relu( bias[o] + sum_t sum_i in[t][p * in_stride + i] * weight[t][i][o] )
 *
 * for p = 0..pixels-1. A 3x3 convolution passes nine tap addresses (t = 3 * ky + kx, the address of
 * the pixel at (y + ky - 1, x + kx - 1) for the first output pixel), a 1x1 convolution one. The
 * caller provides the zero padding around the picture as zero pixels. */
#ifndef SLBSR_KERN_CONV_F32_H
#define SLBSR_KERN_CONV_F32_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cpu.h"

enum { SLB_MAX_TAPS = 9, SLB_OUT_BLOCK = 16 };

/* Output channels as they are stored: a multiple of SLB_OUT_BLOCK. */
static inline int slb_out_padded(int channels)
{
    return (channels + SLB_OUT_BLOCK - 1) / SLB_OUT_BLOCK * SLB_OUT_BLOCK;
}

typedef struct SlbConvF32 {
    const float *in[SLB_MAX_TAPS];
    int taps;
    int in_channels;
    size_t in_stride;  /* floats between neighbouring input pixels, >= in_channels */
    float *out;        /* [pixels] of out_channels floats, 64-byte aligned */
    int out_channels;  /* padded: a multiple of SLB_OUT_BLOCK */
    size_t out_stride; /* floats, >= out_channels, a multiple of 16 */
    size_t pixels;
    const float *weight; /* slb_pack_f32's layout, 64-byte aligned */
    const float *bias;   /* [out_channels] or NULL */
    bool relu;
} SlbConvF32;

/* Every output is summed in the same order (t, then i) whatever `pixels` is, so results do not
 * depend on how the pixels are split; they may depend on the CPU level (fused multiply-add). */
typedef void (*SlbConvF32Fn)(const SlbConvF32 *args);
SlbConvF32Fn slb_conv_f32(SlbCpuLevel level);

/* OIHW weights to [taps][in_channels][slb_out_padded(out_channels)], channels beyond out_channels
 * zero. `packed` has taps * in_channels * slb_out_padded(out_channels) floats. */
void slb_pack_f32(const float *oihw, int out_channels, int in_channels, int kernel, float *packed);

#endif
