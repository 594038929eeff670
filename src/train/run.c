#include "train/run.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "train/calibrate.h"

enum { STREAM_PATCH = 2, STREAM_SCALE = 4 };

static long share_of(const Run *run, double share)
{
    return (long)(share * (double)run->options->steps);
}

bool run_is_hard(const Run *run)
{
    const SlbTrainOptions *o = run->options;
    return o->bits < 32 && run->method->annealed && run->now.step >= share_of(run, o->anneal_to);
}

bool run_is_soft(const Run *run)
{
    return run->options->bits < 32 && run->method->annealed && !run_is_hard(run);
}

static double sharpness_at(const Run *run, long step)
{
    const SlbTrainOptions *o = run->options;
    const SlbSharpness how = {.tempering = o->tempering,
                              .restarts = o->restarts,
                              .from = share_of(run, o->anneal_from),
                              .to = share_of(run, o->anneal_to),
                              .end = o->sharpness};
    return slb_sharpness_at(&how, step);
}

double run_sharpness(const Run *run)
{
    return sharpness_at(run, run->now.step);
}

double run_rate(const Run *run)
{
    const SlbTrainOptions *o = run->options;
    const SlbRate rate = {.schedule = o->schedule,
                          .peak = o->rate,
                          .steps = o->steps,
                          .warmup = o->warmup,
                          .decay_every = o->decay_every};
    return slb_rate_at(&rate, run->now.step) * run->now.rate_factor;
}

/* What the training engine normalizes by itself is part of the weights for others. */
static void set_layer(const Run *run, const SlbEngine *engine, SlbWeights *weights, int i,
                      const SlbLayer *layer, bool hard)
{
    float gain[SLB_MAX_CHANNELS], bias[SLB_MAX_CHANNELS], *w = run->effective[i];
    size_t each = slb_layer_weights(layer) / (size_t)layer->out_channels;
    const SlbParam *gamma = &layer->param[SLB_PARAM_GAMMA], *beta = &layer->param[SLB_PARAM_BIAS];
    layer->method->weights(layer, run_sharpness(run), hard, w);
    if (gamma->size && engine == run->engine) {
        slb_weights_set_norm(weights, i, gamma->value, beta->value);
    } else if (gamma->size) {
        slb_layer_norm(layer, run_norm_state(run, hard), gain, bias);
        for (size_t k = 0; k < slb_layer_weights(layer); k++) w[k] *= gain[k / each];
        beta = NULL;
    }
    slb_weights_set(weights, engine, i, w, beta ? beta->value : bias);
    float step = slb_layer_step(layer);
    slb_weights_set_step(weights, engine, i, step > 0.0f ? step : run->step[i]);
}

void run_set_weights(const Run *run, const SlbEngine *engine, SlbWeights *weights, bool hard,
                     bool averaged)
{
#pragma omp parallel num_threads(run->options->threads)
#pragma omp single
#pragma omp taskloop grainsize(1)
    for (size_t l = 0; l < (size_t)run->graph->conv_count; l++) {
        int i = (int)l;
        const SlbLayer *now = &run->now.layer[i];
        SlbLayer layer = averaged ? slb_layer_averaged(now) : *now;
        set_layer(run, engine, weights, i, &layer, hard);
    }
}

/* Scales go round, from a random start each step. */
SlbPatchKey run_patch_key(const Run *run, long step, int i)
{
    const SlbTrainOptions *o = run->options;
    SlbRng rng = slb_rng(o->seed, STREAM_SCALE, (uint64_t)step);
    uint64_t first = slb_rng_below(&rng, (uint64_t)o->scale_count);
    SlbPatchKey key = run_patch_form(run);
    key.stream = STREAM_PATCH;
    key.index = (uint64_t)step * (uint64_t)o->batch + (uint64_t)i;
    key.scale = o->scales[(first + (uint64_t)i) % (uint64_t)o->scale_count];
    return key;
}

double run_input_loss(const SlbPatchKey *key, const float *in, const float *target, SlbLoss loss)
{
    double sum = 0;
    size_t side = (size_t)key->side, channels = (size_t)key->channels;
    size_t large = key->enlarged ? 1 : (size_t)key->scale;
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++)
            for (size_t c = 0; c < channels; c++) {
                size_t at = (y / large * (side / large) + x / large) * channels + c;
                double d = (double)in[at] - (double)*target++;
                sum += loss == SLB_LOSS_MSE ? d * d : fabs(d);
            }
    return sum;
}

/* What one part of a batch gives. */
typedef struct PartResult {
    double loss, baseline;
    double patches, forward, backward; /* seconds */
} PartResult;

/* The first patch of a part. */
static int first_of(const Run *run, int part)
{
    return part * run->options->batch / run->parts;
}

