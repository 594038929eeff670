/* Networks run naively, for test_plan.c: whole tensors [pixel][channel], one output after the
 * other. Float networks in double precision; packed ones in the integers of quant/requant.h. */
#ifndef TESTS_UNIT_PLAN_REFERENCE_H
#define TESTS_UNIT_PLAN_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "net/model.h"
#include "quant/levels.h"
#include "quant/requant.h"

typedef struct Size {
    uint32_t width, height;
} Size;

static size_t weight_count(const SlbConvParams *c)
{
    return (size_t)(c->out_channels * c->in_channels * c->kernel * c->kernel);
}

static int64_t at(Size z, int64_t x, int64_t y)
{
    bool inside = x >= 0 && y >= 0 && x < z.width && y < z.height;
    return inside ? y * z.width + x : -1;
}

static void reference_conv(const SlbConvParams *c, const float *weight, Size z, const double *in,
                           bool relu, double *out)
{
    int k = c->kernel, taps = k * k;
    for (int64_t p = 0; p < (int64_t)z.width * z.height; p++)
        for (int o = 0; o < c->out_channels; o++) {
            double sum = (double)c->bias[o];
            for (int t = 0; t < taps; t++) {
                int64_t q = at(z, p % z.width + t % k - k / 2, p / z.width + t / k - k / 2);
                for (int i = 0; q >= 0 && i < c->in_channels; i++)
                    sum += (double)weight[(o * c->in_channels + i) * taps + t] *
                           in[q * c->in_channels + i];
            }
            out[p * c->out_channels + o] = relu && sum < 0.0 ? 0.0 : sum;
        }
}

static void *tensor(const SlbNode *node, Size z, size_t size)
{
    void *t = slb_alloc((size_t)z.width * z.height * (size_t)node->channels, size);
    assert_non_null(t);
    return t;
}

static void free_tensors(void **tensors, int count)
{
    for (int i = 0; i < count; i++) slb_free(tensors[i]);
}

/* The network in double precision. */
static float *reference_float(const SlbModel *m, Size z, const float *in)
{
    const SlbGraph *g = m->graph;
    size_t pixels = (size_t)z.width * z.height;
    double *tensors[32];
    for (int n = 0; n < g->node_count; n++) {
        const SlbNode *node = &g->nodes[n];
        double *out = tensors[n] = tensor(node, z, sizeof *out);
        if (node->op == SLB_OP_CONV) {
            const SlbConvParams *c = &m->conv[node->conv];
            float *weight = slb_alloc(weight_count(c), sizeof *weight);
            slb_conv_effective(c, weight);
            reference_conv(c, weight, z, tensors[node->source[0]], node->relu, out);
            slb_free(weight);
            continue;
        }
        for (size_t i = 0; i < pixels * (size_t)node->channels; i++)
            out[i] = node->op == SLB_OP_INPUT
                         ? (double)in[i]
                         : tensors[node->source[0]][i] + tensors[node->source[1]][i];
    }
    float *result = slb_alloc(pixels, sizeof *result);
    for (size_t i = 0; i < pixels; i++) result[i] = (float)tensors[g->node_count - 1][i];
    free_tensors((void **)tensors, g->node_count);
    return result;
}

/* One output of a full layer of a packed plan, in the order that kern/edge.h promises. */
static float reference_edge(const SlbConvParams *c, Size z, const float *in, int64_t p, int o)
{
    int k = c->kernel, taps = k * k;
    float part[16] = {0};
    for (int t = 0; t < taps; t++) {
        int64_t q = at(z, p % z.width + t % k - k / 2, p / z.width + t / k - k / 2);
        for (int i = 0; q >= 0 && i < c->in_channels; i++)
            part[i % 16] +=
                c->weight[(o * c->in_channels + i) * taps + t] * in[q * c->in_channels + i];
    }
    for (int half = 8; half; half /= 2)
        for (int j = 0; j < half; j++) part[j] += part[j + half];
    return part[0] + c->bias[o];
}

static int32_t reference_sum(const SlbConvParams *c, int32_t bias, Size z, const uint8_t *in,
                             int64_t p, int o)
{
    const SlbLevels *levels = slb_levels(c->bits);
    int k = c->kernel, taps = k * k;
    int32_t sum = bias;
    for (int t = 0; t < taps; t++) {
        int64_t q = at(z, p % z.width + t % k - k / 2, p / z.width + t / k - k / 2);
        for (int i = 0; q >= 0 && i < c->in_channels; i++)
            sum += slb_level_integer(levels, c->level[(o * c->in_channels + i) * taps + t]) *
                   in[q * c->in_channels + i];
    }
    return sum;
}

