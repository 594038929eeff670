/* What the packed convolutions of 64-bit Arm share: the way out, and the walk over tiles. */
#ifndef SLBSR_KERN_CONV_U8_ARM_H
#define SLBSR_KERN_CONV_U8_ARM_H

#include <arm_neon.h>

#include "kern/conv_u8.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* 8 sums of one pixel to codes or floats, as quant/requant.h has it: the float is clamped before it
 * is rounded, which is the same as after. */
ALWAYS_INLINE void store_8(const SlbConvU8 *a, size_t pixel, int o, int32x4_t low, int32x4_t high)
{
    size_t at = pixel * a->out_stride + (size_t)o;
    const float32x4_t zero = vdupq_n_f32(0.0f);
    float32x4_t v0 = vmulq_f32(vcvtq_f32_s32(low), vld1q_f32(a->multiplier + o));
    float32x4_t v1 = vmulq_f32(vcvtq_f32_s32(high), vld1q_f32(a->multiplier + o + 4));
    if (!a->out_u8) {
        vst1q_f32(a->out_f32 + at, a->relu ? vmaxq_f32(v0, zero) : v0);
        vst1q_f32(a->out_f32 + at + 4, a->relu ? vmaxq_f32(v1, zero) : v1);
        return;
    }
    const float32x4_t most = vdupq_n_f32(a->code_max);
    v0 = vminq_f32(vmaxq_f32(v0, zero), most);
    v1 = vminq_f32(vmaxq_f32(v1, zero), most);
    int16x8_t codes = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(v0)), vmovn_s32(vcvtnq_s32_f32(v1)));
    vst1_u8(a->out_u8 + at, vqmovun_s16(codes));
}

#endif
