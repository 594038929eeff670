/* Weights and gradients in the layouts of the kernels. */
#include <string.h>

#include "base/mem.h"
#include "train/engine_internal.h"

static int even(int n)
{
    return n + (n & 1);
}

/* Input channels as the weight gradient has them: bf16 kernels and Winograd's take whole blocks. */
static int grad_inputs(const SlbEngine *e, const SlbNode *node)
{
    int source = node->source[0], channels = e->graph->nodes[source].channels;
    return e->kept[source].half || is_winograd(e, node) ? slb_out_padded(channels) : channels;
}

static int taps_of(const SlbNode *node)
{
    return node->kernel * node->kernel;
}

/* Floats of a form: as taps, and as the kernel takes it. */
static size_t taps_size(const ConvWeights *c, int in, int out)
{
    return (size_t)c->taps * (size_t)in * (size_t)out;
}

static size_t float_size(const ConvWeights *c, int in, int out)
{
    return (c->winograd ? SLB_WINOGRAD_POINTS : (size_t)c->taps) * (size_t)in * (size_t)out;
}

static SlbBf16 *half_create(const SlbEngine *e, const ConvWeights *c, int in, int out)
{
    return slb_calloc(e->half->packed_elements(c->taps, in, out), sizeof(SlbBf16));
}

static bool conv_weights_create(const SlbEngine *e, const SlbNode *node, ConvWeights *c)
{
    const SlbNode *source = &e->graph->nodes[node->source[0]];
    bool half = e->kept[node->source[0]].half, data = source->op != SLB_OP_INPUT;
    bool winograd = is_winograd(e, node);
    *c = (ConvWeights){.winograd = winograd,
                       .taps = taps_of(node),
                       .in = source->channels,
                       .rows = winograd ? slb_out_padded(source->channels) : source->channels,
                       .out = slb_out_padded(node->channels),
                       .back_in = winograd ? slb_out_padded(node->channels) : even(node->channels),
                       .back_out = slb_out_padded(source->channels)};
    c->bias = slb_calloc((size_t)c->out, sizeof *c->bias);
    if (half && !winograd)
        c->forward_half = half_create(e, c, c->in, c->out);
    else
        c->forward = slb_calloc(float_size(c, c->rows, c->out), sizeof *c->forward);
    if (data && e->form.precision == SLB_BFLOAT16 && !winograd)
        c->backward_half = half_create(e, c, c->back_in, c->back_out);
    else if (data)
        c->backward = slb_calloc(float_size(c, c->back_in, c->back_out), sizeof *c->backward);
    size_t forward = taps_size(c, c->rows, c->out),
           backward = taps_size(c, c->back_in, c->back_out);
    c->scratch = slb_calloc(forward > backward ? forward : backward, sizeof *c->scratch);
    if (node->sbn) {
        c->gamma = slb_calloc((size_t)node->channels, 2 * sizeof *c->gamma);
        if (!c->gamma) return false;
        c->beta = c->gamma + node->channels;
    }
    return c->bias && c->scratch && (c->forward || c->forward_half) &&
           (!data || c->backward || c->backward_half);
}

SlbStatus slb_weights_create(const SlbEngine *engine, SlbWeights **weights, SlbError *err)
{
    SlbWeights *w = slb_calloc(1, sizeof *w);
    if (!w) return slb_fail_memory(err, "the weights of training");
    w->count = engine->graph->conv_count;
    w->conv = slb_calloc((size_t)w->count, sizeof *w->conv);
    bool ok = w->conv != NULL;
    for (int i = 0; ok && i < w->count; i++)
        ok = conv_weights_create(engine, engine->conv_node[i], &w->conv[i]);
    if (!ok) {
        slb_weights_free(w);
        return slb_fail_memory(err, "the weights of training");
    }
    *weights = w;
    return SLB_OK;
}

void slb_weights_free(SlbWeights *weights)
{
    if (!weights) return;
    for (int i = 0; weights->conv && i < weights->count; i++) {
        ConvWeights *c = &weights->conv[i];
        slb_free(c->forward);
        slb_free(c->backward);
        slb_free(c->forward_half);
        slb_free(c->backward_half);
        slb_free(c->bias);
        slb_free(c->gamma);
        slb_free(c->scratch);
    }
    slb_free(weights->conv);
    slb_free(weights);
}

/* [taps][back_in][back_out] with turned taps: dx[p][i] = sum_t sum_o dy[p + tap t][o] W[o][i][taps
 * - 1 - t]. */
static void turn(const float *oihw, const SlbNode *node, int in, const ConvWeights *c, float *out)
{
    memset(out, 0, taps_size(c, c->back_in, c->back_out) * sizeof *out);
    for (int t = 0; t < c->taps; t++)
        for (int o = 0; o < node->channels; o++)
            for (int i = 0; i < in; i++)
                out[((size_t)t * (size_t)c->back_in + (size_t)o) * (size_t)c->back_out +
                    (size_t)i] = oihw[(o * in + i) * c->taps + c->taps - 1 - t];
}

/* [taps][in][out] in place to [taps][rows][out], what is new zero. */
static void widen(const ConvWeights *c, float *weight)
{
    size_t in = (size_t)c->in * (size_t)c->out, rows = (size_t)c->rows * (size_t)c->out;
    for (size_t t = (size_t)c->taps; rows > in && t-- > 0;) {
        memmove(weight + t * rows, weight + t * in, in * sizeof *weight);
        memset(weight + t * rows + in, 0, (rows - in) * sizeof *weight);
    }
}

