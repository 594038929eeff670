/* DoReFa weights: against the formulae of the paper, their gradients against differences of what
 * they are taken for, and from training through the model file to the integer engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "infer/plan.h"
#include "net/model.h"
#include "train/engine.h"
#include "train/train.h"

enum { OUT = 3, IN = 2, EACH = IN * 9, COUNT = OUT * EACH };

static const int all_bits[] = {1, 2, 4};

static void fill(float *values, size_t count, uint64_t stream, double scale)
{
    SlbRng rng = slb_rng(7, stream, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)(scale * slb_rng_normal(&rng));
}

/* A layer whose float weights are `w` and whose scales are 0.5, 1, 1.5. */
static void create(SlbLayer *layer, int bits, const float *w)
{
    const SlbNode node = {
        .op = SLB_OP_CONV, .channels = OUT, .kernel = 3, .low = true, .norm = true};
    assert_int_equal(
        slb_layer_create(layer, &node, IN,
                         &(SlbLayerForm){.method = &slb_method_dorefa, .weight_bits = bits}, NULL),
        SLB_OK);
    memcpy(layer->param[SLB_PARAM_WEIGHT].value, w, COUNT * sizeof *w);
    for (int o = 0; o < OUT; o++) layer->param[SLB_PARAM_SCALE].value[o] = 0.5f * (float)(o + 1);
}

/* The paper's words, for a whole layer; `round` false: what gradients take it for. */
static void formula(const float *w, int bits, bool rounded, double *d)
{
    double most = 0, mean = 0, n = (1 << bits) - 1;
    for (int i = 0; i < COUNT; i++) {
        most = fmax(most, fabs(tanh((double)w[i])));
        mean += fabs((double)w[i]) / COUNT;
    }
    for (int i = 0; i < COUNT; i++) {
        double x = tanh((double)w[i]) / (2 * most) + 0.5;
        if (bits == 1)
            d[i] = rounded ? (w[i] >= 0 ? mean : -mean) : (double)w[i];
        else
            d[i] = 2 * (rounded ? round(n * x) / n : x) - 1;
    }
}

static void test_values(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        SlbLayer layer;
        float w[COUNT], out[COUNT];
        double d[COUNT];
        fill(w, COUNT, 1, 0.4);
        w[5] = 0.0f;
        create(&layer, all_bits[b], w);
        formula(w, all_bits[b], true, d);
        layer.method->weights(&layer, 1.0, false, out);
        for (int i = 0; i < COUNT; i++)
            assert_true(fabs((double)out[i] - 0.5 * (i / EACH + 1) * d[i]) < 1e-6);
        slb_layer_free(&layer);
    }
}

/* f = sum g_i scale_o D'(w_i), D' without rounding. */
static double surrogate(const SlbLayer *layer, const float *g)
{
    double d[COUNT], sum = 0;
    formula(layer->param[SLB_PARAM_WEIGHT].value, layer->bits, false, d);
    for (int i = 0; i < COUNT; i++)
        sum += (double)g[i] * (double)layer->param[SLB_PARAM_SCALE].value[i / EACH] * d[i];
    return sum;
}

static void test_gradients(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        SlbLayer layer;
        float w[COUNT], g[COUNT], out[COUNT];
        fill(w, COUNT, 1, 0.4);
        fill(g, COUNT, 2, 1.0);
        create(&layer, all_bits[b], w);
        layer.method->backward(&layer, 1.0, false, g);
        SlbParam *p = &layer.param[SLB_PARAM_WEIGHT];
        for (size_t i = 0; i < COUNT; i++) {
            const float h = 1e-3f;
            float kept = p->value[i];
            p->value[i] = kept + h;
            double up = surrogate(&layer, g);
            p->value[i] = kept - h;
            double numeric = (up - surrogate(&layer, g)) / (2 * (double)h);
            p->value[i] = kept;
            if (!(fabs(numeric - (double)p->grad[i]) < 0.01))
                fail_msg("%d bits, weight %zu: %g, by differences %g", all_bits[b], i,
                         (double)p->grad[i], numeric);
        }
        layer.method->weights(&layer, 1.0, false, out);
        for (int o = 0; o < OUT; o++) { /* f is linear in the scales */
            double sum = 0;
            for (int i = o * EACH; i < (o + 1) * EACH; i++)
                sum += (double)g[i] * (double)out[i] / (0.5 * (o + 1));
            assert_true(fabs(sum - (double)layer.param[SLB_PARAM_SCALE].grad[o]) < 1e-4);
        }
        slb_layer_free(&layer);
    }
}

/* The start is near the float weights: what rounding to so few levels leaves of a normal
 * distribution (Max 1960: 0.363, 0.118, 0.0115 of its variance at best). */
static void test_start(void **state)
{
    (void)state;
    static const double most[] = {0.42, 0.18, 0.03};
    for (size_t b = 0; b < 3; b++) {
        SlbLayer layer;
        float w[COUNT], out[COUNT];
        double error = 0, norm = 0;
        fill(w, COUNT, 3, 0.05);
        create(&layer, all_bits[b], w);
        layer.method->init(&layer, w);
        layer.method->weights(&layer, 1.0, false, out);
        for (int i = 0; i < COUNT; i++) {
            error += pow((double)(out[i] - w[i]), 2);
            norm += pow((double)w[i], 2);
        }
        if (!(error < most[b] * norm))
            fail_msg("%d bits: %g of the variance lost", all_bits[b], error / norm);
        slb_layer_free(&layer);
    }
}

