/* The loop of a training run: steps, reports, validation, checkpoints. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "train/run.h"
#include "train/trainlog.h"

typedef struct Clock {
    double started, saved;
    long first_step;
} Clock;

/* Means over the steps since the last report, and what the last validation gave. */
typedef struct Progress {
    double loss_sum, baseline_sum;
    long loss_count;
    double psnr[SLB_TRAIN_SCALES], psnr_soft[SLB_TRAIN_SCALES];
    bool any_validation;
} Progress;

static SlbTrainReport report_of(const Run *run, const Clock *clock, const Progress *p,
                                bool validated)
{
    const SlbTrainOptions *o = run->options;
    double seconds = slb_seconds() - clock->started;
    return (SlbTrainReport){
        .step = run->now.step,
        .steps = o->steps,
        .loss = p->loss_count ? p->loss_sum / (double)p->loss_count : 0,
        .baseline = p->loss_count ? p->baseline_sum / (double)p->loss_count : 0,
        .rate = run_rate(run),
        .sharpness = run_is_soft(run) ? run_sharpness(run) : 0,
        .seconds = seconds,
        .left = seconds / (double)(run->now.step - clock->first_step) *
                (double)(o->steps - run->now.step),
        .validated = validated,
        .scale_count = o->scale_count,
        .scales = o->scales,
        .psnr = p->psnr,
        .psnr_soft = p->psnr_soft,
        .bicubic = validated ? slb_validation_bicubic(run->validation) : NULL,
    };
}

/* After a step: validation and report where they are due. */
static SlbStatus look(Run *run, const Clock *clock, Progress *p, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    bool last = run->now.step == o->steps;
    bool validate = run->validation && (last || run->now.step % o->val_every == 0);
    if (!validate && !last && run->now.step % o->report_every != 0) return SLB_OK;
    if (validate) {
        SlbStatus s = run_validate(run, p->psnr, p->psnr_soft, err);
        if (s != SLB_OK) return s;
        p->any_validation = true;
    }
    SlbTrainReport report = report_of(run, clock, p, validate);
    p->loss_sum = p->baseline_sum = 0;
    p->loss_count = 0;
    SlbStatus s = slb_trainlog_add(run->log_path, &report, err);
    if (s == SLB_OK && o->report) o->report(o->user, &report);
    return s;
}

/* Hands the last good state to the saver where a checkpoint is due; the run goes on meanwhile. */
static SlbStatus save_when_due(Run *run, Clock *clock, SlbError *err)
{
    bool fresh = run->now.step % SLB_GOOD_EVERY == 0;
    if (!fresh || slb_seconds() - clock->saved < run->options->checkpoint_seconds) return SLB_OK;
    if (slb_saver_busy(run->saver)) return SLB_OK; /* a slow disk: next time */
    clock->saved = slb_seconds();
    return slb_saver_start(run->saver, &run->good, err);
}

static bool must_stop(const Run *run, const Clock *clock)
{
    const SlbTrainOptions *o = run->options;
    if (run->now.step == o->steps) return false;
    return (o->stop && *o->stop) ||
           (o->stop_after > 0 && slb_seconds() - clock->started >= o->stop_after);
}

static SlbStatus stop(Run *run, SlbError *err)
{
    SlbStatus s = slb_saver_start(run->saver, &run->good, err);
    if (s == SLB_OK) s = slb_saver_wait(run->saver, err);
    if (s != SLB_OK) return s;
    return slb_fail(err, SLB_PARTIAL, "%s: stopped at step %ld of %ld; the same command goes on",
                    run->options->out, run->good.step, run->options->steps);
}

static void note_fall(const Run *run)
{
    char line[128];
    snprintf(line, sizeof line,
             "the loss went astray at step %ld; going on from step %ld with half the rate",
             run->fell_at, run->now.step);
    if (run->options->note) run->options->note(run->options->user, line);
}

static SlbStatus loop(Run *run, Clock *clock, Progress *p, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    while (run->now.step < o->steps) {
        double loss, baseline;
        long before = run->now.step;
        SlbStatus s = run_step(run, &loss, &baseline, err);
        if (s != SLB_OK) return s;
        if (run->now.step != before + 1) {
            note_fall(run);
            p->loss_sum = p->baseline_sum = 0; /* of steps that do not count any more */
            p->loss_count = 0;
            s = slb_trainlog_begin(run->log_path, o->scales, o->scale_count, run->now.step, err);
            if (s != SLB_OK) return s;
            continue;
        }
        p->loss_sum += loss;
        p->baseline_sum += baseline;
        p->loss_count++;
        s = look(run, clock, p, err);
        if (s == SLB_OK) s = save_when_due(run, clock, err);
        if (s != SLB_OK) return s;
        if (must_stop(run, clock)) return stop(run, err);
    }
    return SLB_OK;
}

/* "x2 36.90 (bicubic 33.60), ..." */
static void figures_of(const Run *run, const Progress *p, char *text, size_t bytes)
{
    const SlbTrainOptions *o = run->options;
    text[0] = 0;
    for (int i = 0; p->any_validation && i < o->scale_count; i++)
        snprintf(text + strlen(text), bytes - strlen(text), "%sx%d %.4f dB (bicubic %.4f)",
                 i ? ", " : "validation: ", o->scales[i], p->psnr[i],
                 slb_validation_bicubic(run->validation)[i]);
}

static SlbStatus train(Run *run, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    Clock clock = {.started = slb_seconds(), .saved = slb_seconds(), .first_step = run->now.step};
    Progress progress = {0};
    char figures[256];
    SlbStatus s = slb_trainlog_begin(run->log_path, o->scales, o->scale_count, run->now.step, err);
    if (s == SLB_OK) s = loop(run, &clock, &progress, err);
    if (s == SLB_OK && run->validation && !progress.any_validation) { /* resumed at the end */
        s = run_validate(run, progress.psnr, progress.psnr_soft, err);
        progress.any_validation = s == SLB_OK;
    }
    if (s != SLB_OK) return s;
    figures_of(run, &progress, figures, sizeof figures);
    return run_finish(run, figures, err);
}

SlbStatus slb_train(const SlbTrainOptions *options, SlbError *err)
{
    Run run;
    SlbStatus s = run_create(&run, options, err);
    if (s == SLB_OK) s = train(&run, err);
    run_free(&run);
    return s;
}