void slb_weights_set(SlbWeights *weights, const SlbEngine *engine, int conv, const float *weight,
                     const float *bias)
{
    ConvWeights *c = &weights->conv[conv];
    const SlbNode *node = engine->conv_node[conv];
    if (!node->sbn) memcpy(c->bias, bias, (size_t)node->channels * sizeof *bias);
    float *forward = c->forward && !c->winograd ? c->forward : c->scratch;
    slb_pack_f32(weight, node->channels, c->in, node->kernel, forward);
    widen(c, forward);
    if (c->winograd) engine->winograd->weights(forward, c->rows, c->out, c->forward);
    if (c->forward_half) engine->half->pack(forward, c->taps, c->in, c->out, c->forward_half);
    if (!c->backward && !c->backward_half) return;
    float *backward = c->backward && !c->winograd ? c->backward : c->scratch;
    turn(weight, node, c->in, c, backward);
    if (c->winograd) engine->winograd->weights(backward, c->back_in, c->back_out, c->backward);
    if (c->backward_half)
        engine->half->pack(backward, c->taps, c->back_in, c->back_out, c->backward_half);
}

void slb_weights_set_step(SlbWeights *weights, const SlbEngine *engine, int conv, float step)
{
    const SlbNode *from = &engine->graph->nodes[engine->conv_node[conv]->source[0]];
    if ((int)from->op != OP_QUANTIZE) return;
    weights->conv[conv].quantizer =
        step > 0.0f ? slb_quantizer(slb_codes(engine->form.act_bits, from->positive), step)
                    : (SlbQuantizer){0};
}

static size_t norm_bytes(const SlbWeights *weights, int conv)
{
    const ConvWeights *c = &weights->conv[conv];
    return (size_t)(c->beta - c->gamma) * sizeof(float);
}

void slb_weights_set_norm(SlbWeights *weights, int conv, const float *gamma, const float *beta)
{
    memcpy(weights->conv[conv].gamma, gamma, norm_bytes(weights, conv));
    memcpy(weights->conv[conv].beta, beta, norm_bytes(weights, conv));
}

void slb_weights_get_norm(const SlbWeights *weights, int conv, float *gamma, float *beta)
{
    memcpy(gamma, weights->conv[conv].gamma, norm_bytes(weights, conv));
    memcpy(beta, weights->conv[conv].beta, norm_bytes(weights, conv));
}

SlbStatus slb_grads_create(const SlbEngine *engine, SlbGrads **grads, SlbError *err)
{
    SlbGrads *g = slb_calloc(1, sizeof *g);
    if (!g) return slb_fail_memory(err, "the gradients of training");
    g->count = engine->graph->conv_count;
    g->weight_at = slb_calloc((size_t)g->count, 4 * sizeof *g->weight_at);
    if (g->weight_at) {
        g->bias_at = g->weight_at + g->count;
        g->step_at = g->bias_at + g->count;
        g->gamma_at = g->step_at + g->count;
        for (int i = 0; i < g->count; i++) {
            const SlbNode *node = engine->conv_node[i];
            size_t out = (size_t)slb_out_padded(node->channels);
            g->weight_at[i] = g->size;
            g->size += (size_t)taps_of(node) * (size_t)grad_inputs(engine, node) * out;
            g->bias_at[i] = g->size;
            g->size += out; /* all are multiples of 16 floats: aligned */
            bool codes = (int)engine->graph->nodes[node->source[0]].op == OP_QUANTIZE;
            g->step_at[i] = codes ? g->size : SIZE_MAX;
            g->size += codes ? SLB_OUT_BLOCK : 0;
            g->gamma_at[i] = node->sbn ? g->size : SIZE_MAX;
            g->size += node->sbn ? out : 0;
        }
        g->data = slb_calloc(g->size, sizeof *g->data);
    }
    if (!g->data) {
        slb_grads_free(g);
        return slb_fail_memory(err, "the gradients of training");
    }
    *grads = g;
    return SLB_OK;
}

void slb_grads_free(SlbGrads *grads)
{
    if (!grads) return;
    slb_free(grads->weight_at);
    slb_free(grads->data);
    slb_free(grads);
}

void slb_grads_zero(SlbGrads *grads)
{
    memset(grads->data, 0, grads->size * sizeof *grads->data);
}

float *slb_grads_conv(SlbGrads *grads, int conv, size_t *count)
{
    size_t from = grads->weight_at[conv];
    *count = (conv + 1 < grads->count ? grads->weight_at[conv + 1] : grads->size) - from;
    return grads->data + from;
}

void slb_grads_watch(SlbGrads *grads, void (*done)(void *user, int conv), void *user)
{
    grads->done = done;
    grads->user = user;
}

void slb_grads_get(const SlbGrads *grads, const SlbEngine *engine, int conv, float *weight,
                   float *bias)
{
    const SlbNode *node = engine->conv_node[conv];
    int taps = taps_of(node), in = engine->graph->nodes[node->source[0]].channels;
    size_t rows = (size_t)grad_inputs(engine, node), out = (size_t)slb_out_padded(node->channels);
    const float *data = grads->data + grads->weight_at[conv];
    for (int o = 0; o < node->channels; o++)
        for (int i = 0; i < in; i++)
            for (int t = 0; t < taps; t++)
                *weight++ = data[((size_t)t * rows + (size_t)i) * out + (size_t)o];
    memcpy(bias, grads->data + grads->bias_at[conv], (size_t)node->channels * sizeof *bias);
}

float slb_grads_step(const SlbGrads *grads, int conv)
{
    size_t at = grads->step_at[conv];
    return at == SIZE_MAX ? 0.0f : grads->data[at];
}

void slb_grads_gamma(const SlbGrads *grads, const SlbEngine *engine, int conv, float *gamma)
{
    memcpy(gamma, grads->data + grads->gamma_at[conv],
           (size_t)engine->conv_node[conv]->channels * sizeof *gamma);
}
