/* Passes over whole tensors that training needs between convolutions, in float32 and bf16. Sizes
 * are in elements; outputs may be the inputs, element by element, but must not overlap them
 * otherwise. Results are the same on every CPU level. */
#ifndef SLBSR_KERN_TENSOR_H
#define SLBSR_KERN_TENSOR_H

#include <stddef.h>

#include "base/cpu.h"
#include "kern/conv_bf16.h"

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
    void (*to_bf16)(const float *in, size_t count, SlbBf16 *out);
    void (*to_f32)(const SlbBf16 *in, size_t count, float *out);
} SlbTensorOps;

const SlbTensorOps *slb_tensor_ops(SlbCpuLevel level);

/* The tables of the instruction sets, for slb_tensor_ops. */
extern const SlbTensorOps slb_tensor_c, slb_tensor_avx2, slb_tensor_avx512;

#endif
