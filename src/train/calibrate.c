#include "train/calibrate.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { BINS = 4096, STREAM_CALIBRATE = 3 };

typedef struct Histogram {
    float largest;
    double count[BINS]; /* values in (0, largest]; zeros are exact at any step */
} Histogram;

static void see_largest(void *user, const float *values, size_t count)
{
    Histogram *h = user;
    for (size_t i = 0; i < count; i++)
        if (values[i] > h->largest) h->largest = values[i];
}

static void see_values(void *user, const float *values, size_t count)
{
    Histogram *h = user;
    for (size_t i = 0; i < count; i++)
        if (values[i] > 0.0f) {
            int b = (int)(values[i] / h->largest * BINS);
            h->count[b < BINS ? b : BINS - 1] += 1.0;
        }
}

/* Mean squared error of codes 0..255 with this step: rounding inside the range, clipping beyond. */
static double error_of(const Histogram *h, double step)
{
    double width = (double)h->largest / BINS, end = 255.5 * step, sum = 0;
    for (int b = 0; b < BINS; b++) {
        double x = (b + 0.5) * width, e = x - 255.0 * step;
        sum += h->count[b] * (x < end ? step * step / 12.0 : e * e);
    }
    return sum;
}

static float best_step(const Histogram *h)
{
    double best = (double)h->largest / 255.0, least = error_of(h, best);
    for (int i = 1; i < 100; i++) {
        double step = (double)h->largest / 255.0 * (1.0 - i * 0.0095);
        double e = error_of(h, step);
        if (e < least) {
            least = e;
            best = step;
        }
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

SlbStatus slb_calibrate(const SlbEngine *engine, const SlbGraph *graph, const SlbWeights *weights,
                        const SlbDataset *dataset, SlbPatchKey key, const int *scales,
                        int scale_count, int patches, float *step, SlbError *err)
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
    if (s == SLB_OK)
        s = sweep(engine, graph, weights, dataset, key, scales, scale_count, patches, slot, h,
                  see_values, err);
    memset(step, 0, (size_t)graph->conv_count * sizeof *step);
    for (int i = 0; s == SLB_OK && i < graph->node_count; i++)
        if (graph->nodes[i].low) {
            const Histogram *mine = &h[graph->nodes[i].conv];
            step[graph->nodes[i].conv] = mine->largest > 0.0f ? best_step(mine) : 1.0f;
        }
    slb_slot_free(slot);
    slb_free(h);
    return s;
}
