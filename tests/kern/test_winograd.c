/* Winograd's convolutions against the plain sums in double, for every CPU level of this machine:
 * odd sizes, wide and narrow layers, rows with neighbours that must not be read as pixels, guarded
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kern/conv_bf16.h"
#include "kern/guarded.h"
#include "kern/winograd.h"

typedef struct Case {
    int in, out;
    uint32_t width, height;
    size_t in_stride, out_stride, gap; /* gap: pixels between the rows */
    bool bias, relu, gate, add;
} Case;

static const Case cases[] = {
    {16, 16, 1, 1, 16, 16, 1, false, false, false, false},
    {16, 32, 4, 4, 16, 32, 0, true, false, false, false},
    {32, 16, 5, 3, 48, 16, 1, true, true, false, false},
    {64, 64, 9, 7, 64, 64, 1, true, true, false, false},
    {64, 64, 41, 13, 64, 64, 1, false, false, true, false},
    {48, 80, 6, 21, 48, 96, 2, false, false, true, true},
    {16, 256, 8, 8, 16, 256, 1, true, false, false, true},
    {256, 16, 3, 10, 256, 16, 3, false, true, false, false},
};
enum { CASES = sizeof cases / sizeof *cases };

/* A plane whose memory ends with its last pixel, or begins with its first one; what stands between
 * the rows is no part of the picture and must not count. */
typedef struct Field {
    Guarded memory;
    SlbPlane plane; /* of floats */
} Field;

static float *at_of(const SlbPlane *plane)
{
    return plane->pixels;
}

static Field field(const Case *c, int channels, size_t stride, int at_end, uint64_t stream)
{
    size_t row = c->width + c->gap;
    size_t count = ((c->height - 1) * row + c->width - 1) * stride + (size_t)channels;
    size_t whole = (count + 15) / 16 * 16; /* aligned to 64 bytes at either end */
    Field f = {.memory = guarded_room(whole * sizeof(float))};
    f.plane = (SlbPlane){guarded_at(&f.memory, at_end), stride, row, channels};
    SlbRng rng = slb_rng(11, stream, 0);
    for (size_t i = 0; i < count; i++) at_of(&f.plane)[i] = 1e30f;
    for (size_t y = 0; y < c->height; y++)
        for (size_t x = 0; x < c->width; x++)
            for (int k = 0; k < channels; k++)
                at_of(&f.plane)[(y * row + x) * stride + (size_t)k] = (float)slb_rng_normal(&rng);
    return f;
}

static float *floats(size_t count, uint64_t stream, double scale)
{
    float *values = slb_alloc(count, sizeof *values);
    SlbRng rng = slb_rng(12, stream, 0);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = (float)(scale * slb_rng_normal(&rng));
    return values;
}

static double pixel(const Case *c, const SlbPlane *p, int64_t x, int64_t y, int channel)
{
    bool inside = x >= 0 && y >= 0 && x < c->width && y < c->height;
    return inside ? (double)at_of(p)[((size_t)y * p->row + (size_t)x) * p->stride + (size_t)channel]
                  : 0.0;
}

static double sum_of(const Case *c, const SlbPlane *in, const float *taps, int64_t x, int64_t y,
                     int o)
{
    double sum = 0;
    for (int t = 0; t < 9; t++)
        for (int i = 0; i < c->in; i++)
            sum += pixel(c, in, x + t % 3 - 1, y + t / 3 - 1, i) *
                   (double)taps[(t * c->in + i) * c->out + o];
    return sum;
}

static void check_conv(const SlbWinogradKernels *kernels, const Case *c, int at_end, double bound)
{
    size_t filters = (size_t)c->in * (size_t)c->out;
    Field in = field(c, c->in, c->in_stride, at_end, 1);
    Field out = field(c, c->out, c->out_stride, at_end, 2);
    Field before = field(c, c->out, c->out_stride, at_end, 2);
    Field gate = field(c, c->out, c->out_stride, at_end, 3);
    float *taps = floats(9 * filters, 4, sqrt(1.0 / (9 * c->in))), *bias = floats(256, 5, 1);
    float *points = floats(SLB_WINOGRAD_POINTS * filters, 6, 0);
    SlbWinograd a = {.in = in.plane,
                     .out = out.plane,
                     .width = c->width,
                     .height = c->height,
                     .weight = points,
                     .bias = c->bias ? bias : NULL,
                     .gate = c->gate ? gate.plane.pixels : NULL,
                     .relu = c->relu,
                     .add = c->add,
                     .scratch = floats(slb_winograd_scratch(c->in, c->out), 7, NAN)};
    kernels->weights(taps, c->in, c->out, points);
    kernels->conv(&a);
    for (size_t y = 0; y < c->height; y++)
        for (size_t x = 0; x < out.plane.row && (x < c->width || y + 1 < c->height); x++)
            for (int o = 0; o < c->out; o++) {
                size_t at = (y * out.plane.row + x) * c->out_stride + (size_t)o;
                double was = (double)at_of(&before.plane)[at], is = (double)at_of(&out.plane)[at];
                if (x >= c->width) { /* no pixel: untouched */
                    assert_true(was == is);
                    continue;
                }
                double v = sum_of(c, &in.plane, taps, (int64_t)x, (int64_t)y, o);
                if (c->bias) v += (double)bias[o];
                if (c->relu && v < 0) v = 0;
                if (c->gate && !(at_of(&gate.plane)[at] > 0)) v = 0;
                if (c->add) v += was;
                if (!(fabs(v - is) < bound)) fail_msg("(%zu, %zu) %d: %g, not %g", x, y, o, is, v);
            }
    slb_free(a.scratch);
    slb_free(points);
    slb_free(taps);
    slb_free(bias);
    guarded_free(&in.memory);
    guarded_free(&out.memory);
    guarded_free(&before.memory);
    guarded_free(&gate.memory);
}

