/* The forward and the backward sweep over the nodes, and the loss. */
#include <math.h>
#include <string.h>

#include "train/engine_internal.h"

void slb_zero_border(const SlbSlot *slot, void *pixels, const Kept *kept)
{
    size_t pixel = kept->stride * element_bytes(kept), row = flat_row(slot, kept);
    size_t margin = flat_margin(row) * pixel, rows = (size_t)slot->height * (size_t)kept->scale;
    unsigned char *first = pixels;
    memset(first - margin, 0, margin);
    for (size_t y = 1; y <= rows; y++) memset(first + (y * row - 1) * pixel, 0, pixel);
    memset(first + flat_pixels(slot, kept) * pixel, 0, margin);
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

/* Channels that are there for kernels alone are zeros: with weights of zero, too, what another
 * tensor left there could come out as no number. */
static void clear_padding(const SlbSlot *slot, const Kept *kept, void *data, size_t channels)
{
    size_t bytes = element_bytes(kept), more = (kept->stride - channels) * bytes;
    if (!more) return;
    for (size_t p = 0; p < flat_pixels(slot, kept); p++)
        memset((unsigned char *)data + (p * kept->stride + channels) * bytes, 0, more);
}

static bool same_form(const Kept *a, const Kept *b)
{
    return a->half == b->half && a->stride == b->stride;
}

/* out = a + b over whole tensors of one resolution; strides and types may differ. */
static void add_tensors(const SlbEngine *e, const SlbSlot *slot, const Kept *a, const void *x,
                        const Kept *b, const void *y, const Kept *to, void *out, size_t channels)
{
    if (same_form(a, b) && same_form(a, to)) {
        if (to->half)
            e->ops->add_bf16(x, y, flat_count(slot, to), out);
        else
            e->ops->add_f32(x, y, flat_count(slot, to), out);
        return;
    }
    for (size_t p = 0; p < flat_pixels(slot, to); p++)
        for (size_t c = 0; c < channels; c++)
            put(to, out, p * to->stride + c,
                get(a, x, p * a->stride + c) + get(b, y, p * b->stride + c));
    clear_padding(slot, to, out, channels);
}

static void add_forward(const SlbEngine *e, SlbSlot *slot, int node)
{
    const SlbNode *n = &e->graph->nodes[node];
    add_tensors(e, slot, kept_of(e, slot, n->source[0]), tensor(e, slot, n->source[0]),
                kept_of(e, slot, n->source[1]), tensor(e, slot, n->source[1]),
                kept_of(e, slot, node), tensor(e, slot, node), (size_t)n->channels);
}

static void leak_forward(const SlbEngine *e, SlbSlot *slot, int node)
{
    const SlbNode *n = &e->graph->nodes[node];
    const Kept *from = kept_of(e, slot, n->source[0]), *to = kept_of(e, slot, node);
    const void *in = tensor(e, slot, n->source[0]);
    void *out = tensor(e, slot, node);
    if (same_form(from, to) && to->half)
        e->ops->leak_bf16(in, SLB_LRELU_SLOPE, flat_count(slot, to), out);
    else if (same_form(from, to))
        e->ops->leak_f32(in, SLB_LRELU_SLOPE, flat_count(slot, to), out);
    else { /* of the input itself */
        for (size_t p = 0; p < flat_pixels(slot, to); p++)
            for (size_t c = 0; c < (size_t)n->channels; c++) {
                float v = get(from, in, p * from->stride + c);
                put(to, out, p * to->stride + c, v > 0.0f ? v : SLB_LRELU_SLOPE * v);
            }
        clear_padding(slot, to, out, (size_t)n->channels);
    }
}

/* Copies between the tensor before a shuffle (`small`, `before`) and that behind it; back: from
 * behind to before. One pixel of the larger one is a run of values R * R apart in the smaller. */
static void shuffle_pixels(const SlbSlot *slot, const SlbNode *n, const Kept *small, void *before,
                           const Kept *large, void *behind, bool back)
{
    size_t r = (size_t)n->factor, step = r * r, small_row = flat_row(slot, small);
    size_t width = small_row - 1, rows = (size_t)slot->height * (size_t)small->scale;
    for (size_t y = 0; y < rows * r; y++)
        for (size_t x = 0; x < width * r; x++) {
            size_t a = ((y / r) * small_row + x / r) * small->stride + y % r * r + x % r;
            size_t b = (y * flat_row(slot, large) + x) * large->stride;
            if (small->half && large->half) {
                SlbBf16 *from = (SlbBf16 *)before + a, *to = (SlbBf16 *)behind + b;
                for (size_t c = 0; c < (size_t)n->channels; c++) {
                    if (back)
                        from[c * step] = to[c];
                    else
                        to[c] = from[c * step];
                }
                continue;
            }
            for (size_t c = 0; c < (size_t)n->channels; c++) {
                if (back)
                    put(small, before, a + c * step, get(large, behind, b + c));
                else
                    put(large, behind, b + c, get(small, before, a + c * step));
            }
        }
}

static void shuffle_forward(const SlbEngine *e, SlbSlot *slot, int node)
{
    const SlbNode *n = &e->graph->nodes[node];
    const Kept *to = kept_of(e, slot, node);
    shuffle_pixels(slot, n, kept_of(e, slot, n->source[0]), tensor(e, slot, n->source[0]), to,
                   tensor(e, slot, node), false);
    clear_padding(slot, to, tensor(e, slot, node), (size_t)n->channels);
}

static void quantize_forward(const SlbEngine *e, const SlbWeights *weights, SlbSlot *slot, int node)
{
    const SlbNode *n = &e->graph->nodes[node];
    const SlbQuantizer *q = &weights->conv[n->conv].quantizer;
    const Kept *from = kept_of(e, slot, n->source[0]), *to = kept_of(e, slot, node);
    const void *in = tensor(e, slot, n->source[0]);
    void *out = tensor(e, slot, node);
    if (!same_form(from, to)) { /* of the input itself */
        for (size_t p = 0; p < flat_pixels(slot, to); p++)
            for (size_t c = 0; c < (size_t)n->channels; c++)
                put(to, out, p * to->stride + c, get(from, in, p * from->stride + c));
        clear_padding(slot, to, out, (size_t)n->channels);
        in = out;
    }
    size_t count = flat_count(slot, to);
    if (!(q->step > 0.0f)) {
        if (in != out) memcpy(out, in, count * element_bytes(to));
    } else if (to->half) {
        e->ops->quantize_bf16(in, q, count, out);
    } else {
        e->ops->quantize_f32(in, q, count, out);
    }
}

static void node_forward(const SlbEngine *e, const SlbWeights *weights, SlbSlot *slot, int node)
{
    switch ((int)e->graph->nodes[node].op) {
    case OP_QUANTIZE: quantize_forward(e, weights, slot, node); break;
    case SLB_OP_CONV: slb_conv_node_forward(e, weights, slot, node); break;
    case SLB_OP_ADD: add_forward(e, slot, node); break;
    case SLB_OP_LRELU: leak_forward(e, slot, node); break;
    case SLB_OP_SHUFFLE: shuffle_forward(e, slot, node); break;
    default: break;
    }
    slb_zero_border(slot, tensor(e, slot, node), kept_of(e, slot, node));
}

void slb_sweep_input(const SlbEngine *engine, SlbSlot *slot, const float *in, uint32_t width,
                     uint32_t height)
{
    slot->width = width;
    slot->height = height;
    const Kept *kept = kept_of(engine, slot, 0);
    float *first = tensor(engine, slot, 0);
    size_t row = (size_t)width * kept->stride;
    for (size_t y = 0; y < height; y++)
        memcpy(first + y * flat_row(slot, kept) * kept->stride, in + y * row, row * sizeof *in);
    slb_zero_border(slot, first, kept);
}

void slb_sweep_forward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot, int from,
                       int to)
{
    for (int i = from; i < to; i++) node_forward(engine, weights, slot, i);
}

