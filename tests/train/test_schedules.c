/* Learning rates and temperatures over the steps of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "train/run.h"

static void test_rates(void **state)
{
    (void)state;
    SlbRate rate = {
        .schedule = SLB_COSINE, .peak = 2, .steps = 110, .warmup = 10, .decay_every = 40};
    assert_true(fabs(slb_rate_at(&rate, 0) - 0.2) < 1e-12);
    assert_true(fabs(slb_rate_at(&rate, 9) - 2.0) < 1e-12);
    assert_true(fabs(slb_rate_at(&rate, 10) - 2.0) < 1e-12);
    assert_true(fabs(slb_rate_at(&rate, 60) - 1.01) < 1e-12);
    assert_true(fabs(slb_rate_at(&rate, 110) - 0.02) < 1e-12);
    rate.schedule = SLB_STEPS;
    assert_true(fabs(slb_rate_at(&rate, 39) - 2.0) < 1e-12);
    assert_true(fabs(slb_rate_at(&rate, 40) - 0.2) < 1e-12);
    assert_true(fabs(slb_rate_at(&rate, 80) - 0.02) < 1e-12);
}

static double sharpness(SlbTempering tempering, int restarts, long step)
{
    const SlbSharpness how = {
        .tempering = tempering, .restarts = restarts, .from = 0, .to = 700, .end = 64};
    return slb_sharpness_at(&how, step);
}

/* Ends, values that the formulae give by hand, and that T never falls but at a restart. */
static void test_tempering(void **state)
{
    (void)state;
    for (int t = SLB_TEMPER_EXP; t <= SLB_TEMPER_SGDR; t++) {
        long falls = 0;
        for (long step = 1; step <= 700; step++)
            falls += sharpness((SlbTempering)t, 2, step) < sharpness((SlbTempering)t, 2, step - 1);
        assert_int_equal(falls, t == SLB_TEMPER_SGDR ? 2 : 0);
        assert_true(sharpness((SlbTempering)t, 2, 0) == 1);
        assert_true(sharpness((SlbTempering)t, 2, 700) == 64);
        assert_true(sharpness((SlbTempering)t, 2, 9000) == 64);
    }
    assert_true(fabs(sharpness(SLB_TEMPER_EXP, 0, 350) - 8.0) < 1e-9);
    assert_true(fabs(1 / sharpness(SLB_TEMPER_COS, 0, 350) - 65.0 / 128) < 1e-9);
    assert_true(fabs(1 / sharpness(SLB_TEMPER_LINEAR, 0, 175) - (0.75 + 0.25 / 64)) < 1e-9);
    /* Cycles of 100, 200 and 400 steps. */
    static const long restarts[] = {100, 300}, middles[] = {50, 200, 500};
    for (int i = 0; i < 2; i++) {
        assert_true(fabs(sharpness(SLB_TEMPER_SGDR, 2, restarts[i]) - 1.0) < 1e-9);
        assert_true(sharpness(SLB_TEMPER_SGDR, 2, restarts[i] - 1) > 50);
    }
    for (int i = 0; i < 3; i++)
        assert_true(fabs(1 / sharpness(SLB_TEMPER_SGDR, 2, middles[i]) - 65.0 / 128) < 1e-9);
    assert_true(sharpness(SLB_TEMPER_SGDR, 0, 333) == sharpness(SLB_TEMPER_COS, 0, 333));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_tempering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