static void check_grad(const SlbWinogradKernels *kernels, const Case *c, int at_end, double bound)
{
    size_t filters = (size_t)c->in * (size_t)c->out;
    Field in = field(c, c->in, c->in_stride, at_end, 1);
    Field delta = field(c, c->out, c->out_stride, at_end, 2);
    float *grad = floats(9 * filters, 8, 1), *before = floats(9 * filters, 8, 1);
    SlbWinogradGrad a = {.in = in.plane,
                         .delta = delta.plane,
                         .width = c->width,
                         .height = c->height,
                         .grad = grad,
                         .scratch = floats(slb_winograd_grad_scratch(c->in, c->out), 7, NAN)};
    kernels->grad(&a);
    bound *= 0.3 * sqrt((double)c->width * c->height) + 0.3;
    for (size_t k = 0; k < 9 * filters; k += 7) { /* 7 divides no number of channels */
        int t = (int)(k / filters), i = (int)(k % filters) / c->out,
            o = (int)(k % filters) % c->out;
        double sum = (double)before[k];
        for (int64_t y = 0; y < c->height; y++)
            for (int64_t x = 0; x < c->width; x++)
                sum += pixel(c, &in.plane, x + t % 3 - 1, y + t / 3 - 1, i) *
                       pixel(c, &delta.plane, x, y, o);
        if (!(fabs(sum - (double)grad[k]) < bound))
            fail_msg("tap %d, %d -> %d: %g, not %g", t, i, o, (double)grad[k], sum);
    }
    slb_free(a.scratch);
    slb_free(grad);
    slb_free(before);
    guarded_free(&in.memory);
    guarded_free(&delta.memory);
}

/* -- kernels on bf16 pixels, in the place of kernels on floats -- */

static const SlbWinogradKernels *half_kernels;

