/* Model files: round trip, foreign float weights, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "net/model.h"
#include "net/safetensors.h"
#include "quant/levels.h"

static char path[64]; /* of this process alone: test programs run side by side */
static const char net_text[] = "input y bicubic\nconv 5 3x3 full relu\nconv 3 3x3 low norm relu\n"
                               "conv 3 1x1 low relu\nconv 1 3x3 full\nadd input\n";

static SlbGraph *graph_of(const char *text)
{
    SlbError err = {0};
    SlbGraph *g = NULL;
    assert_int_equal(slb_graph_parse(text, strlen(text), "t", &g, &err), SLB_OK);
    return g;
}

static size_t weights(const SlbConvParams *c)
{
    return (size_t)(c->out_channels * c->in_channels * c->kernel * c->kernel);
}

static SlbModel *random_model(int weight_bits, int act_bits)
{
    SlbError err = {0};
    SlbGraph *g = graph_of(net_text);
    SlbModel *m = NULL;
    assert_int_equal(slb_model_create(g, weight_bits, &m, &err), SLB_OK);
    slb_graph_free(g);
    SlbRng rng = slb_rng(7, 0, 0);
    m->act_bits = act_bits;
    for (int i = 0; i < m->graph->conv_count; i++) {
        SlbConvParams *c = &m->conv[i];
        for (size_t k = 0; k < weights(c); k++) {
            if (c->bits == 32)
                c->weight[k] = (float)slb_rng_normal(&rng);
            else
                c->level[k] = (uint8_t)slb_rng_below(&rng, 1u << c->bits);
        }
        for (int o = 0; o < c->out_channels; o++) {
            c->bias[o] = (float)slb_rng_normal(&rng);
            if (c->bits < 32) c->scale[o] = (float)slb_rng_uniform(&rng);
        }
        if (c->bits < 32 && act_bits < 32) c->in_step = 0.01f * (float)(i + 1);
    }
    m->scales = strdup("2,3,4");
    m->command = strdup("slbsr train --net vdsr");
    m->figures = strdup("Set5 x2 37.53");
    return m;
}

static void test_what_is_saved_is_loaded(void **state)
{
    (void)state;
    static const int bits[][2] = {{32, 32}, {4, 8}, {2, 8}, {2, 32}, {1, 8}};
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
        SlbError err = {0};
        SlbModel *m = random_model(bits[b][0], bits[b][1]), *r = NULL;
        assert_int_equal(slb_model_save(m, path, true, &err), SLB_OK);
        assert_int_equal(slb_model_save(m, path, false, &err), SLB_E_OUTPUT);
        assert_int_equal(slb_model_load(path, NULL, &r, &err), SLB_OK);
        assert_string_equal(r->graph->text, net_text);
        assert_string_equal(r->scales, "2,3,4");
        assert_string_equal(r->command, m->command);
        assert_string_equal(r->figures, m->figures);
        assert_int_equal(r->weight_bits, bits[b][0]);
        assert_int_equal(r->act_bits, bits[b][1]);
        for (int i = 0; i < m->graph->conv_count; i++) {
            const SlbConvParams *x = &m->conv[i], *y = &r->conv[i];
            assert_int_equal(y->bits, i == 1 || i == 2 ? bits[b][0] : 32);
            assert_memory_equal(x->bias, y->bias, (size_t)x->out_channels * 4);
            assert_true(x->in_step == y->in_step);
            if (x->bits == 32) {
                assert_memory_equal(x->weight, y->weight, weights(x) * 4);
                continue;
            }
            assert_memory_equal(x->level, y->level, weights(x));
            assert_memory_equal(x->scale, y->scale, (size_t)x->out_channels * 4);
        }
        slb_model_free(r);
        slb_model_free(m);
    }
    unlink(path);
}

static void test_effective_weights(void **state)
{
    (void)state;
    SlbModel *m = random_model(2, 8);
    const SlbConvParams *c = &m->conv[1];
    float w[3 * 5 * 9];
    slb_conv_effective(c, w);
    for (size_t i = 0; i < 135; i++) {
        double expected = (double)c->scale[i / 45] * ((2 * c->level[i] - 3) / 3.0);
        assert_true(fabs((double)w[i] - expected) <= 1e-7);
    }
    slb_model_free(m);
}

/* Writes what `change` makes of a good model's tensors and expects it refused with `message`. */
static void expect_refused(SlbTensor *tensors, size_t count, const SlbTensorMeta *meta,
                           size_t metas, const char *message)
{
    SlbError err = {0};
    SlbModel *m = NULL;
    assert_int_equal(slb_tensors_write(path, tensors, count, meta, metas, true, &err), SLB_OK);
    assert_int_equal(slb_model_load(path, NULL, &m, &err), SLB_E_MODEL);
    assert_null(m);
    if (!strstr(err.message, message)) fail_msg("'%s' lacks '%s'", err.message, message);
}

