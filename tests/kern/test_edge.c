/* The float convolutions of packed plans: the order of sums written down once more, naively, and
 * compared by equality. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kern/edge.h"
#include "quant/requant.h"

enum { PIXELS = 5, MAX_IN = 80, MAX_OUT = 64, ROW = (PIXELS + 2) * MAX_IN };

static float input[3 * ROW], weight[MAX_OUT * MAX_IN * 9], bias[MAX_OUT];

static float reference(int in, int stride, int kernel, int pixel, int o, bool relu)
{
    float part[16] = {0};
    for (int t = 0; t < kernel * kernel; t++)
        for (int i = 0; i < in; i++) {
            int ky = kernel == 3 ? t / 3 : 1, kx = kernel == 3 ? t % 3 : 1;
            float x = input[ky * ROW + (pixel + kx) * stride + i];
            volatile float product = x * weight[(o * in + i) * kernel * kernel + t];
            part[i % 16] += product;
        }
    for (int n = 8; n; n /= 2)
        for (int j = 0; j < n; j++) part[j] = part[j] + part[j + n];
    float v = part[0] + bias[o];
    return relu && v < 0.0f ? 0.0f : v;
}

static void check(int in, int out, int kernel, bool relu)
{
    float code_max = (float)((1 << (8 >> out % 4)) - 1); /* 255, 15, 3, 1 */
    SlbRng rng = slb_rng(3, (uint64_t)in, (uint64_t)out);
    int stride = in <= SLB_EDGE_FEW ? in : slb_out_padded(in), padded = slb_out_padded(out);
    memset(input, 0, sizeof input);
    for (int k = 0; k < 3 * ROW; k++)
        if (k % ROW % stride < in) input[k] = (float)slb_rng_normal(&rng);
    for (int k = 0; k < out * in * kernel * kernel; k++) weight[k] = (float)slb_rng_normal(&rng);
    memset(bias, 0, sizeof bias);
    for (int o = 0; o < out; o++) bias[o] = (float)slb_rng_normal(&rng);
    float *packed = slb_calloc(slb_edge_floats(out, in, kernel), sizeof *packed);
    float *f = slb_calloc((size_t)(PIXELS * padded), sizeof *f);
    uint8_t *u = slb_calloc((size_t)(PIXELS * padded), 1);
    assert_true(packed && f && u);
    slb_pack_edge(weight, out, in, kernel, packed);
    SlbConvEdge a = {.taps = kernel * kernel,
                     .in_channels = in,
                     .in_stride = (size_t)stride,
                     .pixels = PIXELS,
                     .out_channels = out,
                     .weight = packed,
                     .bias = bias,
                     .relu = relu,
                     .out_f32 = f,
                     .inverse_step = 13.7f,
                     .code_max = code_max,
                     .out_stride = (size_t)padded};
    for (int t = 0; t < a.taps; t++)
        a.in[t] = kernel == 3 ? input + t / 3 * ROW + t % 3 * stride : input + ROW + stride;
    for (int level = 0; level < SLB_CPU_LEVELS; level++) {
        if (!slb_cpu_has((SlbCpuLevel)level)) continue;
        memset(f, 0xff, (size_t)(PIXELS * padded) * sizeof *f);
        memset(u, 0xff, (size_t)(PIXELS * padded));
        a.out_f32 = f;
        a.out_u8 = NULL;
        slb_conv_edge((SlbCpuLevel)level)(&a);
        a.out_f32 = NULL;
        a.out_u8 = u;
        slb_conv_edge((SlbCpuLevel)level)(&a);
        for (int p = 0; p < PIXELS; p++)
            for (int o = 0; o < padded; o++) {
                float want = o < out ? reference(in, stride, kernel, p, o, relu) : 0.0f;
                assert_true(f[p * padded + o] == want);
                assert_int_equal(u[p * padded + o], slb_quantize_u8(want, 13.7f, code_max));
            }
    }
    slb_free(packed);
    slb_free(f);
    slb_free(u);
}

static void test_the_order_of_sums_is_the_documented_one(void **state)
{
    (void)state;
    static const int channels[] = {1, 2, 3, 16, 17, 64};
    for (size_t i = 0; i < 6; i++)
        for (size_t o = 0; o < 6; o++)
            for (int kernel = 1; kernel <= 3; kernel += 2) {
                check(channels[i], channels[o], kernel, false);
                check(channels[i], channels[o], kernel, true);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_order_of_sums_is_the_documented_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