/* Patches of a part that will be wanted soon. */
static void expect_part(const Run *run, long step, int part)
{
    for (int i = first_of(run, part); i < first_of(run, part + 1); i++) {
        SlbPatchKey key = run_patch_key(run, step, i);
        slb_dataset_expect(&run->dataset, &key);
    }
}

/* The pictures of one part of the batch, in order. */
static SlbStatus run_part(const Run *run, int p, SlbSlot *slot, PartResult *part, SlbError *err)
{
    SlbGrads *grads;
    const SlbTrainOptions *o = run->options;
    SlbPatchKey form = run_patch_form(run);
    size_t inputs = slb_patch_inputs(&form), targets = slb_patch_targets(&form);
    uint32_t side = (uint32_t)slb_patch_input_side(&form);
    float *in = slb_alloc(inputs + 2 * targets, sizeof *in), *shown = in + inputs + targets;
    const SlbAim aim = {.loss = o->loss,
                        .samples = (double)targets * o->batch,
                        .target = in + inputs,
                        .teacher = run->teacher.engine ? shown : NULL,
                        .teacher_share = o->teacher_share};
    SlbStatus s = in ? SLB_OK : slb_fail_memory(err, "a training patch");
    if (s == SLB_OK) s = slb_reduction_part(run->reduction, p, &grads, err);
    int from = first_of(run, p), to = first_of(run, p + 1);
    double asked = slb_seconds();
    expect_part(run, run->now.step + 1, p);
    part->patches += slb_seconds() - asked;
    for (int i = from; s == SLB_OK && i < to; i++) {
        double began = slb_seconds();
        SlbPatchKey key = run_patch_key(run, run->now.step, i);
        s = slb_dataset_patch(&run->dataset, &key, in, in + inputs, err);
        if (s != SLB_OK) break;
        if (aim.teacher) run_teacher_show(run, omp_get_thread_num(), in, shown);
        double cut = slb_seconds();
        slb_forward(run->engine, run->weights, slot, in, side, side);
        double passed = slb_seconds();
        if (i == to - 1) slb_reduction_last(run->reduction, p);
        part->loss += slb_backward(run->engine, run->weights, slot, &aim, grads);
        part->backward += slb_seconds() - passed;
        part->forward += passed - cut;
        part->patches += cut - began;
        part->baseline += run_input_loss(&key, in, in + inputs, o->loss) / aim.samples;
    }
    slb_free(in);
    return s;
}

/* The losses of all parts of all processes, in order. */
static SlbStatus sum_losses(const Run *run, const PartResult *part, double *loss, double *baseline,
                            SlbError *err)
{
    double all[MAX_BATCH_PARTS][2] = {{0}};
    for (int p = run->from; p < run->to; p++) {
        all[p][0] = part[p].loss;
        all[p][1] = part[p].baseline;
    }
    SlbStatus s = slb_comm_sum(run->options->comm, all[0], 2 * (size_t)run->parts, err);
    *loss = *baseline = 0;
    for (int p = 0; p < run->parts; p++) {
        *loss += all[p][0];
        *baseline += all[p][1];
    }
    return s;
}

/* This process's parts of the batch. */
static SlbStatus batch(Run *run, PartResult *part, SlbError *err)
{
    SlbStatus status = SLB_OK;
    slb_reduction_begin(run->reduction);
    for (int p = run->from; p < run->to && !run->expecting; p++)
        expect_part(run, run->now.step, p); /* of the first step of all */
    run->expecting = true;
#pragma omp parallel for schedule(dynamic, 1) num_threads(run->workers)
    for (int p = run->from; p < run->to; p++) {
        SlbError mine;
        SlbStatus s = run_part(run, p, run->slot[omp_get_thread_num()], &part[p], &mine);
        if (s == SLB_OK) continue;
#pragma omp critical
        {
            status = s;
            if (err) *err = mine;
        }
    }
    for (int p = run->from; p < run->to; p++) {
        run->times.patches += part[p].patches / run->workers;
        run->times.forward += part[p].forward / run->workers;
        run->times.backward += part[p].backward / run->workers;
    }
    return status;
}

static void parameter_grads(Run *run, const SlbGrads *total, bool hard)
{
    double sharpness = run_sharpness(run);
#pragma omp parallel num_threads(run->options->threads)
#pragma omp single
#pragma omp taskloop grainsize(1)
    for (size_t l = 0; l < (size_t)run->graph->conv_count; l++) {
        int i = (int)l;
        SlbLayer *layer = &run->now.layer[i];
        slb_grads_get(total, run->engine, i, run->effective[i], layer->param[SLB_PARAM_BIAS].grad);
        layer->method->backward(layer, sharpness, hard, run->effective[i]);
        if (layer->param[SLB_PARAM_GAMMA].size)
            slb_grads_gamma(total, run->engine, i, layer->param[SLB_PARAM_GAMMA].grad);
        if (layer->param[SLB_PARAM_STEP].size) /* dL/d ln(step) */
            layer->param[SLB_PARAM_STEP].grad[0] = slb_grads_step(total, i) * slb_layer_step(layer);
    }
}

