#include "train/calibrate.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "quant/requant.h"

enum {
    BINS = 16384, /* several a step even of 8 bits, where the range of the codes is searched */
    STREAM_CALIBRATE = 3,
};

typedef struct Histogram {
    float largest;      /* of |value|; infinite when some are not finite */
    double count[BINS]; /* values from -largest to largest */
} Histogram;

static void see_largest(void *user, const float *values, size_t count)
{
    Histogram *h = user;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(values[i]);
        if (isnan(size)) size = INFINITY;
        if (size > h->largest) h->largest = size;
    }
}

static void see_values(void *user, const float *values, size_t count)
{
    Histogram *h = user;
    for (size_t i = 0; i < count; i++)
        if (values[i] != 0.0f) { /* zeros are exact at any step, or equally wrong */
            int b = (int)((values[i] / h->largest + 1.0f) * (BINS / 2));
            h->count[b < BINS ? b : BINS - 1] += 1.0;
        }
}

/* Squared error of the values as codes of this step, but for what the bins themselves lose. */
static double error_of(const Histogram *h, SlbCodes codes, double step)
{
    double sum = 0;
    for (int b = 0; b < BINS; b++) {
        if (h->count[b] == 0.0) continue;
        double x = (double)h->largest * ((b + 0.5) * 2 / BINS - 1);
        double e = x - step * (slb_quantize((float)(x / step), 1.0f, codes) - codes.zero);
        sum += h->count[b] * e * e;
    }
    return sum;
}

/* The best of a row of steps, each 3 % below the one before; the first clips nothing. */
static float best_step(const Histogram *h, SlbCodes codes)
{
    enum { TRIES = 150 }; /* down to a hundredth */
    double step = (double)h->largest / (codes.most - codes.zero), best = step, least = INFINITY;
    for (int i = 0; i < TRIES; i++, step *= 0.97) {
        double e = error_of(h, codes, step);
        if (e >= least) continue;
        least = e;
        best = step;
    }
    return (float)best;
}

/* One sweep over the patches: shows the inputs of all low convolutions to `see`. */
static SlbStatus sweep(const SlbEngine *engine, const SlbGraph *graph, const SlbWeights *weights,
                       const SlbDataset *dataset, SlbPatchKey key, const int *scales,
                       int scale_count, int patches, SlbSlot *slot, Histogram *histogram,
                       void (*see)(void *, const float *, size_t), SlbError *err)
{
    size_t inputs = key.enlarged ? slb_patch_targets(&key) : slb_patch_targets(&key) / 4;
    float *in = slb_alloc(inputs + slb_patch_targets(&key), sizeof *in);
    SlbStatus s = in ? SLB_OK : slb_fail_memory(err, "the calibration");
    for (int p = 0; s == SLB_OK && p < patches; p++) {
        key.index = (uint64_t)p;
        key.scale = scales[p % scale_count];
        s = slb_dataset_patch(dataset, &key, in, in + inputs, err);
        if (s != SLB_OK) break;
        uint32_t side = (uint32_t)slb_patch_input_side(&key);
        slb_forward(engine, weights, slot, in, side, side);
        for (int i = 0; i < graph->node_count; i++)
            if (graph->nodes[i].low)
                slb_slot_visit_input(engine, slot, graph->nodes[i].conv, see,
                                     &histogram[graph->nodes[i].conv]);
    }
    slb_free(in);
    return s;
}

/* The bins are for finite values; a file's weights are, but what they make need not be. */
static SlbStatus check_finite(const SlbGraph *graph, const Histogram *histogram, SlbError *err)
{
    for (int i = 0; i < graph->conv_count; i++)
        if (!isfinite(histogram[i].largest))
            return slb_fail(err, SLB_E_MODEL,
                            "the inputs of conv%02d are not finite numbers: the model's weights "
                            "are far too large; train it anew",
                            i);
    return SLB_OK;
}

SlbStatus slb_calibrate(const SlbEngine *engine, const SlbGraph *graph, const SlbWeights *weights,
                        const SlbDataset *dataset, SlbPatchKey key, const int *scales,
                        int scale_count, int patches, int act_bits, float *step, SlbError *err)
{
    SlbSlot *slot = NULL;
    uint32_t side = (uint32_t)(key.enlarged ? key.side : key.side / 2); /* the largest input */
    key.stream = STREAM_CALIBRATE;
    Histogram *h = slb_calloc((size_t)graph->conv_count, sizeof *h);
    SlbStatus s = h ? SLB_OK : slb_fail_memory(err, "the calibration");
    if (s == SLB_OK) s = slb_slot_create(engine, side, side, true, &slot, err);
    if (s == SLB_OK)
        s = sweep(engine, graph, weights, dataset, key, scales, scale_count, patches, slot, h,
                  see_largest, err);
    if (s == SLB_OK) s = check_finite(graph, h, err);
    if (s == SLB_OK)
        s = sweep(engine, graph, weights, dataset, key, scales, scale_count, patches, slot, h,
                  see_values, err);
    memset(step, 0, (size_t)graph->conv_count * sizeof *step);
    for (int i = 0; s == SLB_OK && i < graph->node_count; i++)
        if (graph->nodes[i].low) {
            const SlbNode *n = &graph->nodes[i];
            const Histogram *mine = &h[n->conv];
            SlbCodes codes = slb_codes(act_bits, graph->nodes[n->source[0]].positive);
            step[n->conv] = mine->largest > 0.0f ? best_step(mine, codes) : 1.0f;
        }
    slb_slot_free(slot);
    slb_free(h);
    return s;
}
