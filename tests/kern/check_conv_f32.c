/* Float convolutions and weight gradients against sums in double; nothing read or written outside;
 * the same bytes however the pixels are divided. */
#include "kern/check.h"

#include <math.h>

#include "kern/conv_f32.h"
#include "kern/conv_grad.h"

typedef struct Case {
    int in, out, kernel;
    size_t pixels;
} Case;

/* What a sum of n random products of numbers up to 1 may be off by, summed in float32. */
static double sum_error(size_t n)
{
    return 1e-6 + 1.2e-7 * (double)n;
}

static float random_float(SlbRng *rng)
{
    return (float)(2.0 * slb_rng_uniform(rng) - 1.0);
}

static void fill(float *values, size_t count, SlbRng *rng)
{
    for (size_t k = 0; k < count; k++) values[k] = random_float(rng);
}

/* Inputs of three rows of a picture, or of one: pixels of in + 1 floats, the last of in. */
typedef struct Input {
    Guarded room;
    size_t stride, row, floats;
} Input;

static Input make_input(Case c, SlbRng *rng, int at_end)
{
    Input x = {.stride = (size_t)c.in + 1};
    x.row = (c.pixels + (size_t)c.kernel - 1) * x.stride;
    x.floats = (size_t)c.kernel * x.row - 1;
    x.room = guarded_room(x.floats * sizeof(float));
    fill(guarded_at(&x.room, at_end), x.floats, rng);
    return x;
}

static size_t tap_at(const Input *x, Case c, int t)
{
    return (size_t)(t / c.kernel) * x->row + (size_t)(t % c.kernel) * x->stride;
}

static void wrong(const char *what, int level, Case c, size_t at, double is, double want)
{
    fail_msg("%s, %s: in %d out %d kernel %d pixels %zu: element %zu is %.9g, not %.9g "
             "(SLBSR_SEED=%llu)",
             what, slb_cpu_level_name((SlbCpuLevel)level), c.in, c.out, c.kernel, c.pixels, at, is,
             want, (unsigned long long)check_seed());
}

/* -- forward -- */

static double forward_sum(const SlbConvF32 *a, const float *weight, Case c, size_t p, int o)
{
    double sum = a->bias ? (double)a->bias[o] : 0.0;
    for (int t = 0; t < a->taps; t++)
        for (int i = 0; i < c.in; i++)
            sum += (double)a->in[t][p * a->in_stride + (size_t)i] *
                   (double)weight[(o * c.in + i) * a->taps + t];
    return a->relu && sum < 0.0 ? 0.0 : sum;
}

/* The kernel for `count` pixels from `first` on. */
static void run_part(int level, SlbConvF32 a, size_t first, size_t count)
{
    for (int t = 0; t < a.taps; t++) a.in[t] += first * a.in_stride;
    a.out += first * a.out_stride;
    a.pixels = count;
    slb_conv_f32((SlbCpuLevel)level)(&a);
}

static void check_forward(Case c, uint64_t index, int form)
{
    SlbRng rng = check_rng(8, index);
    int taps = c.kernel * c.kernel, padded = slb_out_padded(c.out), at_end = form & 1;
    size_t weights = (size_t)(taps * c.in * c.out), outputs = c.pixels * (size_t)padded;
    Input x = make_input(c, &rng, at_end);
    Guarded out = guarded_room(outputs * sizeof(float)), again = guarded_room(out.bytes);
    float *weight = room(weights, sizeof *weight), *bias = room((size_t)padded, sizeof *bias);
    float *packed = room((size_t)(taps * c.in * padded), sizeof *packed);
    fill(weight, weights, &rng);
    fill(bias, (size_t)c.out, &rng);
    slb_pack_f32(weight, c.out, c.in, c.kernel, packed);
    SlbConvF32 a = {.taps = taps,
                    .in_channels = c.in,
                    .in_stride = x.stride,
                    .out = guarded_at(&out, at_end),
                    .out_channels = padded,
                    .out_stride = (size_t)padded,
                    .pixels = c.pixels,
                    .weight = packed,
                    .bias = form & 2 ? bias : NULL,
                    .relu = form & 4};
    for (int t = 0; t < taps; t++)
        a.in[t] = (float *)guarded_at(&x.room, at_end) + tap_at(&x, c, t);
    for (int level = 0; level < SLB_CPU_LEVELS; level++) {
        if (!slb_cpu_has((SlbCpuLevel)level)) continue;
        run_part(level, a, 0, c.pixels);
        for (size_t k = 0; k < outputs; k++) {
            int o = (int)(k % (size_t)padded);
            double want = o < c.out ? forward_sum(&a, weight, c, k / (size_t)padded, o) : 0.0;
            if (!(fabs((double)a.out[k] - want) <= sum_error((size_t)(taps * c.in + 1))))
                wrong("conv_f32", level, c, k, (double)a.out[k], want);
        }
        SlbConvF32 b = a;
        b.out = guarded_at(&again, at_end);
        run_part(level, b, 0, c.pixels / 3);
        run_part(level, b, c.pixels / 3, c.pixels - c.pixels / 3);
        assert_memory_equal(a.out, b.out, out.bytes);
    }
    guarded_free(&x.room);
    guarded_free(&out);
    guarded_free(&again);
    slb_free(weight);
    slb_free(bias);
    slb_free(packed);
}

