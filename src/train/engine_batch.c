/* Whole batches through networks with batch normalization: all pictures up to a normalization, the
 * statistics of all, and on. With x of one channel and n values of it in the batch, mean m and
 * variance v,
 *
 *     h = (x - m) / sqrt(v + epsilon),   y = gamma h + beta,
 *     dL/dgamma = sum dy h,   dL/dbeta = sum dy,
 *     dL/dx = gamma / sqrt(v + epsilon) (dy - dL/dbeta / n - h dL/dgamma / n).
 *
 * Sums are taken by picture and added in the order of the pictures: threads do not matter. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/engine_internal.h"

SlbStatus slb_moments_create(const SlbEngine *engine, int pictures, SlbMoments **moments,
                             SlbError *err)
{
    SlbMoments *m = slb_calloc(1, sizeof *m);
    if (!m) return slb_fail_memory(err, "the statistics of training");
    m->count = engine->graph->conv_count;
    m->mean = slb_calloc((size_t)m->count, 2 * sizeof *m->mean);
    m->sums = slb_calloc((size_t)pictures, sizeof *m->sums);
    m->loss = slb_calloc((size_t)pictures, sizeof *m->loss);
    bool ok = m->mean && m->sums && m->loss;
    if (ok) m->variance = m->mean + m->count;
    for (int i = 0; ok && i < m->count; i++) {
        const SlbNode *n = engine->conv_node[i];
        if (!n->sbn) continue;
        m->mean[i] = slb_calloc((size_t)n->channels, 2 * sizeof(float));
        ok = m->mean[i] != NULL;
        if (ok) m->variance[i] = m->mean[i] + n->channels;
    }
    if (!ok) {
        slb_moments_free(m);
        return slb_fail_memory(err, "the statistics of training");
    }
    *moments = m;
    return SLB_OK;
}

void slb_moments_free(SlbMoments *moments)
{
    if (!moments) return;
    for (int i = 0; moments->mean && i < moments->count; i++) slb_free(moments->mean[i]);
    slb_free(moments->mean);
    slb_free(moments->sums);
    slb_free(moments->loss);
    slb_free(moments);
}

const float *slb_moments_mean(const SlbMoments *moments, int conv)
{
    return moments->mean[conv];
}

const float *slb_moments_variance(const SlbMoments *moments, int conv)
{
    return moments->variance[conv];
}

/* One pixel as floats. */
static const float *pixel(const SlbEngine *e, const Kept *kept, const void *data, size_t at,
                          float *room)
{
    if (!kept->half) return (const float *)data + at * kept->stride;
    e->ops->to_f32((const SlbBf16 *)data + at * kept->stride, kept->stride, room);
    return room;
}

/* The pixels of a picture: rows of a tensor without the zero column. */
static size_t rows_of(const SlbSlot *slot, const Kept *kept)
{
    return (size_t)slot->height * (size_t)kept->scale;
}

/* Sums of x and of x^2 of one picture. */
static void sum_values(const SlbEngine *e, const SlbSlot *slot, int node, Sums *sums)
{
    const Kept *kept = &e->kept[node];
    size_t channels = (size_t)e->graph->nodes[node].channels;
    const void *data = tensor(e, slot, node);
    float room[SLB_MAX_CHANNELS];
    memset(sums, 0, sizeof *sums);
    size_t row = flat_row(slot, kept);
    for (size_t y = 0; y < rows_of(slot, kept); y++)
        for (size_t p = y * row; p + 1 < (y + 1) * row; p++) {
            const float *x = pixel(e, kept, data, p, room);
            for (size_t c = 0; c < channels; c++) {
                sums->first[c] += (double)x[c];
                sums->second[c] += (double)x[c] * (double)x[c];
            }
        }
}

/* All pictures' sums into those of the first. */
static void add_sums(Sums *sums, int count, int channels)
{
    for (int i = 1; i < count; i++)
        for (int c = 0; c < channels; c++) {
            sums[0].first[c] += sums[i].first[c];
            sums[0].second[c] += sums[i].second[c];
        }
}

static double values_of(const SlbEngine *e, const SlbBatch *batch, int node)
{
    double scale = e->kept[node].scale;
    return scale * scale * batch->width * batch->height * batch->count;
}

static void moments_of(const SlbEngine *e, const SlbBatch *batch, int node, const Sums *sums,
                       SlbMoments *moments)
{
    const SlbNode *n = &e->graph->nodes[node];
    double count = values_of(e, batch, node);
    for (int c = 0; c < n->channels; c++) {
        double mean = sums->first[c] / count;
        moments->mean[n->conv][c] = (float)mean;
        moments->variance[n->conv][c] = (float)fmax(sums->second[c] / count - mean * mean, 0.0);
    }
}

