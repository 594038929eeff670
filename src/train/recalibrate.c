#include "train/recalibrate.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/figures.h"
#include "train/calibrate.h"
#include "train/validate.h"

enum { MAX_SCALES = 3 };

/* Everything that a calibration needs; zeroed at first, then freed whatever happened. */
typedef struct Bed {
    SlbCpu cpu; /* what the environment asks for was checked by who called */
    int scales[MAX_SCALES], scale_count;
    SlbDataset dataset;
    SlbEngine *engine;
    SlbWeights *weights;
    SlbValidation *validation;
    SlbWeights *validated; /* weights of its engine */
    float *weight;         /* OIHW floats of the largest convolution */
    float *step;           /* [conv_count] */
} Bed;

static void drop(Bed *bed)
{
    slb_free(bed->step);
    slb_free(bed->weight);
    slb_weights_free(bed->validated);
    slb_validation_free(bed->validation);
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

static SlbStatus create_room(const SlbModel *model, Bed *bed, SlbError *err)
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
    return bed->weight && bed->step ? SLB_OK : slb_fail_memory(err, "the calibration");
}

/* Weights of the model and the steps that are known by now. */
static SlbStatus create_weights(const SlbModel *model, const SlbEngine *engine, Bed *bed,
                                SlbWeights **weights, SlbError *err)
{
    SlbStatus s = slb_weights_create(engine, weights, err);
    for (int i = 0; s == SLB_OK && i < model->graph->conv_count; i++) {
        slb_conv_effective(&model->conv[i], bed->weight);
        slb_weights_set(*weights, engine, i, bed->weight, model->conv[i].bias);
        slb_weights_set_step(*weights, engine, i, bed->step[i]);
    }
    return s;
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
    const SlbEngineForm form = {.precision = SLB_FLOAT32, .act_bits = 32};
    patch.scale = bed->scales[0];
    uint32_t least = slb_dataset_least_side(how->patch, bed->scales, bed->scale_count);
    SlbStatus s = slb_dataset_load(how->data, how->data_count, patch.channels, least, how->threads,
                                   &bed->dataset, err);
    if (s == SLB_OK) s = slb_engine_create(g, &form, &bed->cpu, &bed->engine, err);
    if (s == SLB_OK) s = create_weights(model, bed->engine, bed, &bed->weights, err);
    if (s == SLB_OK)
        s = slb_calibrate(bed->engine, g, bed->weights, &bed->dataset, patch, bed->scales,
                          bed->scale_count, PATCHES, how->act_bits, bed->step, err);
    return s;
}

/* What the model's figures become. */
static SlbStatus measure(const SlbModel *model, const SlbRecalibration *how, Bed *bed,
                         char **figures, SlbError *err)
{
    double psnr[MAX_SCALES];
    char text[256];
    SlbStatus s = slb_validation_create(how->val, how->val_pictures, model->graph, how->act_bits,
                                        bed->scales, bed->scale_count, &bed->cpu, how->threads,
                                        NULL, &bed->validation, err);
    const SlbEngine *engine = s == SLB_OK ? slb_validation_engine(bed->validation) : NULL;
    if (s == SLB_OK) s = create_weights(model, engine, bed, &bed->validated, err);
    if (s == SLB_OK) s = slb_validation_run(bed->validation, bed->validated, psnr, err);
    if (s != SLB_OK) return s;
    slb_figures_write(bed->scales, bed->scale_count, psnr, slb_validation_bicubic(bed->validation),
                      text, sizeof text);
    *figures = strdup(text);
    return *figures ? SLB_OK : slb_fail_memory(err, "the calibration");
}

SlbStatus slb_recalibrate(SlbModel *model, const SlbRecalibration *how, SlbError *err)
{
    if (model->weight_bits == 32)
        return slb_fail(err, SLB_E_USAGE,
                        "a model of float weights has no activation codes; take one of 1, 2 or 4 "
                        "bits");
    Bed bed = {0};
    char *figures = NULL;
    (void)slb_cpu_detect(&bed.cpu);
    bed.scale_count = scales_of(model, bed.scales);
    SlbStatus s = create_room(model, &bed, err);
    if (s == SLB_OK && how->act_bits < 32) s = calibrate(model, how, &bed, err);
    if (s == SLB_OK && how->val) s = measure(model, how, &bed, &figures, err);
    if (s == SLB_OK) {
        for (int i = 0; i < model->graph->conv_count; i++) model->conv[i].in_step = bed.step[i];
        model->act_bits = how->act_bits;
    }
    if (figures) {
        free(model->figures);
        model->figures = figures;
    }
    drop(&bed);
    return s;
}
