/* The loops of kern/tensor.h, plain enough for compilers to make vectors of. The file that includes
 * this defines NAME. NaN is left to the rounding of slb_to_bf16. */
#include "kern/tensor.h"

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
    for (size_t i = 0; i < count; i++) {
        float leaked = slope * x[i];
        out[i] = x[i] > 0.0f ? x[i] : leaked;
    }
}

static void leak_bf16(const SlbBf16 *x, float slope, size_t count, SlbBf16 *out)
{
    for (size_t i = 0; i < count; i++) {
        float v = slb_from_bf16(x[i]), leaked = slope * v;
        out[i] = rounded(v > 0.0f ? v : leaked);
    }
}

static void gate_f32(const float *y, float slope, size_t count, float *grad)
{
    for (size_t i = 0; i < count; i++) {
        float closed = slope * grad[i];
        grad[i] = y[i] > 0.0f ? grad[i] : closed;
    }
}

static void gate_bf16(const SlbBf16 *y, float slope, size_t count, SlbBf16 *grad)
{
    for (size_t i = 0; i < count; i++) {
        float g = slb_from_bf16(grad[i]), closed = slope * g;
        grad[i] = rounded(slb_from_bf16(y[i]) > 0.0f ? g : closed);
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

static void to_bf16(const float *in, size_t count, SlbBf16 *out)
{
    for (size_t i = 0; i < count; i++) out[i] = rounded(in[i]);
}

static void to_f32(const SlbBf16 *in, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) out[i] = slb_from_bf16(in[i]);
}

const SlbTensorOps NAME = {
    add_f32, add_bf16, leak_f32, leak_bf16, gate_f32, gate_bf16, sum_f32, sum_bf16, to_bf16, to_f32,
};