static float inverse_deviation(const SlbMoments *moments, int conv, int c)
{
    return 1.0f / sqrtf(moments->variance[conv][c] + SLB_NORM_EPSILON);
}

static void write_pixel(const SlbEngine *e, const Kept *kept, const float *values, size_t at,
                        void *data)
{
    if (kept->half)
        e->ops->to_bf16(values, kept->stride, (SlbBf16 *)data + at * kept->stride);
    else
        memcpy((float *)data + at * kept->stride, values, kept->stride * sizeof *values);
}

/* y of one picture. */
static void normalize(const SlbEngine *e, const SlbWeights *weights, const SlbSlot *slot, int node,
                      const SlbMoments *moments)
{
    const SlbNode *n = &e->graph->nodes[node];
    const ConvWeights *w = &weights->conv[n->conv];
    const Kept *kept = &e->kept[node], *from = &e->kept[n->source[0]];
    const void *in = tensor(e, slot, n->source[0]);
    void *out = tensor(e, slot, node);
    float room[SLB_MAX_CHANNELS], y[SLB_MAX_CHANNELS] = {0};
    float gain[SLB_MAX_CHANNELS], shift[SLB_MAX_CHANNELS], least = n->relu ? 0.0f : -INFINITY;
    for (int c = 0; c < n->channels; c++) {
        gain[c] = w->gamma[c] * inverse_deviation(moments, n->conv, c);
        shift[c] = w->beta[c] - gain[c] * moments->mean[n->conv][c];
    }
    for (size_t p = 0; p < flat_pixels(slot, kept); p++) {
        const float *x = pixel(e, from, in, p, room);
        for (int c = 0; c < n->channels; c++) {
            float v = gain[c] * x[c] + shift[c];
            y[c] = v > least ? v : least;
        }
        write_pixel(e, kept, y, p, out);
    }
    slb_zero_border(slot, out, kept);
}

static int next_normalization(const SlbGraph *g, int from)
{
    int i = from;
    while (i < g->node_count && (int)g->nodes[i].op != OP_NORMALIZE) i++;
    return i;
}

static void adopt_moments(const SlbNode *n, const SlbMoments *moments, ConvWeights *w)
{
    for (int c = 0; c < n->channels; c++) {
        w->gamma[c] = sqrtf(moments->variance[n->conv][c] + SLB_NORM_EPSILON);
        w->beta[c] += moments->mean[n->conv][c];
    }
}

void slb_batch_forward(const SlbEngine *engine, SlbWeights *weights, const SlbBatch *batch,
                       const float *in, bool adopt, SlbMoments *moments)
{
    const SlbGraph *g = engine->graph;
    size_t samples = (size_t)batch->width * batch->height * (size_t)g->nodes[0].channels;
    for (int from = 0, to; from < g->node_count;
         from = to) { /* node `from`: input or normalization */
        to = next_normalization(g, from + 1);
#pragma omp parallel for schedule(dynamic, 1) num_threads(batch->threads)
        for (int i = 0; i < batch->count; i++) {
            SlbSlot *slot = batch->slot[i];
            if (from == 0)
                slb_sweep_input(engine, slot, in + (size_t)i * samples, batch->width,
                                batch->height);
            else
                normalize(engine, weights, slot, from, moments);
            slb_sweep_forward(engine, weights, slot, from + 1, to);
            if (to < g->node_count)
                sum_values(engine, slot, g->nodes[to].source[0], &moments->sums[i]);
        }
        if (to == g->node_count) break;
        const SlbNode *n = &g->nodes[to];
        add_sums(moments->sums, batch->count, n->channels);
        moments_of(engine, batch, to, moments->sums, moments);
        if (adopt) adopt_moments(n, moments, &weights->conv[n->conv]);
    }
}

/* What the values of one picture are normalized by. */
typedef struct Norm {
    float mean[SLB_MAX_CHANNELS], inverse[SLB_MAX_CHANNELS];
} Norm;

static void norm_of(const SlbNode *n, const SlbMoments *moments, Norm *norm)
{
    for (int c = 0; c < n->channels; c++) {
        norm->mean[c] = moments->mean[n->conv][c];
        norm->inverse[c] = inverse_deviation(moments, n->conv, c);
    }
}

