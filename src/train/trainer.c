/* The loop of a training run: steps, reports, validation, checkpoints. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/figures.h"
#include "train/run.h"
#include "train/trainlog.h"

typedef struct Clock {
    double started, saved;
    long first_step;
} Clock;

/* Sums over the steps since the last report, and what the last validation gave. */
typedef struct Progress {
    double loss_sum, baseline_sum;
    long loss_count;
    RunTimes before; /* those of the run at the last report */
    double psnr[SLB_TRAIN_SCALES], psnr_soft[SLB_TRAIN_SCALES];
    bool any_validation;
} Progress;

static double data_share(const RunTimes *now, const RunTimes *before)
{
    double steps = run_seconds(now) - run_seconds(before);
    return steps > 0 ? (now->patches - before->patches) / steps : 0;
}

static double peak_mb(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024 / 1e6 : 0;
}

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
        .data_share = data_share(&run->times, &p->before),
        .peak_mb = peak_mb(),
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
    p->before = run->times;
    if (!run_leads(run)) return SLB_OK;
    SlbStatus s = slb_trainlog_add(run->log_path, &report, err);
    if (s == SLB_OK && o->report) o->report(o->user, &report);
    return s;
}

static SlbStatus save_last(Run *run, SlbError *err)
{
    if (!run_leads(run)) return SLB_OK;
    (void)!slb_saver_wait(run->saver, NULL); /* had it failed: this one may find room */
    SlbStatus s = slb_saver_start(run->saver, &run->good, err);
    return s == SLB_OK ? slb_saver_wait(run->saver, err) : s;
}

/* Hands the last good state to the saver where a checkpoint is due; the run goes on meanwhile. One
 * that could not be written is tried once more, with this state; then the run ends. */
static SlbStatus save_when_due(Run *run, Clock *clock, SlbError *err)
{
    bool fresh = run->now.step % SLB_GOOD_EVERY == 0;
    if (!fresh || !run_leads(run)) return SLB_OK;
    if (slb_seconds() - clock->saved < run->options->checkpoint_seconds) return SLB_OK;
    if (slb_saver_busy(run->saver)) return SLB_OK; /* a slow disk: next time */
    clock->saved = slb_seconds();
    if (slb_saver_wait(run->saver, NULL) != SLB_OK) return save_last(run, err);
    return slb_saver_start(run->saver, &run->good, err);
}

/* Whether one of the processes has to stop. Each also tells the norm of its gradients: were the
 * weights no longer the same everywhere, it would show there. */
static SlbStatus ask_to_stop(const Run *run, const Clock *clock, bool *stop, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    int size = slb_comm_size(o->comm), rank = slb_comm_rank(o->comm);
    bool late = o->stop_after > 0 && slb_seconds() - clock->started >= o->stop_after;
    bool gained = run->good.step > clock->first_step; /* or the same would be done for ever */
    bool mine = (o->stop && *o->stop) || (late && gained);
    double *all = slb_calloc((size_t)size + 1, sizeof *all);
    if (!all) return slb_fail_memory(err, "the training run");
    all[rank] = run->norm;
    all[size] = mine;
    SlbStatus s = slb_comm_sum(o->comm, all, (size_t)size + 1, err);
    for (int i = 1; s == SLB_OK && i < size; i++)
        if (all[i] != all[0])
            s = slb_fail(err, SLB_E_DIVERGED,
                         "processes 0 and %d have come to different weights at step %ld; they "
                         "need processors and libraries that compute alike",
                         i, run->now.step);
    *stop = all[size] > 0 && run->now.step < o->steps;
    slb_free(all);
    return s;
}

/* Given once more, --restart would begin anew once more. */
static const char *same_command(const Run *run)
{
    return run->options->restart ? "the same command without --restart" : "the same command";
}

static SlbStatus stop(Run *run, SlbError *err)
{
    SlbStatus s = save_last(run, err);
    if (s != SLB_OK) return s;
    return slb_fail(err, SLB_PARTIAL, "%s: stopped at step %ld of %ld; %s goes on",
                    run->options->out, run->good.step, run->options->steps, same_command(run));
}