static SlbBf16 rounded(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (SlbBf16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float widened(SlbBf16 v)
{
    uint32_t bits = (uint32_t)v << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* The same pixels in bf16, in memory that ends with the last one. */
static SlbPlane halved(const SlbPlane *plane, uint32_t width, uint32_t height, Guarded *memory)
{
    size_t count =
        ((height - 1) * plane->row + width - 1) * plane->stride + (size_t)plane->channels;
    count = (count + 15) / 16 * 16;
    *memory = guarded_room(count * sizeof(SlbBf16));
    SlbPlane half = *plane;
    half.pixels = guarded_at(memory, 1);
    for (size_t i = 0; i < count; i++) ((SlbBf16 *)half.pixels)[i] = rounded(at_of(plane)[i]);
    return half;
}

static void half_conv(const SlbWinograd *a)
{
    Guarded memory[3];
    SlbWinograd half = *a;
    SlbPlane gate = a->out;
    half.in = halved(&a->in, a->width, a->height, &memory[0]);
    half.out = halved(&a->out, a->width, a->height, &memory[1]);
    gate.pixels = a->gate ? (float *)(uintptr_t)a->gate : a->out.pixels;
    gate = halved(&gate, a->width, a->height, &memory[2]);
    if (a->gate) half.gate = gate.pixels;
    half_kernels->conv(&half);
    for (size_t y = 0; y < a->height; y++)
        for (size_t x = 0; x < a->out.row && (x < a->width || y + 1 < a->height); x++)
            for (int c = 0; c < a->out.channels; c++) {
                size_t at = (y * a->out.row + x) * a->out.stride + (size_t)c;
                float is = widened(((SlbBf16 *)half.out.pixels)[at]);
                if (x < a->width)
                    at_of(&a->out)[at] = is;
                else
                    assert_true(is == widened(rounded(1e30f)));
            }
    for (int i = 0; i < 3; i++) guarded_free(&memory[i]);
}

static void half_grad(const SlbWinogradGrad *a)
{
    Guarded memory[2];
    SlbWinogradGrad half = *a;
    half.in = halved(&a->in, a->width, a->height, &memory[0]);
    half.delta = halved(&a->delta, a->width, a->height, &memory[1]);
    half_kernels->grad(&half);
    for (int i = 0; i < 2; i++) guarded_free(&memory[i]);
}

/* NULL where there are none. */
static const SlbWinogradKernels *half_as_float(const SlbCpu *cpu)
{
    static SlbWinogradKernels shim;
    half_kernels = slb_winograd_half(cpu);
    if (!half_kernels) return NULL;
    shim = (SlbWinogradKernels){half_conv, half_grad, half_kernels->weights};
    return &shim;
}

typedef void Check(const SlbWinogradKernels *kernels, const Case *c, int at_end, double bound);

static void every_case(Check *check, const SlbWinogradKernels *kernels, double bound)
{
    for (size_t i = 0; i < CASES; i++)
        for (int at_end = 0; at_end < 2; at_end++) check(kernels, &cases[i], at_end, bound);
}

/* In float32 on every level, then with points of 8 bits of precision. Outputs are about 1, sums of
 * n products about sqrt(n) in size. */
static void each(Check *check)
{
    SlbCpu cpu;
    for (int level = 0; level < SLB_CPU_LEVELS; level++)
        if (slb_cpu_has((SlbCpuLevel)level))
            every_case(check, slb_winograd((SlbCpuLevel)level), 1e-4);
    (void)slb_cpu_detect(&cpu);
    if (slb_winograd_mixed(&cpu)) every_case(check, slb_winograd_mixed(&cpu), 0.4);
    if (slb_winograd_half(&cpu)) every_case(check, half_as_float(&cpu), 0.5);
}

static void test_conv(void **state)
{
    (void)state;
    each(check_conv);
}

static void test_grad(void **state)
{
    (void)state;
    each(check_grad);
}

static double distance(const float *a, const float *b, size_t count)
{
    double error = 0, square = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)a[i] - (double)b[i];
        error += d * d;
        square += (double)a[i] * (double)a[i];
    }
    return sqrt(error / square);
}

/* Root mean square errors as a share of that of the results. */
static void check_errors(const SlbWinogradKernels *mixed, double bound)
{
    const SlbWinogradKernels *exact = slb_winograd(SLB_CPU_C);
    const Case c = {64, 64, 24, 24, 64, 64, 0, false, false, false, false};
    enum { FILTERS = 64 * 64, OUTPUTS = 24 * 24 * 64 };
    Field in = field(&c, 64, 64, 0, 1), delta = field(&c, 64, 64, 0, 2);
    Field out[2] = {field(&c, 64, 64, 0, 3), field(&c, 64, 64, 0, 3)};
    float *taps = floats(9 * FILTERS, 4, sqrt(1.0 / (9 * 64))), *scratch[2], *points[2], *grad[2];
    for (int k = 0; k < 2; k++) {
        const SlbWinogradKernels *kernels = k ? mixed : exact;
        scratch[k] = floats(slb_winograd_grad_scratch(64, 64), 7, 0);
        points[k] = floats(SLB_WINOGRAD_POINTS * FILTERS, 6, 0);
        grad[k] = floats(9 * FILTERS, 8, 0);
        SlbWinograd a = {.in = in.plane,
                         .out = out[k].plane,
                         .width = 24,
                         .height = 24,
                         .weight = points[k],
                         .scratch = scratch[k]};
        SlbWinogradGrad b = {.in = in.plane,
                             .delta = delta.plane,
                             .width = 24,
                             .height = 24,
                             .grad = grad[k],
                             .scratch = scratch[k]};
        kernels->weights(taps, 64, 64, points[k]);
        kernels->conv(&a);
        kernels->grad(&b);
    }
    assert_true(distance(at_of(&out[0].plane), at_of(&out[1].plane), OUTPUTS) < bound);
    assert_true(distance(grad[0], grad[1], 9 * FILTERS) < bound);
    for (int k = 0; k < 2; k++) {
        slb_free(scratch[k]);
        slb_free(points[k]);
        slb_free(grad[k]);
        guarded_free(&out[k].memory);
    }
    slb_free(taps);
    guarded_free(&in.memory);
    guarded_free(&delta.memory);
}

/* Errors are as small as products in bf16 allow. */
static void test_errors_of_bf16(void **state)
{
    (void)state;
    SlbCpu cpu;
    (void)slb_cpu_detect(&cpu);
    if (!slb_winograd_mixed(&cpu)) skip();
    check_errors(slb_winograd_mixed(&cpu), 0.015);
    check_errors(half_as_float(&cpu), 0.016);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_grad),
        cmocka_unit_test(test_errors_of_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