void slb_forward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot, const float *in,
                 uint32_t width, uint32_t height)
{
    slb_sweep_input(engine, slot, in, width, height);
    slb_sweep_forward(engine, weights, slot, 1, engine->graph->node_count);
}

SlbView slb_slot_output(const SlbEngine *engine, SlbSlot *slot)
{
    int last = engine->graph->node_count - 1;
    return (SlbView){.data = tensor(engine, slot, last),
                     .row = flat_row(slot, kept_of(engine, slot, last)),
                     .stride = kept_of(engine, slot, last)->stride,
                     .channels = engine->graph->nodes[last].channels};
}

void slb_slot_visit_input(const SlbEngine *engine, const SlbSlot *slot, int conv,
                          void (*visit)(void *user, const float *values, size_t count), void *user)
{
    int node = engine->conv_node[conv]->source[0];
    const Kept *kept = kept_of(engine, slot, node);
    const float *data = tensor(engine, slot, node);
    size_t row = flat_row(slot, kept), rows = (size_t)slot->height * (size_t)kept->scale;
    size_t channels = (size_t)engine->graph->nodes[node].channels, stride = kept->stride;
    for (size_t y = 0; y < rows; y++, data += row * stride) {
        if (channels == stride) visit(user, data, (row - 1) * stride);
        for (size_t x = 0; channels < stride && x + 1 < row; x++)
            visit(user, data + x * stride, channels);
    }
}