/* The step of the codes that node n is written in: that of its only reader when this is a low
 * layer. */
static float written_step(const SlbModel *m, int n)
{
    const SlbGraph *g = m->graph;
    for (int i = n + 1; g->nodes[n].consumers == 1 && i < g->node_count; i++)
        if (g->nodes[i].source[0] == n && g->nodes[i].low) return m->conv[g->nodes[i].conv].in_step;
    return 0.0f;
}

/* Tensors of a packed network: floats, or codes where written_step is not 0. */
typedef struct Packed {
    const SlbModel *model;
    Size size;
    float *floats[32];
    uint8_t *codes[32];
} Packed;

static void packed_low(Packed *r, int n)
{
    const SlbNode *node = &r->model->graph->nodes[n];
    const SlbConvParams *c = &r->model->conv[node->conv];
    int source = node->source[0];
    size_t pixels = (size_t)r->size.width * r->size.height;
    uint8_t *in = r->codes[source];
    if (!in) {
        in = tensor(&r->model->graph->nodes[source], r->size, 1);
        for (size_t i = 0; i < pixels * (size_t)c->in_channels; i++)
            in[i] =
                slb_quantize_u8(r->floats[source][i], (float)(1.0 / (double)c->in_step), 255.0f);
    }
    SlbError err = {0};
    SlbRequant q;
    assert_int_equal(slb_requant_create(c, 0, written_step(r->model, n), &q, &err), SLB_OK);
    for (size_t p = 0; p < pixels; p++)
        for (int o = 0; o < c->out_channels; o++) {
            int32_t sum = reference_sum(c, q.bias[o], r->size, in, (int64_t)p, o);
            size_t i = p * (size_t)c->out_channels + (size_t)o;
            float v = (float)sum * q.multiplier[o];
            if (r->codes[n])
                r->codes[n][i] = slb_requant_u8(sum, q.multiplier[o], 255.0f);
            else
                r->floats[n][i] = node->relu && !(v > 0.0f) ? 0.0f : v;
        }
    slb_requant_free(&q);
    if (in != r->codes[source]) slb_free(in);
}

static void packed_full(Packed *r, int n)
{
    const SlbNode *node = &r->model->graph->nodes[n];
    const SlbConvParams *c = &r->model->conv[node->conv];
    for (size_t i = 0; i < (size_t)r->size.width * r->size.height * (size_t)c->out_channels; i++) {
        float v = reference_edge(c, r->size, r->floats[node->source[0]],
                                 (int64_t)i / c->out_channels, (int)i % c->out_channels);
        if (node->relu && !(v > 0.0f)) v = 0.0f;
        if (r->codes[n])
            r->codes[n][i] =
                slb_quantize_u8(v, (float)(1.0 / (double)written_step(r->model, n)), 255.0f);
        else
            r->floats[n][i] = v;
    }
}

static float *reference_packed(const SlbModel *m, Size z, const float *in)
{
    const SlbGraph *g = m->graph;
    size_t pixels = (size_t)z.width * z.height;
    Packed r = {.model = m, .size = z};
    for (int n = 0; n < g->node_count; n++) {
        const SlbNode *node = &g->nodes[n];
        if (node->op == SLB_OP_CONV && node->relu && written_step(m, n) > 0.0f)
            r.codes[n] = tensor(node, z, 1);
        else
            r.floats[n] = tensor(node, z, sizeof(float));
        if (node->op == SLB_OP_CONV && node->low)
            packed_low(&r, n);
        else if (node->op == SLB_OP_CONV)
            packed_full(&r, n);
        else
            for (size_t i = 0; i < pixels * (size_t)node->channels; i++)
                r.floats[n][i] = node->op == SLB_OP_INPUT
                                     ? in[i]
                                     : r.floats[node->source[0]][i] + r.floats[node->source[1]][i];
    }
    float *result = r.floats[g->node_count - 1];
    r.floats[g->node_count - 1] = NULL;
    free_tensors((void **)r.floats, g->node_count);
    free_tensors((void **)r.codes, g->node_count);
    return result;
}

#endif
