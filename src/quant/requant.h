/* The integer semantics, defined once for all kernels (design, section 5): activations are unsigned
 * 8-bit codes (value = code * step), weights odd integers (levels.h), sums int32 with the bias
 * added as int32, then one float multiply per output channel, rounded to nearest even and
 * saturated. No fused multiply-add. */
#ifndef SLBSR_QUANT_REQUANT_H
#define SLBSR_QUANT_REQUANT_H

#include <math.h>
#include <stdint.h>

#include "base/status.h"
#include "net/model.h"

/* What a low convolution needs at run time, derived from its file form. [O] arrays, owned. */
typedef struct SlbRequant {
    int32_t *bias;     /* round(bias / (acc_step)), saturated so that no sum can overflow */
    float *multiplier; /* acc_step / out_step: to output codes; acc_step alone for float output */
} SlbRequant;

/* acc_step[o] = in_step * scale[o] / (n - 1). A negative scale is allowed. A scale of 0 gives
 * multiplier 0 and is SLB_E_MODEL only when its bias cannot be expressed. out_step 0: float output.
 */
SLB_MUST_CHECK SlbStatus slb_requant_create(const SlbConvParams *conv, float out_step,
                                            SlbRequant *requant, SlbError *err);
void slb_requant_free(SlbRequant *requant);

/* A sum to an output code: the lower bound 0 is the ReLU. rintf rounds to nearest even. */
static inline uint8_t slb_requant_u8(int32_t sum, float multiplier)
{
    float v = rintf((float)sum * multiplier);
    return (uint8_t)(v < 0.0f ? 0.0f : v > 255.0f ? 255.0f : v);
}

/* A float activation to a code of step 1 / inverse_step. */
static inline uint8_t slb_quantize_u8(float value, float inverse_step)
{
    float v = rintf(value * inverse_step);
    return (uint8_t)(v < 0.0f ? 0.0f : v > 255.0f ? 255.0f : v);
}

#endif