static void note_fall(const Run *run)
{
    char line[128];
    snprintf(line, sizeof line,
             "the loss went astray at step %ld; going on from step %ld with half the rate",
             run->fell_at, run->now.step);
    if (run->options->note && run_leads(run)) run->options->note(run->options->user, line);
}

static SlbStatus begin_log(const Run *run, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    if (!run_leads(run)) return SLB_OK;
    return slb_trainlog_begin(run->log_path, o->scales, o->scale_count, run->now.step, err);
}

static SlbStatus loop(Run *run, Clock *clock, Progress *p, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    while (run->now.step < o->steps) {
        double loss, baseline;
        bool stopping = false;
        long before = run->now.step;
        SlbStatus s = run_step(run, &loss, &baseline, err);
        if (s != SLB_OK) return s;
        if (run->now.step != before + 1) {
            note_fall(run);
            p->loss_sum = p->baseline_sum = 0; /* of steps that do not count any more */
            p->loss_count = 0;
            s = begin_log(run, err);
            if (s != SLB_OK) return s;
            continue;
        }
        p->loss_sum += loss;
        p->baseline_sum += baseline;
        p->loss_count++;
        s = look(run, clock, p, err);
        if (s == SLB_OK) s = save_when_due(run, clock, err);
        if (s == SLB_OK) s = ask_to_stop(run, clock, &stopping, err);
        if (s != SLB_OK) return s;
        if (stopping) return stop(run, err);
    }
    return SLB_OK;
}

static SlbStatus finish(Run *run, Progress *p, SlbError *err)
{
    char figures[256] = "";
    if (run->validation && !p->any_validation) { /* resumed at the end */
        SlbStatus s = run_validate(run, p->psnr, p->psnr_soft, err);
        if (s != SLB_OK) return s;
        p->any_validation = true;
    }
    if (p->any_validation)
        slb_figures_write(run->options->scales, run->options->scale_count, p->psnr,
                          slb_validation_bicubic(run->validation), figures, sizeof figures);
    return run_finish(run, figures, err);
}

/* Steps that were done are kept when what is around them fails: a full disk, a model that has come
 * to stand there meanwhile, memory that is out. */
static void keep_steps(Run *run, SlbError *err)
{
    const SlbError why = *err;
    if (!run_leads(run) || save_last(run, NULL) != SLB_OK) return;
    (void)!slb_fail(err, why.status, "%.4400s; the checkpoint of step %ld is kept", why.message,
                    run->good.step);
}

static SlbStatus train(Run *run, SlbError *err)
{
    Clock clock = {.started = slb_seconds(), .saved = slb_seconds(), .first_step = run->now.step};
    Progress progress = {0};
    SlbStatus s = begin_log(run, err);
    if (s == SLB_OK) s = loop(run, &clock, &progress, err);
    if (s == SLB_OK) s = finish(run, &progress, err);
    bool gained = run->good.step > clock.first_step;
    if ((s == SLB_E_OUTPUT || s == SLB_E_MEMORY) && gained) keep_steps(run, err);
    return s;
}

/* The other processes have gone: the last good state is all that can be saved. */
static SlbStatus rescue(Run *run, SlbError *err)
{
    SlbError why = *err;
    SlbStatus s = save_last(run, err);
    if (s != SLB_OK) return s;
    return slb_fail(err, SLB_PARTIAL,
                    "%s: %.400s; the checkpoint of step %ld is written, and %s goes on from it",
                    run->options->out, why.message, run->good.step, same_command(run));
}

SlbStatus slb_train(const SlbTrainOptions *options, SlbError *err)
{
    Run run;
    SlbError own;
    if (!err) err = &own;
    SlbStatus s = run_create(&run, options, err);
    bool created = s == SLB_OK;
    if (created) s = train(&run, err);
    if (created && s == SLB_PARTIAL && slb_comm_has_left(options->comm)) s = rescue(&run, err);
    if (created && s != SLB_OK && s != SLB_PARTIAL && s != SLB_E_DIVERGED)
        slb_comm_leave(options->comm); /* the others know nothing of it */
    run_free(&run);
    return s;
}