/* The loss of one sample off by `d`; adds `share` of its derivative to *slope. */
static double loss_of(SlbLoss loss, float d, float share, float *slope)
{
    if (loss == SLB_LOSS_MSE) {
        *slope += share * 2.0f * d;
        return (double)share * (double)d * (double)d;
    }
    *slope += share * (float)((d > 0.0f) - (d < 0.0f));
    return (double)share * fabs((double)d);
}

/* The gradient of the output; returns the picture's share of the loss. */
double slb_sweep_loss(const SlbEngine *e, SlbSlot *slot, const SlbAim *aim)
{
    SlbView out = slb_slot_output(e, slot);
    int last = e->graph->node_count - 1;
    Kept kept = grad_kept(e, last);
    void *grad = grad_tensor(e, slot, last);
    memset(slot->written, 0, sizeof slot->written);
    memset(grad, 0, flat_count(slot, &kept) * element_bytes(&kept));
    float share = aim->teacher ? (float)aim->teacher_share : 0.0f;
    double sum = 0;
    size_t scale = (size_t)kept.scale, at = 0;
    for (size_t y = 0; y < slot->height * scale; y++)
        for (size_t x = 0; x < slot->width * scale; x++)
            for (int c = 0; c < out.channels; c++, at++) {
                size_t p = y * out.row + x;
                float v = out.data[p * out.stride + (size_t)c], slope = 0.0f;
                sum += loss_of(aim->loss, v - aim->target[at], 1.0f - share, &slope);
                if (share > 0.0f) sum += loss_of(aim->loss, v - aim->teacher[at], share, &slope);
                put(&kept, grad, p * kept.stride + (size_t)c, slope / (float)aim->samples);
            }
    slb_zero_border(slot, grad, &kept);
    return sum / aim->samples;
}

/* The gradient of a sum goes to both sources. */
static void add_backward(const SlbEngine *e, SlbSlot *slot, int node)
{
    const SlbNode *n = &e->graph->nodes[node];
    Kept from = grad_kept(e, node);
    const void *dy = grad_tensor(e, slot, node);
    for (int s = 0; s < 2; s++) {
        int source = n->source[s];
        if (e->graph->nodes[source].op == SLB_OP_INPUT) continue;
        Kept to = grad_kept(e, source);
        void *dx = grad_tensor(e, slot, source);
        if (slot->written[source])
            add_tensors(e, slot, &from, dy, &to, dx, &to, dx, (size_t)n->channels);
        else if (same_form(&from, &to))
            memcpy(dx, dy, flat_count(slot, &to) * element_bytes(&to));
        else
            for (size_t p = 0; p < flat_pixels(slot, &to); p++)
                for (size_t c = 0; c < to.stride; c++)
                    put(&to, dx, p * to.stride + c,
                        c < from.stride ? get(&from, dy, p * from.stride + c) : 0.0f);
        slb_zero_border(slot, dx, &to);
        slot->written[source] = true;
    }
}

void slb_close_gate(const SlbEngine *e, SlbSlot *slot, int node, float slope)
{
    const Kept *kept = &e->kept[node];
    Kept grad = grad_kept(e, node);
    const void *y = tensor(e, slot, node);
    void *dy = grad_tensor(e, slot, node);
    size_t count = flat_count(slot, kept);
    if (kept->half && grad.half)
        e->ops->gate_bf16(y, slope, count, dy);
    else if (!kept->half && !grad.half)
        e->ops->gate_f32(y, slope, count, dy);
    else
        for (size_t i = 0; i < count; i++)
            if (!(get(kept, y, i) > 0.0f)) put(&grad, dy, i, slope * get(&grad, dy, i));
}

/* The gradient goes on to the source as it is, or is added to what is there. */
static void pass_on(const SlbEngine *e, SlbSlot *slot, int node)
{
    int source = e->graph->nodes[node].source[0];
    Kept from = grad_kept(e, node), to = grad_kept(e, source);
    const void *dy = grad_tensor(e, slot, node);
    void *dx = grad_tensor(e, slot, source);
    if (slot->written[source])
        add_tensors(e, slot, &from, dy, &to, dx, &to, dx, to.stride);
    else
        memcpy(dx, dy, flat_count(slot, &to) * element_bytes(&to));
    slb_zero_border(slot, dx, &to);
    slot->written[source] = true;
}

