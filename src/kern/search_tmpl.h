/* The loops of kern/search.h, plain enough for compilers to make vectors of. The file that includes
 * this defines NAME. */
#include <math.h>
#include <stdint.h>

#include "kern/search.h"

enum {
    MAX_LEVELS = 16,
    BLOCK = 64, /* weights that are worked on together */
    LANES = 16,
};

/* e^x to a relative 2e-7 + 6e-8 |x| for |x| <= 87, without branches: 2^(n + f), n whole, |f| <=
 * 1/2, by the Taylor series of 2^f and n put into the exponent. */
static inline float exponential(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    x = x > -87.0f ? x : -87.0f;     /* not fmaxf: compilers make no vectors of it */
    x = x < 87.0f ? x : 87.0f;
    float t = x * 1.44269504f;
    float n = (t + magic) - magic, f = t - n;
    float p = 1.54035304e-4f;
    p = p * f + 1.33335581e-3f;
    p = p * f + 9.61812911e-3f;
    p = p * f + 5.55041087e-2f;
    p = p * f + 2.40226507e-1f;
    p = p * f + 6.93147181e-1f;
    p = p * f + 1.0f;
    union {
        int32_t i;
        float f;
    } power = {((int32_t)n + 127) << 23};
    return p * power.f;
}

/* tanh(x / 2) = 1 - 2 / (e^x + 1). */
static void signs(const float *logit, size_t count, float sharpness, float *weight)
{
    for (size_t j = 0; j < count; j++)
        weight[j] = 1.0f - 2.0f / (exponential(sharpness * logit[j]) + 1.0f);
}

static inline float level(int k, int levels)
{
    return (float)((double)(2 * k - (levels - 1)) / (levels - 1));
}

/* A full block; p is [levels][BLOCK]: logits, then probabilities. */
static void soft_block(float p[MAX_LEVELS][BLOCK], int levels, float sharpness, float *weight)
{
    float largest[BLOCK], sum[BLOCK] = {0}, mean[BLOCK] = {0};
    for (int j = 0; j < BLOCK; j++) largest[j] = p[0][j];
    for (int k = 1; k < levels; k++)
        for (int j = 0; j < BLOCK; j++) largest[j] = largest[j] > p[k][j] ? largest[j] : p[k][j];
    for (int k = 0; k < levels; k++) {
        float v = level(k, levels);
        for (int j = 0; j < BLOCK; j++) {
            float e = exponential(sharpness * (p[k][j] - largest[j]));
            p[k][j] = e;
            sum[j] += e;
            mean[j] += e * v;
        }
    }
    for (int j = 0; j < BLOCK; j++) sum[j] = 1.0f / sum[j];
    for (int j = 0; j < BLOCK; j++) weight[j] = mean[j] * sum[j];
    for (int k = 0; k < levels; k++)
        for (int j = 0; j < BLOCK; j++) p[k][j] *= sum[j];
}

static void soft(const float *logit, size_t count, int levels, float sharpness, float *weight,
                 float *probability)
{
    float p[MAX_LEVELS][BLOCK] = {{0}}, w[BLOCK];
    size_t n = (size_t)levels;
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t block = count - from < BLOCK ? count - from : BLOCK;
        for (size_t j = 0; j < block; j++)
            for (size_t k = 0; k < n; k++) p[k][j] = logit[(from + j) * n + k];
        soft_block(p, levels, sharpness, w);
        for (size_t j = 0; j < block; j++) weight[from + j] = w[j];
        for (size_t j = 0; probability && j < block; j++)
            for (size_t k = 0; k < n; k++) probability[(from + j) * n + k] = p[k][j];
    }
}

static void slopes(const float *weight, const float *dweight, size_t count, int levels,
                   float sharpness, float *probability)
{
    float v[MAX_LEVELS];
    for (int k = 0; k < levels; k++) v[k] = level(k, levels);
    for (size_t j = 0; j < count; j++, probability += levels) {
        float w = weight[j], d = dweight[j];
        for (int k = 0; k < levels; k++)
            probability[k] = sharpness * probability[k] * (v[k] - w) * d;
    }
}

static void adam(const SlbAdamStep *step, size_t count, float *restrict value, float *restrict grad,
                 float *restrict moment1, float *restrict moment2)
{
    const float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
    const SlbAdamStep s = *step;
    for (size_t k = 0; k < count; k++) {
        float g = grad[k] * s.factor;
        grad[k] = 0.0f;
        moment1[k] = beta1 * moment1[k] + (1.0f - beta1) * g;
        moment2[k] = beta2 * moment2[k] + (1.0f - beta2) * g * g;
        value[k] -= s.size * moment1[k] / (sqrtf(moment2[k] * s.unbias) + epsilon);
    }
}

static double squares(const float *x, size_t count)
{
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t j = 0; j < LANES; j++) lane[j] += (double)x[i + j] * (double)x[i + j];
    for (; i < count; i++) sum += (double)x[i] * (double)x[i];
    for (int j = 0; j < LANES; j++) sum += lane[j];
    return sum;
}

const SlbSearchOps NAME = {signs, soft, slopes, adam, squares};
