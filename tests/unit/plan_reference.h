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

static Size size_of(const SlbNode *node, Size z)
{
    return (Size){z.width * (uint32_t)node->scale, z.height * (uint32_t)node->scale};
}

static size_t elements(const SlbNode *node, Size z)
{
    size_t scale = (size_t)node->scale;
    return (size_t)z.width * z.height * scale * scale * (size_t)node->channels;
}

static void *tensor(const SlbNode *node, Size z, size_t size)
{
    void *t = slb_alloc(elements(node, z), size);
    assert_non_null(t);
    return t;
}

static void free_tensors(void **tensors, int count)
{
    for (int i = 0; i < count; i++) slb_free(tensors[i]);
}

/* Where element i of a shuffled tensor comes from. */
static size_t unshuffled(const SlbNode *node, Size z, size_t i)
{
    size_t channels = (size_t)node->channels, r = (size_t)node->factor;
    size_t width = size_of(node, z).width;
    size_t c = i % channels, x = i / channels % width, y = i / channels / width;
    return (y / r * (width / r) + x / r) * channels * r * r + c * r * r + y % r * r + x % r;
}

/* The network in double precision. */
static float *reference_float(const SlbModel *m, Size z, const float *in)
{
    const SlbGraph *g = m->graph;
    double *tensors[32];
    for (int n = 0; n < g->node_count; n++) {
        const SlbNode *node = &g->nodes[n];
        double *out = tensors[n] = tensor(node, z, sizeof *out);
        const double *a = n ? tensors[node->source[0]] : NULL;
        const double *b = node->source[1] >= 0 ? tensors[node->source[1]] : NULL;
        if (node->op == SLB_OP_CONV) {
            const SlbConvParams *c = &m->conv[node->conv];
            float *weight = slb_alloc(weight_count(c), sizeof *weight);
            slb_conv_effective(c, weight);
            reference_conv(c, weight, size_of(node, z), a, node->relu, out);
            slb_free(weight);
            continue;
        }
        for (size_t i = 0; i < elements(node, z); i++) switch (node->op) {
            case SLB_OP_INPUT: out[i] = (double)in[i]; break;
            case SLB_OP_ADD: out[i] = a[i] + b[i]; break;
            case SLB_OP_LRELU: out[i] = a[i] > 0.0 ? a[i] : (double)SLB_LRELU_SLOPE * a[i]; break;
            default: out[i] = a[unshuffled(node, z, i)];
            }
    }
    const SlbNode *last = &g->nodes[g->node_count - 1];
    float *result = tensor(last, z, sizeof *result);
    for (size_t i = 0; i < elements(last, z); i++) result[i] = (float)tensors[g->node_count - 1][i];
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

/* Codes less `zero`: pixels beyond the border are 0. */
static int32_t reference_sum(const SlbConvParams *c, int32_t bias, Size z, const uint8_t *in,
                             int zero, int64_t p, int o)
{
    const SlbLevels *levels = slb_levels(c->bits);
    int k = c->kernel, taps = k * k;
    int32_t sum = bias;
    for (int t = 0; t < taps; t++) {
        int64_t q = at(z, p % z.width + t % k - k / 2, p / z.width + t / k - k / 2);
        for (int i = 0; q >= 0 && i < c->in_channels; i++)
            sum += slb_level_integer(levels, c->level[(o * c->in_channels + i) * taps + t]) *
                   (in[q * c->in_channels + i] - zero);
    }
    return sum;
}

/* The step of the codes that node n is written in: that of its only reader when this is a low
 * layer, and n a conv with relu. */
static float written_step(const SlbModel *m, int n)
{
    const SlbGraph *g = m->graph;
    bool conv = g->nodes[n].op == SLB_OP_CONV && g->nodes[n].relu;
    for (int i = n + 1; conv && g->nodes[n].consumers == 1 && i < g->node_count; i++)
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

static float code_max(const Packed *r)
{
    return (float)slb_codes(r->model->act_bits, true).most;
}

static void packed_low(Packed *r, int n)
{
    const SlbNode *node = &r->model->graph->nodes[n];
    const SlbConvParams *c = &r->model->conv[node->conv];
    const SlbNode *from = &r->model->graph->nodes[node->source[0]];
    SlbCodes range = slb_codes(r->model->act_bits, from->positive);
    Size z = size_of(node, r->size);
    const uint8_t *codes = r->codes[node->source[0]];
    uint8_t *in = tensor(from, r->size, 1);
    for (size_t i = 0; i < elements(from, r->size); i++)
        in[i] = codes ? codes[i]
                      : slb_quantize(r->floats[node->source[0]][i],
                                     (float)(1.0 / (double)c->in_step), range);
    SlbError err = {0};
    SlbRequant q; /* the codes here are less their zero already */
    assert_int_equal(slb_requant_create(c, 0, written_step(r->model, n), &q, &err), SLB_OK);
    for (size_t i = 0; i < elements(node, r->size); i++) {
        size_t o = i % (size_t)node->channels, p = i / (size_t)node->channels;
        int32_t sum = reference_sum(c, q.bias[o], z, in, range.zero, (int64_t)p, (int)o);
        float v = (float)sum * q.multiplier[o];
        if (r->codes[n])
            r->codes[n][i] = slb_requant_u8(sum, q.multiplier[o], code_max(r));
        else
            r->floats[n][i] = node->relu && !(v > 0.0f) ? 0.0f : v;
    }
    slb_requant_free(&q);
    slb_free(in);
}

static void packed_full(Packed *r, int n)
{
    const SlbNode *node = &r->model->graph->nodes[n];
    const SlbConvParams *c = &r->model->conv[node->conv];
    for (size_t i = 0; i < elements(node, r->size); i++) {
        float v = reference_edge(c, size_of(node, r->size), r->floats[node->source[0]],
                                 (int64_t)i / c->out_channels, (int)i % c->out_channels);
        if (node->relu && !(v > 0.0f)) v = 0.0f;
        if (r->codes[n])
            r->codes[n][i] =
                slb_quantize_u8(v, (float)(1.0 / (double)written_step(r->model, n)), code_max(r));
        else
            r->floats[n][i] = v;
    }
}

static void packed_other(Packed *r, int n, const float *in)
{
    const SlbNode *node = &r->model->graph->nodes[n];
    const float *a = n ? r->floats[node->source[0]] : NULL;
    const float *b = node->source[1] >= 0 ? r->floats[node->source[1]] : NULL;
    float *out = r->floats[n];
    for (size_t i = 0; i < elements(node, r->size); i++) switch (node->op) {
        case SLB_OP_INPUT: out[i] = in[i]; break;
        case SLB_OP_ADD: out[i] = a[i] + b[i]; break;
        case SLB_OP_LRELU: out[i] = a[i] > 0.0f ? a[i] : SLB_LRELU_SLOPE * a[i]; break;
        default: out[i] = a[unshuffled(node, r->size, i)];
        }
}

static float *reference_packed(const SlbModel *m, Size z, const float *in)
{
    const SlbGraph *g = m->graph;
    Packed r = {.model = m, .size = z};
    for (int n = 0; n < g->node_count; n++) {
        const SlbNode *node = &g->nodes[n];
        if (written_step(m, n) > 0.0f)
            r.codes[n] = tensor(node, z, 1);
        else
            r.floats[n] = tensor(node, z, sizeof(float));
        if (node->op != SLB_OP_CONV)
            packed_other(&r, n, in);
        else if (node->low)
            packed_low(&r, n);
        else
            packed_full(&r, n);
    }
    float *result = r.floats[g->node_count - 1];
    r.floats[g->node_count - 1] = NULL;
    free_tensors((void **)r.floats, g->node_count);
    free_tensors((void **)r.codes, g->node_count);
    return result;
}

#endif
