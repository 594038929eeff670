/* The integer semantics, defined once for all kernels (design, section 5): activations are unsigned
 * 8-bit codes (value = (code - zero) * step), weights odd integers (levels.h), sums int32 with the
 * bias added as int32, then one float multiply per output channel, rounded to nearest even and
 * saturated. No fused multiply-add.
 *
 * Where zero is not 0, kernels sum code * weight all the same, and the bias makes up for it.
 *
 * Bounds: a sum of products is at most 9 * 1024 * 255 * 15 = 35,251,200 < 2^26 (3x3,
 * SLB_MAX_CHANNELS, 8-bit codes, 4-bit weights), the correction for zero less than that, a bias
 * at most SLB_MAX_BIAS = 2^30, so no sum leaves int32_t. */
#ifndef SLBSR_QUANT_REQUANT_H
#define SLBSR_QUANT_REQUANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "net/model.h"

enum { SLB_MAX_BIAS = 1 << 30 };

/* What a low convolution needs at run time, derived from its file form. [out_channels], owned. */
typedef struct SlbRequant {
    int32_t *bias;     /* round(bias / acc_step), at most SLB_MAX_BIAS on either side, less in_zero
                          times the sum of the weights */
    float *multiplier; /* acc_step / out_step: to output codes; acc_step alone for float output */
} SlbRequant;

/* acc_step[o] = in_step * scale[o] / (n - 1), in double. in_zero: of the input's codes. out_step 0:
 * float output. Scales may be negative or 0.
 *
 * A bias of more than SLB_MAX_BIAS acc_steps (a channel whose scale is next to 0) does not fit:
 * acc_step is then raised to |bias| / SLB_MAX_BIAS. The sum of such a channel counts for more than
 * it should, an error below 9 * in_channels * 255 * (n - 1) / 2^30 of the bias: 0.014 % for 64
 * channels at 1 bit. A scale and a bias of 0 give a multiplier of 0.
 *
 * SLB_E_MODEL when a multiplier is not finite; SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_requant_create(const SlbConvParams *conv, int in_zero, float out_step,
                                            SlbRequant *requant, SlbError *err);
void slb_requant_free(SlbRequant *requant);

/* The codes of activations: code c means (c - zero) * step.
 *
 *   bits  of tensors that are never below 0   of others
 *   a     zero 0, codes 0..2^a - 1            zero 2^(a-1), codes 0..2^a - 1        (a: 8, 4, 2)
 *   7     zero 0, codes 0..127                zero 128, codes 0..255: a sign besides
 *   1     zero 0, codes 0 and 1               zero 1, codes 0 and 2: -step and +step
 *
 * Of 7 bits the kernels of kern/conv_u8_narrow.h take less time, but only without a sign; with one
 * the eighth bit costs nothing.
 *
 * Pixels beyond the border have the code `zero`: exactly 0. */
typedef struct SlbCodes {
    int zero;
    int most;  /* the largest code */
    bool sign; /* one bit with a sign: only 0 and 2 occur, the value 0 counts as above */
} SlbCodes;

/* Of `bits` 8, 7, 4, 2 or 1. */
SlbCodes slb_codes(int bits, bool positive);

/* To the nearest code of a tensor that is never below 0, ties to even; below 0 (the ReLU) and NaN:
 * 0, above `most`: `most`. Behind the addition of 2^23 a float has no bits left for a fraction,
 * and the addition rounds to nearest even: this is rintf for 0..255 in two operations that every
 * vector unit has. */
static inline uint8_t slb_code_u8(float v, float most)
{
    v = v > 0.0f ? v : 0.0f;
    v = v < most ? v : most;
    return (uint8_t)(int)((v + 8388608.0f) - 8388608.0f);
}

/* A sum (with its bias) to an output code. */
static inline uint8_t slb_requant_u8(int32_t sum, float multiplier, float most)
{
    return slb_code_u8((float)sum * multiplier, most);
}

/* A float activation that is never below 0 to a code of step 1 / inverse_step. */
static inline uint8_t slb_quantize_u8(float value, float inverse_step, float most)
{
    return slb_code_u8(value * inverse_step, most);
}

/* Any float activation to a code; NaN counts as the lowest value. */
static inline uint8_t slb_quantize(float value, float inverse_step, SlbCodes codes)
{
    float v = value * inverse_step, low = (float)-codes.zero,
          high = (float)(codes.most - codes.zero);
    if (codes.sign) return value >= 0.0f ? 2 : 0;
    v = v > low ? v : low;
    v = v < high ? v : high;
    return (uint8_t)((int)((v + 12582912.0f) - 12582912.0f) + codes.zero); /* 1.5 * 2^23 */
}

#endif
