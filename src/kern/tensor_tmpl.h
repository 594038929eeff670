/* The loops of kern/tensor.h, plain enough for compilers to make vectors of. The file that includes
 * this defines NAME. NaN is left to the rounding of slb_to_bf16. */
#include <math.h>

#include "kern/tensor.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/* As slb_to_bf16, but without its branch for NaN: those that training meets are found by the loss
 * (an infinity stays one, a NaN stays NaN or becomes an infinity). */
static inline SlbBf16 rounded(float value)
{
    union {
        float f;
        uint32_t u;
    } x = {value};
    uint32_t up = x.u + 0x7fff + ((x.u >> 16) & 1);
    uint32_t kept = (x.u & 0x7f800000) == 0x7f800000 ? x.u : up;
    return (SlbBf16)(kept >> 16);
}

/* a where x > 0, else b: by bits, since gcc 12 makes branches of a choice between floats. */
static inline float where_positive(float x, float a, float b)
{
    union {
        float f;
        uint32_t u;
    } yes = {a}, no = {b};
    uint32_t mask = -(uint32_t)(x > 0.0f);
    yes.u = (yes.u & mask) | (no.u & ~mask);
    return yes.f;
}

static void add_f32(const float *a, const float *b, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) out[i] = a[i] + b[i];
}

static void add_bf16(const SlbBf16 *a, const SlbBf16 *b, size_t count, SlbBf16 *out)
{
    for (size_t i = 0; i < count; i++) out[i] = rounded(slb_from_bf16(a[i]) + slb_from_bf16(b[i]));
}

static void leak_f32(const float *x, float slope, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) out[i] = where_positive(x[i], x[i], slope * x[i]);
}

static void leak_bf16(const SlbBf16 *x, float slope, size_t count, SlbBf16 *out)
{
    for (size_t i = 0; i < count; i++) {
        float v = slb_from_bf16(x[i]);
        out[i] = rounded(where_positive(v, v, slope * v));
    }
}

static void gate_f32(const float *y, float slope, size_t count, float *grad)
{
    for (size_t i = 0; i < count; i++) grad[i] = where_positive(y[i], grad[i], slope * grad[i]);
}

static void gate_bf16(const SlbBf16 *y, float slope, size_t count, SlbBf16 *grad)
{
    for (size_t i = 0; i < count; i++) {
        float g = slb_from_bf16(grad[i]);
        grad[i] = rounded(where_positive(slb_from_bf16(y[i]), g, slope * g));
    }
}

static void sum_f32(const float *x, size_t pixels, size_t channels, float *restrict out)
{
    for (size_t p = 0; p < pixels; p++, x += channels)
        for (size_t c = 0; c < channels; c++) out[c] += x[c];
}

static void sum_bf16(const SlbBf16 *x, size_t pixels, size_t channels, float *restrict out)
{
    for (size_t p = 0; p < pixels; p++, x += channels)
        for (size_t c = 0; c < channels; c++) out[c] += slb_from_bf16(x[c]);
}

/* q(x) / step. */
static inline float code_of(float x, const SlbQuantizer *q)
{
    float u = x * q->inverse;
    u = u > q->low ? u : q->low; /* not fmaxf: compilers make no vectors of it */
    u = u < q->high ? u : q->high;
    return (u + 12582912.0f) - 12582912.0f; /* 1.5 * 2^23: to nearest even */
}

static inline float value_of(float x, const SlbQuantizer *q)
{
    float whole = q->step * code_of(x, q), sign = x >= 0.0f ? q->step : -q->step;
    return q->sign ? sign : whole;
}

static void quantize_f32(const float *x, const SlbQuantizer *q, size_t count, float *out)
{
    const SlbQuantizer k = *q;
    for (size_t i = 0; i < count; i++) out[i] = value_of(x[i], &k);
}

static void quantize_bf16(const SlbBf16 *x, const SlbQuantizer *q, size_t count, SlbBf16 *out)
{
    const SlbQuantizer k = *q;
    for (size_t i = 0; i < count; i++) out[i] = rounded(value_of(slb_from_bf16(x[i]), &k));
}

