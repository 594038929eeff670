/* Passes over trained values: the softmax of searched weights and the optimizer, which over 2^q
 * values a weight take a good part of a small step. Results are the same on every CPU level. */
#ifndef SLBSR_KERN_SEARCH_H
#define SLBSR_KERN_SEARCH_H

#include <stddef.h>

#include "base/cpu.h"

/* One step of Adam: value -= size m / (sqrt(v unbias) + epsilon) with m, v the moments of
 * factor * grad, beta 0.9 and 0.999, epsilon 1e-8. */
typedef struct SlbAdamStep {
    float factor, size, unbias;
} SlbAdamStep;

/* Logits, probabilities and slopes are [count][levels], 2 to 16 levels, evenly spaced on [-1, 1]
 * (quant/levels.h). */
typedef struct SlbSearchOps {
    /* weight = tanh(sharpness * logit / 2): two levels with one logit, the difference of two */
    void (*signs)(const float *logit, size_t count, float sharpness, float *weight);
    /* probability = softmax(sharpness * logit) of each weight, and its mean level into `weight` */
    void (*soft)(const float *logit, size_t count, int levels, float sharpness, float *weight,
                 float *probability);
    /* probability becomes dL/dlogit = sharpness * probability * (level - weight) * dL/dweight */
    void (*slopes)(const float *weight, const float *dweight, size_t count, int levels,
                   float sharpness, float *probability);
    /* grad becomes 0 */
    void (*adam)(const SlbAdamStep *step, size_t count, float *value, float *grad, float *moment1,
                 float *moment2);
    /* Sum of the squares, in a fixed order. */
    double (*squares)(const float *x, size_t count);
} SlbSearchOps;

const SlbSearchOps *slb_search_ops(SlbCpuLevel level);

/* The tables of the instruction sets, for slb_search_ops. */
extern const SlbSearchOps slb_search_c, slb_search_avx2, slb_search_avx512;

#endif
