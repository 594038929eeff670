/* Steps of networks with batch normalization: the batch as a whole, and its statistics. */
#include <omp.h>

#include "base/clock.h"
#include "base/mem.h"
#include "train/run.h"

enum { STREAM_MOMENTS = 5 };

/* The pictures of a batch; `stream` other than that of the steps: number `index` of it. The loss of
 * the untouched input is added to *baseline. */
static SlbStatus cut_patches(Run *run, const SlbPatchKey *other, double *baseline, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    SlbPatchKey form = run_patch_form(run);
    size_t inputs = slb_patch_inputs(&form), targets = slb_patch_targets(&form);
    float *in = run->pictures, *target = in + (size_t)o->batch * inputs;
    double *loss = slb_calloc((size_t)o->batch, sizeof *loss);
    SlbStatus status = loss ? SLB_OK : slb_fail_memory(err, "a training patch");
#pragma omp parallel for schedule(dynamic, 1) num_threads(o->threads) if (loss)
    for (int i = 0; i < (loss ? o->batch : 0); i++) {
        SlbPatchKey key = run_patch_key(run, run->now.step, i);
        if (other) {
            key.stream = other->stream;
            key.index = other->index * (uint64_t)o->batch + (uint64_t)i;
        }
        SlbError mine;
        float *to = in + (size_t)i * inputs, *wanted = target + (size_t)i * targets;
        SlbStatus s = slb_dataset_patch(&run->dataset, &key, to, wanted, &mine);
        if (s == SLB_OK) {
            loss[i] = run_input_loss(&key, to, wanted, o->loss);
            if (run->teacher.engine && !other)
                run_teacher_show(run, omp_get_thread_num(), to,
                                 wanted + (size_t)o->batch * targets);
            continue;
        }
#pragma omp critical
        {
            status = s;
            if (err) *err = mine;
        }
    }
    for (int i = 0; loss && i < o->batch; i++) *baseline += loss[i];
    slb_free(loss);
    return status;
}

static SlbBatch batch_of(const Run *run)
{
    SlbPatchKey form = run_patch_form(run);
    uint32_t side = (uint32_t)slb_patch_input_side(&form);
    return (SlbBatch){.slot = run->slot,
                      .count = run->options->batch,
                      .width = side,
                      .height = side,
                      .threads = run->options->threads};
}

/* By the whole way it comes to `to` itself: rounded, the sum would still depend on where it was. */
static void move(float *value, float to, float share)
{
    *value = share < 1.0f ? *value + share * (to - *value) : to;
}

/* Moves the averages of all layers towards the statistics of the last batch. */
static void follow(Run *run, SlbNormState state, float share)
{
    for (int i = 0; i < run->graph->conv_count; i++) {
        SlbLayer *layer = &run->now.layer[i];
        const float *mean = slb_moments_mean(run->moments, i);
        const float *variance = slb_moments_variance(run->moments, i);
        float *to = layer->moments[state];
        for (int c = 0; mean && c < layer->out_channels; c++) {
            move(&to[c], mean[c], share);
            move(&to[layer->out_channels + c], variance[c], share);
        }
    }
}

/* The mean of the first steps, then an average of about ten. */
static float share_of_step(long step)
{
    return step < 10 ? 1.0f / (float)(step + 1) : 0.1f;
}

static SlbStatus backward(Run *run, const SlbBatch *batch, double *loss, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    SlbPatchKey form = run_patch_form(run);
    size_t targets = slb_patch_targets(&form) * (size_t)o->batch;
    const float *target = run->pictures + (size_t)o->batch * slb_patch_inputs(&form);
    const SlbAim aim = {.loss = o->loss,
                        .samples = (double)targets,
                        .target = target,
                        .teacher = run->teacher.engine ? target + targets : NULL,
                        .teacher_share = o->teacher_share};
    SlbGrads *part[MAX_BATCH_PARTS];
    slb_reduction_begin(run->reduction);
    for (int p = 0; p < run->parts; p++) {
        SlbStatus s = slb_reduction_part(run->reduction, p, &part[p], err);
        if (s != SLB_OK) return s;
    }
    *loss =
        slb_batch_backward(run->engine, run->weights, batch, &aim, run->moments, part, run->parts);
    for (int p = 0; p < run->parts; p++) slb_reduction_whole(run->reduction, p);
    return SLB_OK;
}

SlbStatus run_norm_batch(Run *run, double *loss, double *baseline, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    SlbPatchKey form = run_patch_form(run);
    SlbBatch batch = batch_of(run);
    double began = slb_seconds();
    *baseline = 0;
    SlbStatus s = cut_patches(run, NULL, baseline, err);
    if (s != SLB_OK) return s;
    *baseline /= (double)slb_patch_targets(&form) * o->batch;
    double cut = slb_seconds();
    float share = share_of_step(run->now.step);
    slb_batch_forward(run->engine, run->weights, &batch, run->pictures, false, run->moments);
    double passed = slb_seconds();
    s = backward(run, &batch, loss, err);
    if (s != SLB_OK) return s;
    run->times.patches += cut - began;
    run->times.forward += passed - cut;
    run->times.backward += slb_seconds() - passed;
    follow(run, SLB_NORM_SOFT, share);
    if (o->sbn != SLB_SBN_DUAL) return SLB_OK;
    if (run_is_soft(run)) {
        run_set_weights(run, run->engine, run->weights, true, false);
        slb_batch_forward(run->engine, run->weights, &batch, run->pictures, false, run->moments);
    }
    follow(run, SLB_NORM_HARD, share);
    return SLB_OK;
}

SlbStatus run_norm_estimate(Run *run, SlbError *err)
{
    enum { BATCHES = 8 };
    if (!run->normalized || run->options->sbn != SLB_SBN_CALIBRATED) return SLB_OK;
    SlbBatch batch = batch_of(run);
    double unused = 0;
    run_set_weights(run, run->engine, run->weights, true, true);
    for (int i = 0; i < BATCHES; i++) {
        const SlbPatchKey key = {.stream = STREAM_MOMENTS, .index = (uint64_t)i};
        SlbStatus s = cut_patches(run, &key, &unused, err);
        if (s != SLB_OK) return s;
        slb_batch_forward(run->engine, run->weights, &batch, run->pictures, false, run->moments);
        follow(run, SLB_NORM_HARD, 1.0f / (float)(i + 1));
    }
    return SLB_OK;
}

SlbStatus run_norm_start(Run *run, bool adopt, SlbError *err)
{
    const SlbPatchKey key = {.stream = STREAM_MOMENTS};
    SlbBatch batch = batch_of(run);
    double unused = 0;
    SlbStatus s = cut_patches(run, &key, &unused, err);
    if (s != SLB_OK) return s;
    run_set_weights(run, run->engine, run->weights, false, false);
    slb_batch_forward(run->engine, run->weights, &batch, run->pictures, adopt, run->moments);
    for (int i = 0; adopt && i < run->graph->conv_count; i++) {
        SlbParam *param = run->now.layer[i].param;
        if (param[SLB_PARAM_GAMMA].size)
            slb_weights_get_norm(run->weights, i, param[SLB_PARAM_GAMMA].value,
                                 param[SLB_PARAM_BIAS].value);
    }
    follow(run, SLB_NORM_SOFT, 1.0f);
    follow(run, SLB_NORM_HARD, 1.0f);
    return SLB_OK;
}

SlbNormState run_norm_state(const Run *run, bool hard)
{
    return hard && run->options->sbn != SLB_SBN_NONE ? SLB_NORM_HARD : SLB_NORM_SOFT;
}