/* What the model file holds means exactly the weights of training. */
static void test_harden(void **state)
{
    (void)state;
    static const char net[] = "input y bicubic\nconv 2 1x1 full\nconv 3 3x3 low norm\n"
                              "conv 1 1x1 full\n";
    char path[] = "/tmp/slbsr-dorefa-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    for (size_t b = 0; b < 3; b++) {
        SlbGraph *graph;
        SlbModel *model, *again;
        SlbLayer layer;
        float w[COUNT], trained[COUNT], stored[COUNT];
        assert_int_equal(slb_graph_parse(net, strlen(net), "test", &graph, NULL), SLB_OK);
        assert_int_equal(slb_model_create(graph, all_bits[b], &model, NULL), SLB_OK);
        fill(w, COUNT, 4, 0.4);
        create(&layer, all_bits[b], w);
        layer.method->weights(&layer, 1.0, true, trained);
        layer.method->harden(&layer, &model->conv[1]);
        assert_int_equal(slb_model_save(model, path, true, NULL), SLB_OK);
        assert_int_equal(slb_model_load(path, NULL, &again, NULL), SLB_OK);
        slb_conv_effective(&again->conv[1], stored);
        for (int i = 0; i < COUNT; i++)
            assert_true(fabsf(stored[i] - trained[i]) <= 2e-7f * fabsf(trained[i]));
        slb_model_free(again);
        slb_model_free(model);
        slb_layer_free(&layer);
        slb_graph_free(graph);
    }
    unlink(path);
}

static double last_psnr, last_bicubic, last_sharpness;

static void keep(void *user, const SlbTrainReport *report)
{
    (void)user;
    last_sharpness = report->sharpness;
    if (!report->validated) return;
    last_psnr = report->psnr[0];
    last_bicubic = report->bicubic[0];
    assert_true(report->psnr[0] == report->psnr_soft[0]);
}

/* The packed engine against the engine in float32 on one picture of noise: rounding to 8 bits
 * apart, the same. */
static void compare_packed(const char *path)
{
    enum { WIDTH = 24, HEIGHT = 20, PIXELS = WIDTH * HEIGHT };
    SlbCpu cpu;
    SlbModel *model;
    float in[PIXELS], out[2][PIXELS];
    double error = 0, norm = 0;
    assert_true(slb_cpu_detect(&cpu));
    assert_int_equal(slb_model_load(path, NULL, &model, NULL), SLB_OK);
    for (int i = 0; i < PIXELS; i++)
        in[i] = (float)(0.5 + 0.3 * sin(0.7 * (i % WIDTH) + 0.4 * (i / WIDTH)));
    for (int packed = 0; packed < 2; packed++) {
        SlbPlan *plan;
        const SlbPlanOptions options = {.packed = packed, .level = cpu.level, .threads = 1};
        assert_int_equal(slb_plan_create(model, &options, &plan, NULL), SLB_OK);
        assert_int_equal(slb_plan_run(plan, in, out[packed], WIDTH, HEIGHT, NULL, NULL, NULL),
                         SLB_OK);
        slb_plan_free(plan);
    }
    for (int i = 0; i < PIXELS; i++) {
        error += pow((double)(out[0][i] - out[1][i]), 2);
        norm += pow((double)(out[0][i] - in[i]), 2); /* of what the network does */
    }
    if (!(error < 1e-3 * norm)) fail_msg("packed differs by %g of %g", error, norm);
    slb_model_free(model);
}

/* It learns under the same trainer and runs packed. */
static void test_trains(void **state)
{
    (void)state;
    static const char *const data[] = {SLBSR_SOURCE_DIR "/data/hr"};
    char path[] = "/tmp/slbsr-dorefa-XXXXXX", log[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    for (size_t b = 0; b < 3; b++) {
        SlbError err = {0};
        const SlbTrainOptions o = {.data = data,
                                   .data_count = 1,
                                   .net = SLBSR_SOURCE_DIR "/tests/train/tiny.net",
                                   .out = path,
                                   .val = data[0],
                                   .bits = all_bits[b],
                                   .method = &slb_method_dorefa,
                                   .scales = {2},
                                   .scale_count = 1,
                                   .steps = 300,
                                   .warmup = 2,
                                   .batch = 8,
                                   .patch = 17,
                                   .seed = 5,
                                   .rate = 2e-3,
                                   .logit_rate = 1,
                                   .clip = 0.4,
                                   .sharpness = 40,
                                   .threads = 2,
                                   .val_every = 300,
                                   .checkpoint_seconds = 1e9,
                                   .report = keep,
                                   .report_every = 100,
                                   .overwrite = true};
        if (slb_train(&o, &err) != SLB_OK) fail_msg("%s", err.message);
        if (!(last_psnr > last_bicubic + 0.2))
            fail_msg("%d bits: %g dB, bicubic %g dB", o.bits, last_psnr, last_bicubic);
        assert_true(last_sharpness == 0);
        compare_packed(path);
    }
    unlink(path);
    snprintf(log, sizeof log, "%s.csv", path);
    unlink(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_start),  cmocka_unit_test(test_harden),
        cmocka_unit_test(test_trains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