enum { SETTLED = 20 }; /* steps before which nothing is usual */

/* The first step, or a restart of the search, whose soft weights lose what the hard ones had
 * learned. */
static bool begins_anew(const Run *run, long step)
{
    return step == 0 || sharpness_at(run, step) < sharpness_at(run, step - 1);
}

static bool is_settled(const Run *run)
{
    for (long n = 0; n < SETTLED; n++)
        if (begins_anew(run, run->now.step - n)) return false;
    return true;
}

/* Several times what is usual, both as it is (a batch of smooth patches has a small loss, whatever
 * the network does) and beside that of the untouched input (a batch of difficult patches has a
 * large one). */
static bool jumps(const Run *run, double loss, double baseline)
{
    const double several = 5.0;
    const SlbTrainState *now = &run->now;
    return loss > several * now->usual_loss &&
           loss * now->usual_baseline > several * baseline * now->usual_loss && is_settled(run);
}

/* A loss that is no number, or one that stays up where it jumped to: a single one may be a batch
 * unlike all others, to a network that knows the others by heart. */
static bool astray(Run *run, double loss, double baseline, double norm)
{
    enum { STAYS = 3 };
    if (!isfinite(loss) || !isfinite(norm)) return true;
    run->jumps = jumps(run, loss, baseline) ? run->jumps + 1 : 0;
    return run->jumps == STAYS;
}

static void remember(Run *run, double loss, double baseline)
{
    SlbTrainState *now = &run->now;
    const double follow = begins_anew(run, now->step) ? 1.0 : 0.02;
    now->usual_loss += follow * (loss - now->usual_loss);
    now->usual_baseline += follow * (baseline - now->usual_baseline);
}

/* Back to the last good state with half the rate. Twice without a new good state in between is the
 * end. */
static SlbStatus fall_back(Run *run, SlbError *err)
{
    long step = run->now.step;
    if (run->fallen)
        return slb_fail(err, SLB_E_DIVERGED,
                        "%s: training diverged at step %ld, for the second time from step %ld on; "
                        "try a lower --lr",
                        run->options->out, step, run->good.step);
    slb_state_copy(&run->good, &run->now);
    run->jumps = 0;
    run->now.rate_factor *= 0.5;
    run->fallen = true;
    run->fell_at = step;
    return SLB_OK;
}

static void add_times(RunTimes *times, const double clock[6])
{
    times->weights += clock[1] - clock[0];
    times->batch += clock[2] - clock[1];
    times->reduce += clock[3] - clock[2];
    times->gradients += clock[4] - clock[3];
    times->update += clock[5] - clock[4];
}

SlbStatus run_step(Run *run, double *loss, double *baseline, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    bool hard = run_is_hard(run);
    PartResult part[MAX_BATCH_PARTS] = {{0}};
    const SlbGrads *total;
    double clock[6] = {slb_seconds()};
    run_set_weights(run, run->engine, run->weights, hard, false);
    clock[1] = slb_seconds();
    SlbStatus s = run->normalized ? run_norm_batch(run, &part[0].loss, &part[0].baseline, err)
                                  : batch(run, part, err);
    clock[2] = slb_seconds();
    if (s == SLB_OK) s = slb_reduction_finish(run->reduction, &total, err);
    if (s == SLB_OK) s = sum_losses(run, part, loss, baseline, err);
    if (s != SLB_OK) return s;
    clock[3] = slb_seconds();
    parameter_grads(run, total, hard);
    clock[4] = slb_seconds();
    double norm = slb_grad_norm(run->now.layer, run->now.count, o->threads);
    run->norm = 0;
    if (astray(run, *loss, *baseline, norm)) {
        for (int i = 0; i < run->now.count; i++) slb_layer_forget_grads(&run->now.layer[i]);
        return fall_back(run, err);
    }
    const SlbAdam adam = {.step = run->now.step + 1,
                          .rate = run_rate(run),
                          .shrink = o->clip > 0 && norm > o->clip ? o->clip / norm : 1.0,
                          .average = o->average,
                          .hard = hard,
                          .threads = o->threads};
    slb_adam(run->now.layer, run->now.count, &adam);
    clock[5] = slb_seconds();
    add_times(&run->times, clock);
    run->norm = norm;
    if (!run->jumps) remember(run, *loss, *baseline);
    run->now.step++;
    if (run->now.step % SLB_GOOD_EVERY == 0 && !run->jumps) {
        slb_state_copy(&run->now, &run->good);
        run->fallen = false;
    }
    return SLB_OK;
}