/* Sums of dy and dy h of one picture. */
static void sum_gradients(const SlbEngine *e, SlbSlot *slot, int node, const SlbMoments *moments,
                          Sums *sums)
{
    const SlbNode *n = &e->graph->nodes[node];
    const Kept *from = &e->kept[n->source[0]];
    Kept grad = grad_kept(e, node);
    const void *in = tensor(e, slot, n->source[0]), *dy = grad_tensor(e, slot, node);
    float room[2][SLB_MAX_CHANNELS];
    Norm norm;
    norm_of(n, moments, &norm);
    memset(sums, 0, sizeof *sums);
    if (n->relu && !e->kept[node].gate_fused) slb_close_gate(e, slot, node, 0.0f);
    for (size_t p = 0; p < flat_pixels(slot, from); p++) { /* dy is 0 in the zero column */
        const float *x = pixel(e, from, in, p, room[0]), *d = pixel(e, &grad, dy, p, room[1]);
        for (int c = 0; c < n->channels; c++) {
            float h = (x[c] - norm.mean[c]) * norm.inverse[c];
            sums->first[c] += (double)d[c];
            sums->second[c] += (double)d[c] * (double)h;
        }
    }
}

/* dL/dx of one picture, the gradient of the convolution's output. */
static void normalize_backward(const SlbEngine *e, const SlbWeights *weights, const SlbBatch *batch,
                               SlbSlot *slot, int node, const SlbMoments *moments)
{
    const SlbNode *n = &e->graph->nodes[node];
    const Kept *from = &e->kept[n->source[0]];
    Kept grad = grad_kept(e, node), to = grad_kept(e, n->source[0]);
    const void *in = tensor(e, slot, n->source[0]), *dy = grad_tensor(e, slot, node);
    void *dx = grad_tensor(e, slot, n->source[0]);
    float room[2][SLB_MAX_CHANNELS], out[SLB_MAX_CHANNELS] = {0};
    float first[SLB_MAX_CHANNELS], second[SLB_MAX_CHANNELS];
    Norm norm;
    norm_of(n, moments, &norm);
    double count = values_of(e, batch, node);
    for (int c = 0; c < n->channels; c++) {
        first[c] = (float)(moments->sums[0].first[c] / count);
        second[c] = (float)(moments->sums[0].second[c] / count);
    }
    for (size_t p = 0; p < flat_pixels(slot, from); p++) {
        const float *x = pixel(e, from, in, p, room[0]), *d = pixel(e, &grad, dy, p, room[1]);
        for (int c = 0; c < n->channels; c++) {
            float h = (x[c] - norm.mean[c]) * norm.inverse[c];
            out[c] = weights->conv[n->conv].gamma[c] * norm.inverse[c] *
                     (d[c] - first[c] - h * second[c]);
        }
        write_pixel(e, &to, out, p, dx);
    }
    slb_zero_border(slot, dx, &to);
    slot->written[n->source[0]] = true;
}

static void norm_gradients(const SlbNode *n, const Sums *sums, SlbGrads *grads)
{
    for (int c = 0; c < n->channels; c++) {
        grads->data[grads->bias_at[n->conv] + (size_t)c] += (float)sums->first[c];
        grads->data[grads->gamma_at[n->conv] + (size_t)c] += (float)sums->second[c];
    }
}

static double picture_loss(const SlbEngine *e, SlbSlot *slot, const SlbAim *aim, size_t at)
{
    SlbAim mine = *aim;
    mine.target += at;
    if (mine.teacher) mine.teacher += at;
    return slb_sweep_loss(e, slot, &mine);
}

double slb_batch_backward(const SlbEngine *engine, const SlbWeights *weights, const SlbBatch *batch,
                          const SlbAim *aim, SlbMoments *moments, SlbGrads *const *parts,
                          int part_count)
{
    const SlbGraph *g = engine->graph;
    size_t scale = (size_t)g->scale, channels = (size_t)g->nodes[0].channels;
    size_t targets = (size_t)batch->width * batch->height * scale * scale * channels;
    for (int from, to = g->node_count; to > 0; to = from) { /* node `to`: normalization or none */
        from = to - 1;
        while (from > 0 && (int)g->nodes[from].op != OP_NORMALIZE) from--;
#pragma omp parallel for schedule(dynamic, 1) num_threads(batch->threads)
        for (int p = 0; p < part_count; p++)
            for (int i = p * batch->count / part_count; i < (p + 1) * batch->count / part_count;
                 i++) {
                SlbSlot *slot = batch->slot[i];
                if (to == g->node_count)
                    moments->loss[i] = picture_loss(engine, slot, aim, (size_t)i * targets);
                else
                    normalize_backward(engine, weights, batch, slot, to, moments);
                slb_sweep_backward(engine, weights, slot, from + 1, to, parts[p]);
            }
        if (from == 0) break;
#pragma omp parallel for schedule(dynamic, 1) num_threads(batch->threads)
        for (int i = 0; i < batch->count; i++)
            sum_gradients(engine, batch->slot[i], from, moments, &moments->sums[i]);
        add_sums(moments->sums, batch->count, g->nodes[from].channels);
        norm_gradients(&g->nodes[from], moments->sums, parts[0]);
    }
    double sum = 0;
    for (int i = 0; i < batch->count; i++) sum += moments->loss[i];
    return sum;
}