static void leak_backward(const SlbEngine *e, SlbSlot *slot, int node)
{
    if (e->graph->nodes[e->graph->nodes[node].source[0]].op == SLB_OP_INPUT) return;
    slb_close_gate(e, slot, node, SLB_LRELU_SLOPE); /* its own gradient is scratch from here on */
    pass_on(e, slot, node);
}

/* The gradient of the step, and that of the values in place of the gradient of their codes. */
static void quantize_backward(const SlbEngine *e, const SlbWeights *weights, SlbSlot *slot,
                              int node, SlbGrads *grads)
{
    const SlbNode *n = &e->graph->nodes[node];
    const SlbQuantizer *q = &weights->conv[n->conv].quantizer;
    const Kept *from = &e->kept[n->source[0]];
    Kept grad = grad_kept(e, node);
    const void *x = tensor(e, slot, n->source[0]);
    void *dy = grad_tensor(e, slot, node);
    float *step = &grads->data[grads->step_at[n->conv]];
    if (same_form(from, &grad) && grad.half)
        *step += e->ops->straight_bf16(x, q, flat_count(slot, &grad), dy);
    else if (same_form(from, &grad))
        *step += e->ops->straight_f32(x, q, flat_count(slot, &grad), dy);
    else
        for (size_t p = 0; p < flat_pixels(slot, &grad); p++)
            for (size_t c = 0; c < (size_t)n->channels; c++) {
                size_t at = p * grad.stride + c;
                float value = get(from, x, p * from->stride + c), slope = get(&grad, dy, at);
                *step += e->ops->straight_f32(&value, q, 1, &slope);
                put(&grad, dy, at, slope);
            }
    if (grads->done) grads->done(grads->user, n->conv); /* that of the step was the last */
    if (e->graph->nodes[n->source[0]].op != SLB_OP_INPUT) pass_on(e, slot, node);
}

static void shuffle_backward(const SlbEngine *e, SlbSlot *slot, int node)
{
    const SlbNode *n = &e->graph->nodes[node];
    int source = n->source[0];
    if (e->graph->nodes[source].op == SLB_OP_INPUT) return;
    Kept from = grad_kept(e, node), to = grad_kept(e, source);
    void *dx = grad_tensor(e, slot, source), *out = slot->written[source] ? slot->scratch : dx;
    memset(out, 0, flat_count(slot, &to) * element_bytes(&to)); /* channels that only fill up */
    shuffle_pixels(slot, n, &to, out, &from, grad_tensor(e, slot, node), true);
    if (slot->written[source]) add_tensors(e, slot, &to, out, &to, dx, &to, dx, to.stride);
    slb_zero_border(slot, dx, &to);
    slot->written[source] = true;
}

static void conv_backward(const SlbEngine *e, const SlbWeights *weights, SlbSlot *slot, int node,
                          SlbGrads *grads)
{
    const SlbNode *n = &e->graph->nodes[node];
    int source = n->source[0];
    if (n->relu && !e->kept[node].gate_fused) slb_close_gate(e, slot, node, 0.0f);
    slb_conv_node_backward_weights(e, slot, node, grads);
    if (grads->done && (int)e->graph->nodes[source].op != OP_QUANTIZE)
        grads->done(grads->user, n->conv);
    if (e->graph->nodes[source].op == SLB_OP_INPUT) return;
    slb_conv_node_backward_data(e, weights, slot, node, slot->written[source]);
    slot->written[source] = true;
}

void slb_sweep_backward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot, int from,
                        int to, SlbGrads *grads)
{
    const SlbGraph *g = engine->graph;
    for (int i = to - 1; i >= from; i--) switch ((int)g->nodes[i].op) {
        case OP_QUANTIZE: quantize_backward(engine, weights, slot, i, grads); break;
        case SLB_OP_CONV: conv_backward(engine, weights, slot, i, grads); break;
        case SLB_OP_ADD: add_backward(engine, slot, i); break;
        case SLB_OP_LRELU: leak_backward(engine, slot, i); break;
        case SLB_OP_SHUFFLE: shuffle_backward(engine, slot, i); break;
        default: break;
        }
}

double slb_backward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot,
                    const SlbAim *aim, SlbGrads *grads)
{
    double value = slb_sweep_loss(engine, slot, aim);
    slb_sweep_backward(engine, weights, slot, 1, engine->graph->node_count, grads);
    return value;
}
