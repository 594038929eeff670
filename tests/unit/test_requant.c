/* The integer semantics: rounding, saturation, biases that do not fit, bad steps. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "quant/requant.h"

/* The definition, by the library's rintf. */
static uint8_t by_rint(float v)
{
    float r = rintf(v);
    return (uint8_t)(r < 0.0f ? 0.0f : r > 255.0f ? 255.0f : r);
}

static void test_codes_are_rounded_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(slb_code_u8(0.5f, 255.0f), 0);
    assert_int_equal(slb_code_u8(1.5f, 255.0f), 2);
    assert_int_equal(slb_code_u8(2.5f, 255.0f), 2);
    assert_int_equal(slb_code_u8(254.5f, 255.0f), 254);
    assert_int_equal(slb_code_u8(254.50002f, 255.0f), 255);
    assert_int_equal(slb_code_u8(255.5f, 255.0f), 255);
    assert_int_equal(slb_code_u8(-0.0f, 255.0f), 0);
    assert_int_equal(slb_code_u8(-1e30f, 255.0f), 0);
    assert_int_equal(slb_code_u8(INFINITY, 255.0f), 255);
    assert_int_equal(slb_code_u8(-INFINITY, 255.0f), 0);
    assert_int_equal(slb_code_u8(NAN, 255.0f), 0);
    for (int i = -1024; i < 1024 * 257; i++) { /* every quarter and eighth, ties among them */
        float v = (float)i / 1024.0f;
        if (slb_code_u8(v, 255.0f) != by_rint(v)) fail_msg("%g", (double)v);
    }
    SlbRng rng = slb_rng(1, 1, 1);
    for (int i = 0; i < 100000; i++) {
        float v = (float)(slb_rng_uniform(&rng) * 300.0 - 20.0);
        if (slb_code_u8(v, 255.0f) != by_rint(v)) fail_msg("%.9g", (double)v);
    }
}

static void test_a_sum_means_what_its_bias_and_steps_say(void **state)
{
    (void)state;
    float scale[] = {0.5f, -0.25f, 1e-3f, 0.0f}, bias[] = {0.1f, 0.2f, -3.0f, 0.0f};
    SlbConvParams c = {.in_channels = 2,
                       .out_channels = 4,
                       .kernel = 3,
                       .bits = 2,
                       .scale = scale,
                       .bias = bias,
                       .in_step = 0.02f};
    SlbRequant r;
    SlbError err = {0};
    assert_int_equal(slb_requant_create(&c, 0, 0.0f, &r, &err), SLB_OK);
    for (int o = 0; o < 4; o++) {
        double step = (double)c.in_step * (double)scale[o] / 3.0;
        assert_true(fabs((double)r.multiplier[o] - step) <= 1e-7 * fabs(step));
        assert_true(fabs((double)r.bias[o] * step - (double)bias[o]) <= 0.5 * fabs(step) + 1e-9);
    }
    assert_int_equal(r.bias[3], 0);
    assert_true(r.multiplier[3] == 0.0f);
    slb_requant_free(&r);
    assert_int_equal(slb_requant_create(&c, 0, 0.04f, &r, &err), SLB_OK);
    assert_true(fabsf(r.multiplier[0] - 0.02f * 0.5f / 3.0f / 0.04f) < 1e-8f);
    assert_int_equal(slb_requant_u8(100 + r.bias[0], r.multiplier[0], 255.0f),
                     (int)rint((100 * 0.02 * 0.5 / 3.0 + 0.1) / 0.04));
    slb_requant_free(&r);
}

static void test_a_channel_without_scale_keeps_its_bias(void **state)
{
    (void)state;
    float scale[] = {0.0f, 1e-30f, -1e-12f, -0.0f}, bias[] = {0.7f, -0.7f, 0.7f, 0.7f};
    SlbConvParams c = {.in_channels = 64,
                       .out_channels = 4,
                       .kernel = 3,
                       .bits = 1,
                       .scale = scale,
                       .bias = bias,
                       .in_step = 0.01f};
    SlbRequant r;
    SlbError err = {0};
    assert_int_equal(slb_requant_create(&c, 0, 0.0f, &r, &err), SLB_OK);
    const int32_t worst = 9 * 64 * 255;
    for (int o = 0; o < 4; o++)
        for (int sign = -1; sign <= 1; sign++) {
            float v = (float)(r.bias[o] + sign * worst) * r.multiplier[o];
            assert_true(fabsf(v - bias[o]) < 0.7f * 0.00015f);
        }
    slb_requant_free(&r);
}