SlbStatus run_calibrate(Run *run, SlbError *err)
{
    enum { PATCHES = 192 };
    const SlbTrainOptions *o = run->options;
    SlbEngine *engine = NULL;
    SlbWeights *weights = NULL;
    const SlbEngineForm form = {.precision = SLB_FLOAT32, .act_bits = 32};
    SlbStatus s = slb_engine_create(run->graph, &form, &run->cpu, &engine, err);
    if (s == SLB_OK) s = slb_weights_create(engine, &weights, err);
    if (s == SLB_OK) {
        run_set_weights(run, engine, weights, !run_is_soft(run), true);
        s = slb_calibrate(engine, run->graph, weights, &run->dataset, run_patch_form(run),
                          o->scales, o->scale_count, PATCHES, run->act_bits, run->step, err);
    }
    slb_weights_free(weights);
    slb_engine_free(engine);
    return s;
}

/* Steps of 7 and 8 bits, once the weights are those of the model. */
static SlbStatus calibrate_last(Run *run, SlbError *err)
{
    bool due = run->act_bits < 32 && !run_trains_codes(run) && run->now.step == run->options->steps;
    for (int i = 0; i < run->graph->conv_count; i++) due = due && run->step[i] == 0.0f;
    return due ? run_calibrate(run, err) : SLB_OK;
}

SlbStatus run_validate(Run *run, double *psnr, double *psnr_soft, SlbError *err)
{
    const SlbEngine *engine = slb_validation_engine(run->validation);
    SlbStatus s = run_norm_estimate(run, err);
    if (s == SLB_OK) s = calibrate_last(run, err);
    if (s != SLB_OK) return s;
    run_set_weights(run, engine, run->hard, true, true);
    s = slb_validation_run(run->validation, run->hard, psnr, err);
    if (s != SLB_OK) return s;
    memcpy(psnr_soft, psnr, (size_t)run->options->scale_count * sizeof *psnr);
    if (!run_is_soft(run)) return SLB_OK;
    run_set_weights(run, engine, run->soft, false, true);
    return slb_validation_run(run->validation, run->soft, psnr_soft, err);
}

static SlbStatus describe(const Run *run, SlbModel *model, const char *figures, SlbError *err)
{
    char scales[32] = "";
    for (int i = 0; i < run->options->scale_count; i++)
        snprintf(scales + strlen(scales), sizeof scales - strlen(scales), "%s%d", i ? "," : "",
                 run->options->scales[i]);
    model->scales = strdup(scales);
    model->command = strdup(run->options->command ? run->options->command : "");
    model->figures = strdup(figures);
    return model->scales && model->command && model->figures ? SLB_OK
                                                             : slb_fail_memory(err, "the model");
}

/* The parameters of inference of convolution i; a normalization is part of them. */
static void write_conv(const Run *run, int i, SlbConvParams *conv)
{
    SlbLayer layer = slb_layer_averaged(&run->now.layer[i]);
    float gain[SLB_MAX_CHANNELS], step = slb_layer_step(&layer);
    size_t each = slb_layer_weights(&layer) / (size_t)layer.out_channels;
    layer.method->harden(&layer, conv);
    slb_layer_norm(&layer, run_norm_state(run, true), gain, conv->bias);
    for (int c = 0; conv->scale && c < layer.out_channels; c++) conv->scale[c] *= gain[c];
    for (size_t k = 0; conv->weight && k < slb_layer_weights(&layer); k++)
        conv->weight[k] *= gain[k / each];
    conv->in_step = step > 0.0f ? step : run->step[i];
}

SlbStatus run_finish(Run *run, const char *figures, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    SlbModel *model = NULL;
    if (!run_leads(run)) return SLB_OK;
    SlbStatus s = slb_model_create(run->graph, o->bits, &model, err);
    if (s == SLB_OK) s = run_norm_estimate(run, err);
    if (s == SLB_OK) s = calibrate_last(run, err);
    for (int i = 0; s == SLB_OK && i < run->graph->conv_count; i++)
        write_conv(run, i, &model->conv[i]);
    if (s == SLB_OK) model->act_bits = run->act_bits;
    if (s == SLB_OK) s = describe(run, model, figures, err);
    if (s == SLB_OK) s = slb_model_save(model, o->out, o->overwrite, err);
    if (s == SLB_OK) {
        (void)!slb_saver_wait(run->saver, NULL); /* nobody needs that checkpoint any more */
        unlink(run->checkpoint_path);
    }
    slb_model_free(model);
    return s;
}
