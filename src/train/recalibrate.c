#include "train/recalibrate.h"

#include "base/mem.h"
#include "train/calibrate.h"

enum { MAX_SCALES = 3 };

/* Everything that a calibration needs; zeroed at first, then freed whatever happened. */
typedef struct Bed {
    SlbDataset dataset;
    SlbEngine *engine;
    SlbWeights *weights;
    float *weight; /* OIHW floats of the largest convolution */
    float *step;   /* [conv_count] */
} Bed;

static void drop(Bed *bed)
{
    slb_free(bed->step);
    slb_free(bed->weight);
    slb_weights_free(bed->weights);
    slb_engine_free(bed->engine);
    slb_dataset_free(&bed->dataset);
}

/* The digits of SlbModel.scales, or the network's own scale; 2, 3 and 4 when nothing is told. */
static int scales_of(const SlbModel *model, int scales[MAX_SCALES])
{
    int count = 0;
    for (const char *c = model->scales; c && *c; c++)
        if (*c >= '2' && *c <= '4' && count < MAX_SCALES) scales[count++] = *c - '0';
    if (!model->graph->enlarged) {
        scales[0] = model->graph->scale;
        return 1;
    }
    for (int scale = 2; count == 0 || (scale <= 4 && count == scale - 2); scale++)
        scales[count++] = scale;
    return count;
}

static SlbStatus load_weights(const SlbModel *model, Bed *bed, SlbError *err)
{
    size_t most = 0;
    for (int i = 0; i < model->graph->conv_count; i++) {
        const SlbConvParams *c = &model->conv[i];
        size_t count =
            (size_t)c->out_channels * (size_t)c->in_channels * (size_t)(c->kernel * c->kernel);
        if (count > most) most = count;
    }
    bed->weight = slb_alloc(most, sizeof *bed->weight);
    bed->step = slb_calloc((size_t)model->graph->conv_count, sizeof *bed->step);
    if (!bed->weight || !bed->step) return slb_fail_memory(err, "the calibration");
    for (int i = 0; i < model->graph->conv_count; i++) {
        slb_conv_effective(&model->conv[i], bed->weight);
        slb_weights_set(bed->weights, bed->engine, i, bed->weight, model->conv[i].bias);
    }
    return SLB_OK;
}

static SlbStatus calibrate(const SlbModel *model, const SlbRecalibration *how, Bed *bed,
                           SlbError *err)
{
    enum { PATCHES = 192 };
    const SlbGraph *g = model->graph;
    SlbPatchKey patch = {.seed = how->seed,
                         .side = how->patch,
                         .channels = g->nodes[0].channels,
                         .enlarged = g->enlarged};
    int scales[MAX_SCALES] = {0}, scale_count = scales_of(model, scales);
    const SlbEngineForm form = {.precision = SLB_FLOAT32, .act_bits = 32};
    SlbCpu cpu;
    patch.scale = scales[0];
    (void)slb_cpu_detect(&cpu); /* what the environment asks for was checked by who called */
    SlbStatus s = slb_dataset_load(how->data, how->data_count, patch.channels, (uint32_t)how->patch,
                                   how->threads, &bed->dataset, err);
    if (s == SLB_OK) s = slb_engine_create(g, &form, &cpu, &bed->engine, err);
    if (s == SLB_OK) s = slb_weights_create(bed->engine, &bed->weights, err);
    if (s == SLB_OK) s = load_weights(model, bed, err);
    if (s == SLB_OK)
        s = slb_calibrate(bed->engine, g, bed->weights, &bed->dataset, patch, scales, scale_count,
                          PATCHES, how->act_bits, bed->step, err);
    return s;
}

SlbStatus slb_recalibrate(SlbModel *model, const SlbRecalibration *how, SlbError *err)
{
    if (model->weight_bits == 32)
        return slb_fail(err, SLB_E_USAGE,
                        "a model of float weights has no activation codes; take one of 1, 2 or 4 "
                        "bits");
    Bed bed = {0};
    SlbStatus s = how->act_bits == 32 ? SLB_OK : calibrate(model, how, &bed, err);
    if (s == SLB_OK) {
        for (int i = 0; i < model->graph->conv_count; i++)
            model->conv[i].in_step = bed.step ? bed.step[i] : 0.0f;
        model->act_bits = how->act_bits;
    }
    drop(&bed);
    return s;
}