static void test_the_largest_sum_does_not_overflow(void **state)
{
    (void)state;
    float scale[] = {1e-20f, 1e-20f}, bias[] = {3e38f, -3e38f};
    SlbConvParams c = {.in_channels = SLB_MAX_CHANNELS,
                       .out_channels = 2,
                       .kernel = 3,
                       .bits = 4,
                       .scale = scale,
                       .bias = bias,
                       .in_step = 1e-10f};
    SlbRequant r;
    SlbError err = {0};
    assert_int_equal(slb_requant_create(&c, 0, 0.0f, &r, &err), SLB_OK);
    const int64_t sum = 9LL * SLB_MAX_CHANNELS * 255 * 15;
    assert_true(r.bias[0] == SLB_MAX_BIAS && r.bias[1] == -SLB_MAX_BIAS);
    assert_true(r.bias[0] + sum <= INT32_MAX && r.bias[1] - sum >= INT32_MIN);
    slb_requant_free(&r);
}

static void test_steps_that_overflow_are_refused(void **state)
{
    (void)state;
    float scale[] = {3e38f}, bias[] = {0.0f};
    SlbConvParams c = {.in_channels = 1,
                       .out_channels = 1,
                       .kernel = 1,
                       .bits = 1,
                       .scale = scale,
                       .bias = bias,
                       .in_step = 3e38f};
    SlbRequant r;
    SlbError err = {0};
    assert_int_equal(slb_requant_create(&c, 0, 0.0f, &r, &err), SLB_E_MODEL);
    assert_int_equal(err.status, SLB_E_MODEL);
    slb_mem_fail_at(2);
    assert_int_equal(slb_requant_create(&c, 0, 0.0f, &r, &err), SLB_E_MEMORY);
    slb_mem_fail_at(0);
}

static void test_codes_with_and_without_a_sign(void **state)
{
    (void)state;
    static const struct {
        int bits;
        bool positive;
        float value; /* the step is 0.5 */
        int code;
    } cases[] = {
        {8, true, 1.25f, 2},    {8, true, -9.0f, 0},   {8, true, 1e9f, 255},
        {8, true, NAN, 0},      {8, false, 0.0f, 128}, {8, false, -1.25f, 126},
        {8, false, 1.75f, 132}, {8, false, -1e9f, 0},  {8, false, 1e9f, 255},
        {8, false, NAN, 0},     {4, true, 99.0f, 15},  {4, false, 0.5f, 9},
        {4, false, 99.0f, 15},  {2, true, 1.0f, 2},    {2, true, 99.0f, 3},
        {2, false, -0.5f, 1},   {2, false, -99.0f, 0}, {2, false, 99.0f, 3},
        {1, true, 0.3f, 1},     {1, true, 0.2f, 0},    {1, false, 0.001f, 2},
        {1, false, 0.0f, 2},    {1, false, -0.0f, 2},  {1, false, -1e-9f, 0},
        {1, false, NAN, 0},     {7, true, 99.0f, 127}, {7, true, -1.0f, 0},
        {7, false, 0.5f, 129},  {7, false, -99.0f, 0}, {7, false, 99.0f, 255},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SlbCodes codes = slb_codes(cases[i].bits, cases[i].positive);
        assert_int_equal(slb_quantize(cases[i].value, 2.0f, codes), cases[i].code);
        if (cases[i].positive)
            assert_int_equal(slb_quantize_u8(cases[i].value, 2.0f, (float)codes.most),
                             cases[i].code);
    }
}

/* Codes with a zero give what signed values would have given, everywhere. */
static void test_the_bias_makes_up_for_the_zero(void **state)
{
    (void)state;
    uint8_t level[] = {0, 1, 3, 2, 2, 2, 3, 1, 1};
    float scale[] = {0.3f}, bias[] = {0.7f};
    SlbConvParams c = {.in_channels = 1,
                       .out_channels = 1,
                       .kernel = 3,
                       .bits = 2,
                       .level = level,
                       .scale = scale,
                       .bias = bias,
                       .in_step = 0.01f};
    SlbRequant plain, shifted;
    SlbError err;
    assert_int_equal(slb_requant_create(&c, 0, 0.0f, &plain, &err), SLB_OK);
    assert_int_equal(slb_requant_create(&c, 128, 0.0f, &shifted, &err), SLB_OK);
    int32_t a = plain.bias[0], b = shifted.bias[0];
    for (int t = 0; t < 9; t++) {
        int w = 2 * level[t] - 3, value = 13 * t - 50;
        a += value * w;
        b += (value + 128) * w;
    }
    assert_int_equal(a, b);
    slb_requant_free(&plain);
    slb_requant_free(&shifted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_are_rounded_to_nearest_even),
        cmocka_unit_test(test_a_sum_means_what_its_bias_and_steps_say),
        cmocka_unit_test(test_a_channel_without_scale_keeps_its_bias),
        cmocka_unit_test(test_the_largest_sum_does_not_overflow),
        cmocka_unit_test(test_steps_that_overflow_are_refused),
        cmocka_unit_test(test_codes_with_and_without_a_sign),
        cmocka_unit_test(test_the_bias_makes_up_for_the_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