static const Case cases[] = {
    {1, 1, 3, 1},    {1, 64, 3, 7},   {3, 5, 1, 2},    {2, 17, 3, 11},  {16, 16, 3, 5},
    {17, 33, 1, 9},  {64, 64, 3, 13}, {64, 1, 3, 97},  {48, 80, 3, 8},  {65, 20, 1, 100},
    {31, 48, 3, 19}, {5, 130, 3, 3},  {100, 3, 3, 12}, {64, 256, 1, 6},
};
enum { CASES = sizeof cases / sizeof *cases };

static void test_forward(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++)
        for (int form = 0; form < 8; form++) check_forward(cases[i], (uint64_t)i, form);
}

/* -- gradients of weights -- */

static void check_grad(Case c, uint64_t index, int at_end)
{
    SlbRng rng = check_rng(9, index);
    int taps = c.kernel * c.kernel, padded = slb_out_padded(c.out);
    size_t in = (size_t)c.in, out = (size_t)padded, size = (size_t)taps * in * out;
    Input x = make_input(c, &rng, at_end);
    Guarded delta = guarded_room(c.pixels * out * sizeof(float));
    Guarded grad = guarded_room(size * sizeof(float));
    fill(guarded_at(&delta, at_end), c.pixels * out, &rng);
    SlbGradF32 a = {.taps = taps,
                    .in_channels = c.in,
                    .in_stride = x.stride,
                    .delta = guarded_at(&delta, at_end),
                    .out_channels = padded,
                    .delta_stride = out,
                    .pixels = c.pixels,
                    .grad = guarded_at(&grad, at_end)};
    for (int t = 0; t < taps; t++)
        a.in[t] = (float *)guarded_at(&x.room, at_end) + tap_at(&x, c, t);
    for (int level = 0; level < SLB_CPU_LEVELS; level++) {
        if (!slb_cpu_has((SlbCpuLevel)level)) continue;
        for (size_t k = 0; k < size; k++) a.grad[k] = 0.5f; /* it is added to */
        slb_grad_f32((SlbCpuLevel)level)(&a);
        for (size_t k = 0; k < size; k++) {
            double want = 0.5;
            for (size_t p = 0; p < c.pixels; p++)
                want += (double)a.in[k / out / in][p * x.stride + k / out % in] *
                        (double)a.delta[p * out + k % out];
            if (!(fabs((double)a.grad[k] - want) <= sum_error(c.pixels + 1)))
                wrong("grad_f32", level, c, k, (double)a.grad[k], want);
        }
    }
    guarded_free(&x.room);
    guarded_free(&delta);
    guarded_free(&grad);
}

static void test_weight_gradients(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++)
        for (int at_end = 0; at_end < 2; at_end++) check_grad(cases[i], (uint64_t)i, at_end);
    check_grad((Case){20, 33, 3, 3 * SLB_GRAD_CHUNK + 1}, CASES, 1);
}

int check_conv_f32(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_weight_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