/* Returns dq/dx; *along is dq/dstep. */
static inline float slope_of(float x, const SlbQuantizer *q, float *along)
{
    float u = x * q->inverse, code = code_of(x, q), sign = x >= 0.0f ? 1.0f : -1.0f;
    float inside = u > q->low && u < q->high ? 1.0f : 0.0f;
    float parabola = 2.0f - 2.0f * fabsf(u);
    parabola = parabola > 0.0f ? parabola : 0.0f;
    float slope = q->sign ? parabola : inside;
    *along = (q->sign ? sign : code) - u * slope;
    return slope;
}

/* Sums in lanes, for the vector units, that are added up at the end. */
enum { LANES = 16 };

static float sum_lanes(const float *lane)
{
    float sum = 0;
    for (int j = 0; j < LANES; j++) sum += lane[j];
    return sum;
}

static float straight_f32(const float *x, const SlbQuantizer *q, size_t count, float *grad)
{
    const SlbQuantizer k = *q;
    float lane[LANES] = {0};
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = count - i < LANES ? count - i : LANES;
        for (size_t j = 0; j < lanes; j++) {
            float along, slope = slope_of(x[i + j], &k, &along);
            lane[j] += grad[i + j] * along;
            grad[i + j] *= slope;
        }
    }
    return sum_lanes(lane);
}

static float straight_bf16(const SlbBf16 *x, const SlbQuantizer *q, size_t count, SlbBf16 *grad)
{
    const SlbQuantizer k = *q;
    float lane[LANES] = {0};
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = count - i < LANES ? count - i : LANES;
        for (size_t j = 0; j < lanes; j++) {
            float along, slope = slope_of(slb_from_bf16(x[i + j]), &k, &along);
            float g = slb_from_bf16(grad[i + j]);
            lane[j] += g * along;
            grad[i + j] = rounded(g * slope);
        }
    }
    return sum_lanes(lane);
}

static void to_bf16(const float *in, size_t count, SlbBf16 *out)
{
    for (size_t i = 0; i < count; i++) out[i] = rounded(in[i]);
}

static void to_f32(const SlbBf16 *in, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) out[i] = slb_from_bf16(in[i]);
}

static void quantize(const float *x, float inverse_step, SlbCodes codes, size_t count, uint8_t *out)
{
    if (codes.sign)
        for (size_t i = 0; i < count; i++) out[i] = x[i] >= 0.0f ? 2 : 0;
    else
        for (size_t i = 0; i < count; i++) out[i] = slb_quantize(x[i], inverse_step, codes);
}

/* Eight signs. */
static inline uint8_t eight_signs(const float *x)
{
#if defined(__AVX2__)
    return (uint8_t)_mm256_movemask_ps(
        _mm256_cmp_ps(_mm256_loadu_ps(x), _mm256_setzero_ps(), _CMP_GE_OQ));
#else
    unsigned bits = 0;
    for (unsigned i = 0; i < 8; i++) bits |= (unsigned)(x[i] >= 0.0f) << i;
    return (uint8_t)bits;
#endif
}

static void signs(const float *x, size_t pixels, size_t stride, size_t channels, size_t out_stride,
                  uint8_t *out)
{
    for (size_t p = 0; p < pixels; p++, x += stride, out += out_stride) {
        for (size_t c = 0; c + 8 <= channels; c += 8) out[c / 8] = eight_signs(x + c);
        unsigned bits = 0;
        for (size_t c = channels / 8 * 8; c < channels; c++)
            bits |= (unsigned)(x[c] >= 0.0f) << c % 8;
        if (channels % 8) out[channels / 8] = (uint8_t)bits;
    }
}

const SlbTensorOps NAME = {
    add_f32, add_bf16, leak_f32,     leak_bf16,     gate_f32,     gate_bf16,
    sum_f32, sum_bf16, quantize_f32, quantize_bf16, straight_f32, straight_bf16,
    to_bf16, to_f32,   quantize,     signs,
};
