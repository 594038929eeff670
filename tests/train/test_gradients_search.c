/* Gradients of the weight search against finite differences, and where the search starts. */
#include "train/gradients.h"
#include "train/layer.h"

/* f = sum_i g_i W_i(parameters): its gradient by the method against differences. */
static double functional(const SlbLayer *layer, double sharpness, const float *g, float *w)
{
    double sum = 0;
    layer->method->weights(layer, sharpness, false, w);
    for (size_t i = 0; i < slb_layer_weights(layer); i++) sum += (double)g[i] * (double)w[i];
    return sum;
}

static void check_param(SlbLayer *layer, SlbParam *param, double sharpness, const float *g,
                        float *w)
{
    const float h = 2e-3f;
    double largest = 0;
    for (size_t i = 0; i < param->size; i++) largest = fmax(largest, fabs((double)param->grad[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < param->size; i++) {
        float kept = param->value[i];
        param->value[i] = kept + h;
        double up = functional(layer, sharpness, g, w);
        param->value[i] = kept - h;
        double down = functional(layer, sharpness, g, w);
        param->value[i] = kept;
        double numeric = (up - down) / (2.0 * (double)h);
        if (!(fabs(numeric - (double)param->grad[i]) <= 0.01 * largest))
            fail_msg("bits %d, T %g, value %zu: %g, by differences %g", layer->bits, sharpness, i,
                     (double)param->grad[i], numeric);
    }
}

static void test_methods(void **state)
{
    (void)state;
    static const int bits[] = {32, 1, 2, 4};
    const SlbNode node = {.op = SLB_OP_CONV, .channels = 3, .kernel = 3, .low = true, .norm = true};
    for (size_t k = 0; k < sizeof bits / sizeof *bits; k++)
        for (double sharpness = 1.0; sharpness < 5.0; sharpness *= 3.0) {
            SlbLayer layer;
            SlbError err;
            float start[3 * 2 * 9], g[3 * 2 * 9], w[3 * 2 * 9];
            fill(start, 54, 50, 0.1);
            fill(g, 54, 51, 1.0);
            assert_int_equal(
                slb_layer_create(&layer, &node, 2,
                                 &(SlbLayerForm){.method = &slb_method_slb, .weight_bits = bits[k]},
                                 &err),
                SLB_OK);
            layer.method->init(&layer, start);
            layer.method->backward(&layer, sharpness, false, g);
            check_param(&layer, &layer.param[SLB_PARAM_WEIGHT], sharpness, g, w);
            if (layer.method->scaled)
                check_param(&layer, &layer.param[SLB_PARAM_SCALE], sharpness, g, w);
            slb_layer_free(&layer);
        }
}

/* At T = 1 the effective weights are those it started from, but for the tails. */
static void test_smooth_start(void **state)
{
    (void)state;
    static const int bits[] = {1, 2, 4};
    const SlbNode node = {.op = SLB_OP_CONV, .channels = 8, .kernel = 3, .low = true, .norm = true};
    enum { COUNT = 8 * 8 * 9 };
    float start[COUNT], w[COUNT];
    fill(start, COUNT, 60, 0.05);
    for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
        SlbLayer layer;
        SlbError err;
        double error = 0, norm = 0;
        assert_int_equal(
            slb_layer_create(&layer, &node, 8,
                             &(SlbLayerForm){.method = &slb_method_slb, .weight_bits = bits[k]},
                             &err),
            SLB_OK);
        layer.method->init(&layer, start);
        layer.method->weights(&layer, 1.0, false, w);
        for (int i = 0; i < COUNT; i++) {
            error += pow((double)(w[i] - start[i]), 2);
            norm += pow((double)start[i], 2);
        }
        assert_true(error < 0.04 * norm);
        slb_layer_free(&layer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_smooth_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
