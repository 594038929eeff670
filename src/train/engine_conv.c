/* Convolution nodes on flat tensors: which kernel, with which addresses. */
#include <string.h>

#include "train/engine_internal.h"

/* Offsets of the taps in pixels of the flat row. */
static int tap_offsets(const SlbSlot *slot, const Kept *kept, int taps,
                       ptrdiff_t offset[SLB_MAX_TAPS])
{
    ptrdiff_t row = (ptrdiff_t)flat_row(slot, kept);
    offset[0] = 0;
    for (int t = 0; taps == 9 && t < 9; t++) offset[t] = (t / 3 - 1) * row + t % 3 - 1;
    return taps;
}

static void run_f32(const SlbEngine *e, const SlbSlot *slot, const float *in, const Kept *from,
                    int in_channels, int taps, const float *weight, const float *bias, bool relu,
                    float *out, int out_channels)
{
    SlbConvF32 a = {.in_channels = in_channels,
                    .in_stride = from->stride,
                    .out = out,
                    .out_channels = out_channels,
                    .out_stride = (size_t)out_channels,
                    .pixels = flat_pixels(slot, from),
                    .weight = weight,
                    .bias = bias,
                    .relu = relu};
    ptrdiff_t offset[SLB_MAX_TAPS];
    a.taps = tap_offsets(slot, from, taps, offset);
    for (int t = 0; t < taps; t++) a.in[t] = in + offset[t] * (ptrdiff_t)from->stride;
    e->conv(&a);
}

static void run_half(const SlbEngine *e, const SlbSlot *slot, SlbConvBf16 *a, const SlbBf16 *in,
                     const Kept *from, int taps)
{
    ptrdiff_t offset[SLB_MAX_TAPS];
    a->taps = tap_offsets(slot, from, taps, offset);
    a->pixels = flat_pixels(slot, from);
    for (int t = 0; t < taps; t++) a->in[t] = in + offset[t] * (ptrdiff_t)a->in_stride;
    e->half->conv(a);
}

/* A tensor's pixels for Winograd's kernels. */
static SlbPlane plane_of(const SlbSlot *slot, const Kept *kept, void *pixels)
{
    return (SlbPlane){.pixels = pixels,
                      .stride = kept->stride,
                      .row = flat_row(slot, kept),
                      .channels = (int)kept->stride};
}

static void run_winograd(const SlbEngine *e, const SlbSlot *slot, const Kept *from, SlbWinograd *a)
{
    a->width = slot->width * (uint32_t)from->scale;
    a->height = slot->height * (uint32_t)from->scale;
    a->scratch = slot->scratch;
    e->winograd->conv(a);
}

void slb_conv_node_forward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot,
                           int node)
{
    const SlbNode *n = &engine->graph->nodes[node];
    const ConvWeights *c = &weights->conv[n->conv];
    const Kept *from = kept_of(engine, slot, n->source[0]), *to = kept_of(engine, slot, node);
    void *in = tensor(engine, slot, n->source[0]), *out = tensor(engine, slot, node);
    if (c->winograd) {
        SlbWinograd a = {.in = plane_of(slot, from, in),
                         .out = plane_of(slot, to, out),
                         .weight = c->forward,
                         .bias = c->bias,
                         .relu = n->relu};
        run_winograd(engine, slot, from, &a);
    } else if (from->half) {
        SlbConvBf16 a = {.in_channels = c->in + (c->in & 1),
                         .in_stride = from->stride,
                         .out = out,
                         .out_channels = c->out,
                         .out_stride = to->stride,
                         .weight = c->forward_half,
                         .bias = c->bias,
                         .relu = n->relu,
                         .out_float = !to->half};
        run_half(engine, slot, &a, in, from, c->taps);
    } else {
        float *floats = to->half ? (float *)(void *)slot->scratch : out;
        run_f32(engine, slot, in, from, c->in, c->taps, c->forward, c->bias, n->relu, floats,
                c->out);
        if (to->half) engine->ops->to_bf16(floats, flat_count(slot, to), out);
    }
}

