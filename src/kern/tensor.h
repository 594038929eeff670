/* Passes over whole tensors or rows of them between convolutions, in float32 and bf16. Sizes
 * are in elements; outputs may be the inputs, element by element, but must not overlap them
 * otherwise. Results are the same on every CPU level. */
#ifndef SLBSR_KERN_TENSOR_H
#define SLBSR_KERN_TENSOR_H

#include <stddef.h>

#include "base/cpu.h"
#include "kern/conv_bf16.h"
#include "quant/requant.h"

/* The values that codes stand for (quant/requant.h): q(x) = step * round(x / step), clipped, or
 * -step and +step. In the backward pass it counts as the clipping alone (straight through):
 *
 *   dq/dx = 1 inside the range, 0 beyond; dq/dstep = (q - x) / step inside, q / step beyond
 *
 * (LSQ, Esser et al. 2020), and with one bit and a sign as the parabolas of Bi-Real Net (Liu et al.
 * 2018) with u = x / step: dq/dx = max(0, 2 - |2u|), dq/dstep = q / step - u dq/dx. */
typedef struct SlbQuantizer {
    float step, inverse; /* inverse is 1 / step */
    float low, high;     /* of the codes less their zero */
    bool sign;           /* -step and +step only */
} SlbQuantizer;
SlbQuantizer slb_quantizer(SlbCodes codes, float step);

typedef struct SlbTensorOps {
    /* out = a + b */
    void (*add_f32)(const float *a, const float *b, size_t count, float *out);
    void (*add_bf16)(const SlbBf16 *a, const SlbBf16 *b, size_t count, SlbBf16 *out);
    /* out = x where x > 0, else slope * x */
    void (*leak_f32)(const float *x, float slope, size_t count, float *out);
    void (*leak_bf16)(const SlbBf16 *x, float slope, size_t count, SlbBf16 *out);
    /* grad *= slope where not y > 0: the derivative of ReLU (slope 0) and leaky ReLU at output y */
    void (*gate_f32)(const float *y, float slope, size_t count, float *grad);
    void (*gate_bf16)(const SlbBf16 *y, float slope, size_t count, SlbBf16 *grad);
    /* out[c] += sum over the pixels of x[p * channels + c], pixel after pixel */
    void (*sum_f32)(const float *x, size_t pixels, size_t channels, float *out);
    void (*sum_bf16)(const SlbBf16 *x, size_t pixels, size_t channels, float *out);
    /* out = q(x) */
    void (*quantize_f32)(const float *x, const SlbQuantizer *q, size_t count, float *out);
    void (*quantize_bf16)(const SlbBf16 *x, const SlbQuantizer *q, size_t count, SlbBf16 *out);
    /* grad *= dq/dx; returns the sum of the old grad * dq/dstep, in a fixed order */
    float (*straight_f32)(const float *x, const SlbQuantizer *q, size_t count, float *grad);
    float (*straight_bf16)(const SlbBf16 *x, const SlbQuantizer *q, size_t count, SlbBf16 *grad);
    void (*to_bf16)(const float *in, size_t count, SlbBf16 *out);
    void (*to_f32)(const SlbBf16 *in, size_t count, float *out);
    /* out = slb_quantize(x, inverse_step, codes) */
    void (*quantize)(const float *x, float inverse_step, SlbCodes codes, size_t count,
                     uint8_t *out);
    /* bit c % 8 of out[p * out_stride + c / 8] = x[p * stride + c] >= 0 for channels c; only the
     * bytes of channels are written, bits behind them are clear. NaN counts as below 0. */
    void (*signs)(const float *x, size_t pixels, size_t stride, size_t channels, size_t out_stride,
                  uint8_t *out);
} SlbTensorOps;

const SlbTensorOps *slb_tensor_ops(SlbCpuLevel level);

/* The tables of the instruction sets, for slb_tensor_ops. */
extern const SlbTensorOps slb_tensor_c, slb_tensor_avx2, slb_tensor_avx512;

#endif