static void test_wrong_models_are_refused(void **state)
{
    (void)state;
    static float w0[9] = {1}, b0[1] = {0}, scale[1] = {1}, step[1] = {1};
    static uint8_t w1[2] = {0x55, 1};
    SlbTensor t[] = {{"conv00.weight", SLB_F32, 4, {1, 1, 3, 3}, 36, w0},
                     {"conv00.bias", SLB_F32, 1, {1}, 4, b0},
                     {"conv01.weight", SLB_U8, 1, {2}, 2, w1},
                     {"conv01.bias", SLB_F32, 1, {1}, 4, b0},
                     {"conv01.scale", SLB_F32, 1, {1}, 4, scale},
                     {"conv01.in_step", SLB_F32, 1, {1}, 4, step},
                     {"extra", SLB_U8, 1, {2}, 2, w1}};
    SlbTensorMeta meta[] = {{"format", "slbsr 1"},
                            {"net", "input y bicubic\nconv 1 3x3 full relu\nconv 1 3x3 low"},
                            {"weight_bits", "1"},
                            {"act_bits", "8"},
                            {"scales", "2"}};
    SlbError err = {0};
    SlbModel *m = NULL;
    assert_int_equal(slb_tensors_write(path, t, 6, meta, 5, true, &err), SLB_OK);
    assert_int_equal(slb_model_load(path, NULL, &m, &err), SLB_OK);
    slb_model_free(m);
    m = NULL;
    expect_refused(t, 7, meta, 5, "has 7 tensors");
    expect_refused(t, 5, meta, 5, "'conv01.in_step' is missing");
    expect_refused(t, 6, meta, 3, "act_bits");
    expect_refused(t, 6, meta, 1, "no net");
    expect_refused(t, 6, meta + 1, 4, "carries no network");
    meta[0].value = "slbsr 2";
    expect_refused(t, 6, meta, 5, "newer");
    meta[0].value = "slbsr 1";
    meta[2].value = "2";
    expect_refused(t, 6, meta, 5, "'conv01.weight' has another shape");
    meta[2].value = "3";
    expect_refused(t, 6, meta, 5, "weight_bits");
    meta[2].value = "1";
    meta[4].value = "2,";
    expect_refused(t, 6, meta, 5, "scales");
    meta[4].value = "2";
    meta[1].value = "input y bicubic\nconv 1024 3x3 full relu\nconv 1 3x3 low";
    expect_refused(t, 6, meta, 5, "another shape");
    meta[1].value = "input y bicubic\nconv 1 3x3 full relu\nrepeat 900\nconv 1 3x3 low\nend";
    expect_refused(t, 6, meta, 5, "missing");
    meta[1].value = "nonsense";
    expect_refused(t, 6, meta, 5, "line 1");
    meta[1].value = "input y bicubic\nconv 1 3x3 full relu\nconv 1 3x3 low";
    w1[1] = 3;
    expect_refused(t, 6, meta, 5, "behind its end");
    w1[1] = 1;
    const float wrong[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        w0[8] = wrong[i];
        expect_refused(t, 6, meta, 5, "'conv00.weight' has values that are not finite");
        w0[8] = 0;
        scale[0] = wrong[i];
        expect_refused(t, 6, meta, 5, "'conv01.scale'");
        scale[0] = 1;
        step[0] = wrong[i];
        expect_refused(t, 6, meta, 5, "'conv01.in_step'");
        step[0] = 1;
    }
    step[0] = 0;
    expect_refused(t, 6, meta, 5, "above 0");
    unlink(path);
}

static void test_models_that_could_not_be_read_are_not_written(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbModel *m = random_model(2, 8);
    m->conv[1].in_step = 0;
    assert_int_equal(slb_model_save(m, path, true, &err), SLB_E_MODEL);
    m->conv[1].in_step = 1;
    m->conv[0].weight[3] = NAN;
    assert_int_equal(slb_model_save(m, path, true, &err), SLB_E_MODEL);
    m->conv[0].weight[3] = 1;
    m->act_bits = 3;
    assert_int_equal(slb_model_save(m, path, true, &err), SLB_E_USAGE);
    assert_int_not_equal(access(path, F_OK), 0);
    slb_model_free(m);
}

static void test_foreign_float_weights(void **state)
{
    (void)state;
    static const char official[] = SLBSR_SHARED_DATA "/../ref/vdsr_official.safetensors";
    if (access(official, R_OK) != 0) {
        print_message("skipped: %s is missing\n", official);
        skip();
    }
    SlbError err = {0};
    SlbGraph *g = NULL;
    SlbModel *m = NULL;
    assert_int_equal(slb_model_load(official, NULL, &m, &err), SLB_E_MODEL);
    assert_int_equal(slb_graph_open("vdsr", &g, &err), SLB_OK);
    assert_int_equal(slb_model_load(official, g, &m, &err), SLB_OK);
    assert_int_equal(m->weight_bits, 32);
    assert_int_equal(m->graph->conv_count, 20);
    slb_model_free(m);
    slb_graph_free(g);
    m = NULL;
    g = graph_of(net_text);
    assert_int_equal(slb_model_load(official, g, &m, &err), SLB_E_MODEL);
    slb_graph_free(g);
}

static void test_every_failing_allocation_is_reported(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbModel *m = random_model(1, 8), *r = NULL;
    assert_int_equal(slb_model_save(m, path, true, &err), SLB_OK);
    slb_model_free(m);
    SlbStatus s = SLB_E_MEMORY;
    long n = 1;
    for (; s == SLB_E_MEMORY && n < 100; n++) {
        slb_mem_fail_at(n);
        s = slb_model_load(path, NULL, &r, &err);
        slb_mem_fail_at(0);
    }
    assert_int_equal(s, SLB_OK);
    assert_true(n > 10);
    slb_model_free(r);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_saved_is_loaded),
        cmocka_unit_test(test_effective_weights),
        cmocka_unit_test(test_wrong_models_are_refused),
        cmocka_unit_test(test_models_that_could_not_be_read_are_not_written),
        cmocka_unit_test(test_foreign_float_weights),
        cmocka_unit_test(test_every_failing_allocation_is_reported),
    };
    snprintf(path, sizeof path, "/tmp/slbsr_test_model_%ld", (long)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