void slb_conv_node_backward_data(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot,
                                 int node, bool add)
{
    const SlbNode *n = &engine->graph->nodes[node];
    int source = n->source[0];
    const ConvWeights *c = &weights->conv[n->conv];
    Kept from = grad_kept(engine, node), to = grad_kept(engine, source);
    void *dy = grad_tensor(engine, slot, node), *dx = grad_tensor(engine, slot, source);
    void *out = add ? slot->scratch : dx;
    size_t count = flat_count(slot, &to);
    if (c->winograd) {
        SlbWinograd a = {.in = plane_of(slot, &from, dy),
                         .out = plane_of(slot, &to, dx),
                         .weight = c->backward,
                         .gate = to.gate_fused ? tensor(engine, slot, source) : NULL,
                         .add = add};
        run_winograd(engine, slot, &from, &a);
    } else if (from.half) {
        SlbConvBf16 a = {.in_channels = c->back_in,
                         .in_stride = from.stride,
                         .out = out,
                         .out_channels = c->back_out,
                         .out_stride = to.stride,
                         .weight = c->backward_half};
        if (to.gate_fused && engine->kept[source].half) {
            a.gate = tensor(engine, slot, source);
            a.gate_stride = engine->kept[source].stride;
        }
        run_half(engine, slot, &a, dy, &from, c->taps);
        if (add) engine->ops->add_bf16(dx, out, count, dx);
    } else {
        run_f32(engine, slot, dy, &from, c->back_in, c->taps, c->backward, NULL, false, out,
                c->back_out);
        if (to.gate_fused) engine->ops->gate_f32(tensor(engine, slot, source), 0.0f, count, out);
        if (add) engine->ops->add_f32(dx, out, count, dx);
    }
    slb_zero_border(slot, dx, &to);
}

static void weights_half(const SlbEngine *engine, const SlbSlot *slot, const SlbNode *n,
                         const SlbBf16 *dy, size_t dy_stride, float *grad)
{
    const Kept *from = kept_of(engine, slot, n->source[0]);
    SlbGradBf16 a = {.in_channels = (int)from->stride,
                     .in_stride = from->stride,
                     .delta = dy,
                     .out_channels = slb_out_padded(n->channels),
                     .delta_stride = dy_stride,
                     .pixels = flat_pixels(slot, from),
                     .grad = grad,
                     .scratch = slot->scratch};
    const SlbBf16 *in = tensor(engine, slot, n->source[0]);
    ptrdiff_t offset[SLB_MAX_TAPS];
    a.taps = tap_offsets(slot, from, n->kernel * n->kernel, offset);
    for (int t = 0; t < a.taps; t++) a.in[t] = in + offset[t] * (ptrdiff_t)from->stride;
    engine->half->grad(&a);
}

static void weights_winograd(const SlbEngine *engine, const SlbSlot *slot, const SlbNode *n,
                             const Kept *to, void *dy, float *grad)
{
    const Kept *from = kept_of(engine, slot, n->source[0]);
    SlbWinogradGrad a = {.in = plane_of(slot, from, tensor(engine, slot, n->source[0])),
                         .delta = plane_of(slot, to, dy),
                         .width = slot->width * (uint32_t)from->scale,
                         .height = slot->height * (uint32_t)from->scale,
                         .grad = grad,
                         .scratch = slot->scratch};
    engine->winograd->grad(&a);
}

static void weights_f32(const SlbEngine *engine, const SlbSlot *slot, const SlbNode *n,
                        const float *dy, size_t dy_stride, float *grad)
{
    const Kept *from = kept_of(engine, slot, n->source[0]);
    SlbGradF32 a = {.in_channels = engine->graph->nodes[n->source[0]].channels,
                    .in_stride = from->stride,
                    .delta = dy,
                    .out_channels = slb_out_padded(n->channels),
                    .delta_stride = dy_stride,
                    .pixels = flat_pixels(slot, from),
                    .grad = grad};
    const float *in = tensor(engine, slot, n->source[0]);
    ptrdiff_t offset[SLB_MAX_TAPS];
    a.taps = tap_offsets(slot, from, n->kernel * n->kernel, offset);
    for (int t = 0; t < a.taps; t++) a.in[t] = in + offset[t] * (ptrdiff_t)from->stride;
    engine->grad(&a);
}

void slb_conv_node_backward_weights(const SlbEngine *engine, SlbSlot *slot, int node,
                                    SlbGrads *grads)
{
    const SlbNode *n = &engine->graph->nodes[node];
    const Kept *from = kept_of(engine, slot, n->source[0]);
    Kept to = grad_kept(engine, node);
    void *dy = grad_tensor(engine, slot, node);
    float *grad = grads->data + grads->weight_at[n->conv];
    float *bias = grads->data + grads->bias_at[n->conv];
    if (n->sbn) /* a bias before a normalization changes nothing */
        bias = NULL;
    else if (to.half)
        engine->ops->sum_bf16(dy, flat_pixels(slot, &to), to.stride, bias);
    else
        engine->ops->sum_f32(dy, flat_pixels(slot, &to), to.stride, bias);
    if (is_winograd(engine, n)) {
        weights_winograd(engine, slot, n, &to, dy, grad);
        return;
    }
    if (from->half) {
        weights_half(engine, slot, n, dy, to.stride, grad);
        return;
    }
    if (to.half) { /* a float input in a bf16 engine */
        float *floats = (float *)(void *)slot->scratch;
        engine->ops->to_f32(dy, flat_count(slot, &to), floats);
        dy = floats;
    }
    weights_f32(engine, slot, n, dy, to.stride, grad);
}
