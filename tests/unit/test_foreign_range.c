/* Weights for another range of values than 0 to 1: the network does the same on these. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "infer/plan.h"
#include "net/foreign.h"

static SlbModel *float_model(const char *net)
{
    SlbError err = {0};
    SlbGraph *g = NULL;
    SlbModel *m = NULL;
    assert_int_equal(slb_graph_parse(net, strlen(net), "t", &g, &err), SLB_OK);
    assert_int_equal(slb_model_create(g, 32, &m, &err), SLB_OK);
    slb_graph_free(g);
    return m;
}

static void fill(SlbModel *m)
{
    SlbRng rng = slb_rng(3, 0, 0);
    for (int i = 0; i < m->graph->conv_count; i++) {
        SlbConvParams *c = &m->conv[i];
        for (size_t k = 0; k < slb_conv_weights(c); k++) c->weight[k] = (float)slb_rng_normal(&rng);
        for (int o = 0; o < c->out_channels; o++) c->bias[o] = (float)slb_rng_normal(&rng);
    }
}

static void run_net(const SlbModel *m, const float *in, float *out, uint32_t side)
{
    SlbError err = {0};
    SlbPlan *plan;
    SlbPlanOptions options = {.level = SLB_CPU_C, .threads = 1};
    assert_int_equal(slb_plan_create(m, &options, &plan, &err), SLB_OK);
    assert_int_equal(slb_plan_run(plan, in, out, side, side, NULL, NULL, &err), SLB_OK);
    slb_plan_free(plan);
}

/* A network on (v - mean) * range, and itself on v with that made up for. */
static void check_range(const char *net, double mean, bool whole)
{
    enum { SIDE = 16, BORDER = 2 };
    const double range = 255.0;
    static float in[SIDE * SIDE], other[SIDE * SIDE], want[SIDE * SIDE], got[SIDE * SIDE];
    SlbError err = {0};
    SlbModel *m = float_model(net);
    fill(m);
    for (int i = 0; i < SIDE * SIDE; i++) {
        in[i] = (float)(i * 37 % 101) / 101.0f;
        other[i] = (float)(((double)in[i] - mean) * range);
    }
    run_net(m, other, want, SIDE);
    assert_int_equal(slb_foreign_rescale(m, range, &mean, &err), SLB_OK);
    run_net(m, in, got, SIDE);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            bool inner = x >= BORDER && x < SIDE - BORDER && y >= BORDER && y < SIDE - BORDER;
            double w = (double)want[y * SIDE + x] / range + mean;
            if (inner || whole) assert_true(fabs((double)got[y * SIDE + x] - w) < 1e-4);
        }
    slb_model_free(m);
}

static void test_another_range_of_values_is_made_up_for(void **state)
{
    (void)state;
    check_range("input y bicubic\nconv 3 3x3 full relu\nconv 1 3x3 full\n", 0.4, false);
    check_range("input y bicubic\nconv 3 3x3 full relu\nconv 1 3x3 full\nadd input\n", 0.4, false);
    check_range("input y bicubic\nconv 3 3x3 full relu\nconv 1 3x3 full\nadd input\n", 0.0, true);
    check_range("input y bicubic\nconv 1 1x1 full\n", -0.3, true);
}

/* Where a shuffle comes last, four channels are one of the result. */
static void test_the_mean_goes_through_a_shuffle(void **state)
{
    (void)state;
    static const char net[] = "input rgb\nconv 12 1x1 full\nshuffle 2\n";
    static const double mean[] = {0.5, 0.25, 0.125};
    SlbError err = {0};
    SlbModel *m = float_model(net);
    for (int i = 0; i < 36; i++) m->conv[0].weight[i] = (float)i;
    for (int o = 0; o < 12; o++) m->conv[0].bias[o] = 8.0f;
    assert_int_equal(slb_foreign_rescale(m, 4.0, mean, &err), SLB_OK);
    for (int o = 0; o < 12; o++) {
        double sum = 3 * o * mean[0] + (3 * o + 1) * mean[1] + (3 * o + 2) * mean[2];
        assert_true(m->conv[0].weight[3 * o] == (float)(3 * o));
        assert_true(fabs((double)m->conv[0].bias[o] - (2.0 - sum + mean[o / 4])) < 1e-5);
    }
    slb_model_free(m);
}

static void test_networks_that_want_their_range_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "input y bicubic\nconv 1 3x3 full relu\n",
        "input y bicubic\nconv 1 3x3 full\nadd input\nconv 1 3x3 full\n",
        "input y bicubic\nconv 1 3x3 full\nlrelu\n",
        "input y bicubic\nconv 1 3x3 full\nname a\nconv 1 3x3 full\nadd a\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SlbError err = {0};
        SlbModel *m = float_model(bad[i]);
        const double mean = 0.0;
        assert_int_equal(slb_foreign_rescale(m, 255.0, &mean, &err), SLB_E_MODEL);
        slb_model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_range_of_values_is_made_up_for),
        cmocka_unit_test(test_the_mean_goes_through_a_shuffle),
        cmocka_unit_test(test_networks_that_want_their_range_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
