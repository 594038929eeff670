/* The forward and the backward sweep over the nodes, and the loss. */
#include <math.h>
#include <string.h>

#include "train/engine_internal.h"

void slb_zero_border(const SlbSlot *slot, void *pixels, const Kept *kept)
{
    size_t pixel = kept->stride * element_bytes(kept), row = flat_row(slot);
    size_t margin = flat_margin(slot->width) * pixel;
    unsigned char *first = pixels;
    memset(first - margin, 0, margin);
    for (size_t y = 0; y < slot->height; y++)
        memset(first + (y * row + slot->width) * pixel, 0, pixel);
    memset(first + flat_pixels(slot) * pixel, 0, margin);
}

static float get(const Kept *kept, const void *data, size_t at)
{
    return kept->half ? slb_from_bf16(((const SlbBf16 *)data)[at]) : ((const float *)data)[at];
}

static void put(const Kept *kept, void *data, size_t at, float value)
{
    if (kept->half)
        ((SlbBf16 *)data)[at] = slb_to_bf16(value);
    else
        ((float *)data)[at] = value;
}

static void add_forward(const SlbEngine *e, SlbSlot *slot, int node)
{
    const SlbNode *n = &e->graph->nodes[node];
    const Kept *a = kept_of(e, slot, n->source[0]), *b = kept_of(e, slot, n->source[1]);
    const Kept *to = kept_of(e, slot, node);
    const void *x = tensor(e, slot, n->source[0]), *y = tensor(e, slot, n->source[1]);
    void *out = tensor(e, slot, node);
    for (size_t p = 0; p < flat_pixels(slot); p++)
        for (size_t c = 0; c < (size_t)n->channels; c++)
            put(to, out, p * to->stride + c,
                get(a, x, p * a->stride + c) + get(b, y, p * b->stride + c));
    slb_zero_border(slot, out, to);
}

void slb_forward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot, const float *in,
                 uint32_t width, uint32_t height)
{
    const SlbGraph *g = engine->graph;
    slot->width = width;
    slot->height = height;
    const Kept *kept = kept_of(engine, slot, 0);
    float *first = tensor(engine, slot, 0);
    size_t row = (size_t)width * kept->stride;
    for (size_t y = 0; y < height; y++)
        memcpy(first + y * flat_row(slot) * kept->stride, in + y * row, row * sizeof *in);
    slb_zero_border(slot, first, kept);
    for (int i = 1; i < g->node_count; i++) {
        if (g->nodes[i].op == SLB_OP_CONV)
            slb_conv_node_forward(engine, weights, slot, i);
        else
            add_forward(engine, slot, i);
    }
}

SlbView slb_slot_output(const SlbEngine *engine, SlbSlot *slot)
{
    int last = engine->graph->node_count - 1;
    return (SlbView){.data = tensor(engine, slot, last),
                     .row = flat_row(slot),
                     .stride = kept_of(engine, slot, last)->stride,
                     .channels = engine->graph->nodes[last].channels};
}

void slb_slot_visit_input(const SlbEngine *engine, const SlbSlot *slot, int conv,
                          void (*visit)(void *user, const float *values, size_t count), void *user)
{
    int node = engine->conv_node[conv]->source[0];
    const Kept *kept = kept_of(engine, slot, node);
    const float *data = tensor(engine, slot, node);
    for (size_t y = 0; y < slot->height; y++)
        visit(user, data + y * flat_row(slot) * kept->stride, slot->width * kept->stride);
}

/* The gradient of the output; returns the picture's share of the loss. */
static double loss_grad(const SlbEngine *e, SlbSlot *slot, const float *target, SlbLoss loss,
                        double samples)
{
    SlbView out = slb_slot_output(e, slot);
    int last = e->graph->node_count - 1;
    Kept kept = grad_kept(e, last);
    void *grad = grad_tensor(e, slot, last);
    memset(grad, 0, flat_pixels(slot) * kept.stride * element_bytes(&kept));
    double sum = 0;
    for (size_t y = 0; y < slot->height; y++)
        for (size_t x = 0; x < slot->width; x++)
            for (int c = 0; c < out.channels; c++) {
                size_t p = y * out.row + x;
                float d = out.data[p * out.stride + (size_t)c] - *target++;
                bool square = loss == SLB_LOSS_MSE;
                float slope = square ? 2.0f * d : (float)((d > 0.0f) - (d < 0.0f));
                sum += square ? (double)d * (double)d : fabs((double)d);
                put(&kept, grad, p * kept.stride + (size_t)c, slope / (float)samples);
            }
    slb_zero_border(slot, grad, &kept);
    return sum / samples;
}

/* The gradient of a sum goes to both sources. */
static void add_backward(const SlbEngine *e, SlbSlot *slot, int node, bool *written)
{
    const SlbNode *n = &e->graph->nodes[node];
    Kept from = grad_kept(e, node);
    const void *dy = grad_tensor(e, slot, node);
    for (int s = 0; s < 2; s++) {
        int source = n->source[s];
        if (e->graph->nodes[source].op == SLB_OP_INPUT) continue;
        Kept to = grad_kept(e, source);
        void *dx = grad_tensor(e, slot, source);
        for (size_t p = 0; p < flat_pixels(slot); p++)
            for (size_t c = 0; c < to.stride; c++) {
                float d = c < from.stride ? get(&from, dy, p * from.stride + c) : 0.0f;
                size_t at = p * to.stride + c;
                put(&to, dx, at, written[source] ? get(&to, dx, at) + d : d);
            }
        slb_zero_border(slot, dx, &to);
        written[source] = true;
    }
}

/* Multiplies a node's gradient by the derivative of its ReLU. */
static void close_gate(const SlbEngine *e, SlbSlot *slot, int node)
{
    const Kept *kept = &e->kept[node];
    Kept grad = grad_kept(e, node);
    const void *y = tensor(e, slot, node);
    void *dy = grad_tensor(e, slot, node);
    for (size_t i = 0; i < flat_pixels(slot) * kept->stride; i++)
        if (!(get(kept, y, i) > 0.0f)) put(&grad, dy, i, 0.0f);
}

double slb_backward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot,
                    const float *target, SlbLoss loss, double samples, SlbGrads *grads)
{
    const SlbGraph *g = engine->graph;
    bool written[SLB_MAX_NODES] = {false};
    double value = loss_grad(engine, slot, target, loss, samples);
    for (int i = g->node_count - 1; i > 0; i--) {
        const SlbNode *n = &g->nodes[i];
        if (n->op == SLB_OP_ADD) {
            add_backward(engine, slot, i, written);
            continue;
        }
        if (n->relu && !engine->kept[i].gate_fused) close_gate(engine, slot, i);
        slb_conv_node_backward_weights(engine, slot, i, grads);
        int source = n->source[0];
        if (g->nodes[source].op == SLB_OP_INPUT) continue;
        slb_conv_node_backward_data(engine, weights, slot, i, written[source]);
        written[source] = true;
    }
    return value;
}
