/* Calibrated steps of activation codes against their neighbours, by the error that they make. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "quant/requant.h"
#include "train/calibrate.h"
#include "train/engine.h"

enum { CONVS = 5, PATCHES = 96 };

/* Inputs of low layers: the picture itself and a ReLU (never below 0), a sum and a leaky ReLU
 * (both signs), with a number of channels that is no multiple of 16. */
static const char net[] = "input rgb\n"
                          "conv 20 3x3 low\n"
                          "name head\n"
                          "conv 20 3x3 low norm relu\n"
                          "conv 20 3x3 low norm\n"
                          "add head\n"
                          "lrelu\n"
                          "conv 12 3x3 low norm\n"
                          "shuffle 2\n"
                          "conv 3 3x3 full\n";
static const bool positive[CONVS] = {true, false, true, false, false};

typedef struct Setup {
    SlbGraph *graph;
    SlbEngine *engine;
    SlbWeights *weights;
    SlbSlot *slot;
    SlbDataset dataset;
    SlbPatchKey key;
} Setup;

static void setup(Setup *s)
{
    static const char *const data[] = {SLBSR_SOURCE_DIR "/data/hr"};
    SlbError err = {0};
    memset(s, 0, sizeof *s);
    s->key = (SlbPatchKey){.seed = 3, .scale = 2, .side = 32, .channels = 3};
    assert_int_equal(slb_graph_parse(net, strlen(net), "test", &s->graph, &err), SLB_OK);
    assert_int_equal(slb_engine_create(s->graph,
                                       &(SlbEngineForm){.precision = SLB_FLOAT32, .act_bits = 32},
                                       &(SlbCpu){.level = SLB_CPU_C}, &s->engine, &err),
                     SLB_OK);
    assert_int_equal(slb_weights_create(s->engine, &s->weights, &err), SLB_OK);
    assert_int_equal(slb_slot_create(s->engine, 16, 16, true, &s->slot, &err), SLB_OK);
    assert_int_equal(slb_dataset_load(data, 1, 3, 40, 1, &s->dataset, &err), SLB_OK);
    for (int i = 0; i < s->graph->node_count; i++) {
        const SlbNode *n = &s->graph->nodes[i];
        if (n->op != SLB_OP_CONV) continue;
        int inputs = s->graph->nodes[n->source[0]].channels;
        size_t count = (size_t)(inputs * n->channels * n->kernel * n->kernel);
        float *weight = slb_alloc(count, sizeof *weight), bias[20] = {0};
        SlbRng rng = slb_rng(9, 1, (uint64_t)n->conv);
        for (size_t k = 0; k < count; k++) weight[k] = (float)(0.1 * slb_rng_normal(&rng));
        slb_weights_set(s->weights, s->engine, n->conv, weight, bias);
        slb_free(weight);
    }
}

static void teardown(Setup *s)
{
    slb_dataset_free(&s->dataset);
    slb_slot_free(s->slot);
    slb_weights_free(s->weights);
    slb_engine_free(s->engine);
    slb_graph_free(s->graph);
}

typedef struct Error {
    SlbCodes codes;
    float step;
    double sum;
    size_t values;
} Error;

static void add_errors(void *user, const float *values, size_t count)
{
    Error *e = user;
    for (size_t i = 0; i < count; i++) {
        int code = slb_quantize(values[i], 1.0f / e->step, e->codes) - e->codes.zero;
        double d = (double)values[i] - code * (double)e->step;
        e->sum += d * d;
    }
    e->values += count;
}

/* Squared error of the inputs of all convolutions, with steps `factor` times the calibrated. */
static void errors(Setup *s, int bits, const float *step, float factor, Error *error)
{
    size_t inputs = slb_patch_inputs(&s->key);
    float in[(16 * 16 + 32 * 32) * 3];
    for (int c = 0; c < CONVS; c++)
        error[c] = (Error){.codes = slb_codes(bits, positive[c]), .step = factor * step[c]};
    for (int p = 0; p < 200; p++) { /* others than those of the calibration */
        s->key.stream = 77;
        s->key.index = (uint64_t)p;
        assert_int_equal(slb_dataset_patch(&s->dataset, &s->key, in, in + inputs, NULL), SLB_OK);
        slb_forward(s->engine, s->weights, s->slot, in, 16, 16);
        for (int c = 0; c + 1 < CONVS; c++)
            slb_slot_visit_input(s->engine, s->slot, c, add_errors, &error[c]);
    }
}

/* Steps well below or above make it worse, on other patches of the same pictures; the channels that
 * only fill up are not counted. */
static void test_best(void **state)
{
    (void)state;
    static const int bits[] = {8, 4, 2, 1}, scales[] = {2};
    Setup s;
    setup(&s);
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
        float step[CONVS];
        Error best[CONVS], less[CONVS], more[CONVS];
        assert_int_equal(slb_calibrate(s.engine, s.graph, s.weights, &s.dataset, s.key, scales, 1,
                                       PATCHES, bits[b], step, NULL),
                         SLB_OK);
        errors(&s, bits[b], step, 1.0f, best);
        errors(&s, bits[b], step, 0.7f, less);
        errors(&s, bits[b], step, 1.4f, more);
        for (int c = 0; c + 1 < CONVS; c++) {
            assert_int_equal(best[c].values, (size_t)200 * 16 * 16 * (c ? 20 : 3));
            if (!(best[c].sum < less[c].sum && best[c].sum < more[c].sum))
                fail_msg("%d bits, conv %d, step %g: error %g, with smaller steps %g, larger %g",
                         bits[b], c, (double)step[c], best[c].sum, less[c].sum, more[c].sum);
        }
        assert_true(step[CONVS - 1] == 0); /* not low */
    }
    teardown(&s);
}

/* Finite weights whose tensors are not: told, and no histogram is made of them. */
static void test_infinite(void **state)
{
    (void)state;
    static const int scales[] = {2};
    static const float sizes[] = {3e38f, INFINITY, NAN};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Setup s;
        SlbError err = {0};
        float weight[3 * 3 * 9 * 20], bias[20] = {0}, step[CONVS];
        setup(&s);
        for (size_t k = 0; k < 20 * 3 * 9; k++) weight[k] = k % 2 ? sizes[i] : -sizes[i];
        slb_weights_set(s.weights, s.engine, 0, weight, bias);
        assert_int_equal(slb_calibrate(s.engine, s.graph, s.weights, &s.dataset, s.key, scales, 1,
                                       PATCHES, 8, step, &err),
                         SLB_E_MODEL);
        assert_non_null(strstr(err.message, "the inputs of conv01 are not finite"));
        teardown(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_best),
                                       cmocka_unit_test(test_infinite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
