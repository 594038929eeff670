/* What the tests of gradients share: a network with random weights, a picture and a target, and one
 * pass over them. */
#ifndef SLBSR_TESTS_TRAIN_GRADIENTS_H
#define SLBSR_TESTS_TRAIN_GRADIENTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "quant/requant.h"
#include "train/engine.h"

enum { WIDTH = 7, HEIGHT = 5 };

typedef struct Setup {
    SlbGraph *graph;
    SlbEngine *engine;
    SlbWeights *weights;
    SlbSlot *slot;
    SlbGrads *grads;
    float *weight[8], *bias[8];
    size_t size[8];
    int outputs[8], taps[8], convs;
    size_t samples; /* of the output */
    float in[WIDTH * HEIGHT * 3], target[WIDTH * HEIGHT * 3 * 16];
} Setup;

static inline void fill(float *values, size_t count, uint64_t stream, double scale)
{
    SlbRng rng = slb_rng(7, stream, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)(scale * slb_rng_normal(&rng));
}

/* Steps of codes that clip a few of the values. */
static inline float step_of(const SlbGraph *graph, int conv, int act_bits)
{
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].op == SLB_OP_CONV && graph->nodes[i].conv == conv) {
            SlbCodes codes = slb_codes(act_bits, graph->nodes[graph->nodes[i].source[0]].positive);
            return 2.0f / (float)(codes.most - codes.zero);
        }
    return 0;
}

static inline void setup(Setup *s, const char *net_text, SlbPrecision precision, int act_bits,
                         SlbCpu cpu)
{
    SlbError err = {0};
    memset(s, 0, sizeof *s);
    assert_int_equal(slb_graph_parse(net_text, strlen(net_text), "test", &s->graph, &err), SLB_OK);
    assert_int_equal(
        slb_engine_create(
            s->graph,
            &(SlbEngineForm){.precision = precision, .act_bits = act_bits, .normalize = true}, &cpu,
            &s->engine, &err),
        SLB_OK);
    assert_int_equal(slb_weights_create(s->engine, &s->weights, &err), SLB_OK);
    assert_int_equal(slb_slot_create(s->engine, WIDTH, HEIGHT, true, &s->slot, &err), SLB_OK);
    assert_int_equal(slb_grads_create(s->engine, &s->grads, &err), SLB_OK);
    for (int i = 0; i < s->graph->node_count; i++) {
        const SlbNode *n = &s->graph->nodes[i];
        if (n->op != SLB_OP_CONV) continue;
        int inputs = s->graph->nodes[n->source[0]].channels;
        size_t fan_in = (size_t)(inputs * n->kernel * n->kernel);
        s->outputs[n->conv] = n->channels;
        s->taps[n->conv] = n->kernel * n->kernel;
        s->size[n->conv] = fan_in * (size_t)n->channels;
        s->weight[n->conv] = slb_alloc(s->size[n->conv], sizeof(float));
        s->bias[n->conv] = slb_alloc((size_t)n->channels, sizeof(float));
        fill(s->weight[n->conv], s->size[n->conv], 10 + (uint64_t)n->conv,
             sqrt(2.0 / (double)fan_in));
        fill(s->bias[n->conv], (size_t)n->channels, 30 + (uint64_t)n->conv, 0.2);
        s->convs++;
        if (act_bits < 32 && n->low)
            slb_weights_set_step(s->weights, s->engine, n->conv,
                                 step_of(s->graph, n->conv, act_bits));
    }
    size_t scale = (size_t)s->graph->scale, channels = (size_t)s->graph->nodes[0].channels;
    s->samples = WIDTH * HEIGHT * scale * scale * channels;
    fill(s->in, WIDTH * HEIGHT * channels, 1, 1.0);
    fill(s->target, s->samples, 2, 1.0);
}

static inline void teardown(Setup *s)
{
    for (int c = 0; c < s->convs; c++) {
        slb_free(s->weight[c]);
        slb_free(s->bias[c]);
    }
    slb_grads_free(s->grads);
    slb_slot_free(s->slot);
    slb_weights_free(s->weights);
    slb_engine_free(s->engine);
    slb_graph_free(s->graph);
}

static inline double pass(Setup *s, SlbLoss loss)
{
    for (int c = 0; c < s->convs; c++)
        slb_weights_set(s->weights, s->engine, c, s->weight[c], s->bias[c]);
    slb_grads_zero(s->grads);
    slb_forward(s->engine, s->weights, s->slot, s->in, WIDTH, HEIGHT);
    const SlbAim aim = {.loss = loss, .samples = (double)s->samples, .target = s->target};
    return slb_backward(s->engine, s->weights, s->slot, &aim, s->grads);
}

#endif
