/* slbsr train: options to an SlbTrainOptions, and the lines that tell how it goes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/processes.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/train_html.h"
#include "train/train.h"

typedef struct Settings {
    TextList data;
    const char *net, *out, *init, *teacher, *val;
    IntList scales;
    int bits, act_bits, method, steps, warmup, batch, patch, seed, threads;
    const char *stop_after;
    int sbn, schedule, decay_every, tempering, restarts;
    double teacher_weight, lr, ema, logit_lr, clip, tmax, anneal_from, anneal_to,
        checkpoint_minutes;
    int loss, precision, val_every, val_pictures;
    const char *html;
    bool dry_run, restart, overwrite;
} Settings;

static const Option options[] = {
    {'d', "data", OPTION_TEXTS, offsetof(Settings, data), "DIR|PACK", NULL, 0, 0, NULL, true,
     "folder of pictures to train on, or of a set that has them in HR/ or DIV2K_train_HR/, or a "
     "file "
     "made by 'slbsr pack'; may be repeated"},
    {'o', "out", OPTION_TEXT, offsetof(Settings, out), "FILE", NULL, 0, 0, NULL, true,
     "the model to write; FILE.ckpt (to go on from) and FILE.csv (the log) stand beside it"},
    {'n', "net", OPTION_TEXT, offsetof(Settings, net), "NET|FILE", NULL, 0, 0, "vdsr", false,
     "the network: a built-in name or a .net file"},
    {'b', "bits", OPTION_INT, offsetof(Settings, bits), NULL, "1|2|4|32", 0, 0, "2", false,
     "bits of a weight in the layers that the network marks low; 32: float"},
    {0, "act-bits", OPTION_INT, offsetof(Settings, act_bits), NULL, "1|2|4|7|8|32", 0, 0, NULL,
     false,
     "bits of the activations that low layers read: 8 and 7 are calibrated at the end, 4, 2 and 1 "
     "are "
     "trained with; without it 8, or 32 with --bits 32"},
    {0, "method", OPTION_CHOICE, offsetof(Settings, method), NULL, "slb|dorefa|float", 0, 0, "slb",
     false,
     "how low-bit weights are found: by searching levels, by rounding float weights, or not at all "
     "(as --bits 32)"},
    {0, "sbn", OPTION_CHOICE, offsetof(Settings, sbn), NULL, "calibrated|dual|none", 0, 0,
     "calibrated", false,
     "statistics of networks with 'norm sbn' for the weights of inference: estimated at every "
     "validation, by a second forward pass in every step, or those of the weights of training"},
    {'i', "init", OPTION_TEXT, offsetof(Settings, init), "FILE", NULL, 0, 0, NULL, false,
     "model to start from, float weights as a rule; of the same network, or of one with the same "
     "low layers, such as that for another factor: layers that differ start anew"},
    {0, "teacher", OPTION_TEXT, offsetof(Settings, teacher), "FILE", NULL, 0, 0, NULL, false,
     "model whose results are a second target (distillation), such as a larger float one; of any "
     "network with the same input and factor"},
    {0, "teacher-weight", OPTION_REAL, offsetof(Settings, teacher_weight), "F", NULL, 0, 1, "0.5",
     false, "the loss is F against the teacher's results and 1 - F against the pictures"},
    {0, "val", OPTION_TEXT, offsetof(Settings, val), "DIR", NULL, 0, 0, NULL, false,
     "folder of pictures to validate on"},
    {'s', "scale", OPTION_INTS, offsetof(Settings, scales), "N,...", "2|3|4", 0, 0, NULL, false,
     "the factors to train for, mixed in every batch; without it 2,3,4, or the network's own"},
    {0, "steps", OPTION_INT, offsetof(Settings, steps), "N", NULL, 1, 100000000, "100000", false,
     "steps of the optimizer"},
    {0, "batch", OPTION_INT, offsetof(Settings, batch), "N", NULL, 1, 4096, "64", false,
     "patches in a step"},
    {0, "patch", OPTION_INT, offsetof(Settings, patch), "N", NULL, 16, 1024, NULL, false,
     "side of a patch, pixels at output resolution; without it 41, or 48 times the network's "
     "own factor"},
    {0, "lr", OPTION_REAL, offsetof(Settings, lr), "F", NULL, 1e-9, 10, "5e-4", false,
     "learning rate of Adam after the warm-up"},
    {0, "warmup", OPTION_INT, offsetof(Settings, warmup), "N", NULL, 0, 100000000, "200", false,
     "steps in which the rate rises to --lr"},
    {0, "schedule", OPTION_CHOICE, offsetof(Settings, schedule), NULL, "cosine|step", 0, 0,
     "cosine", false,
     "how the rate falls: along half a cosine to 1 %, or to a tenth every N steps"},
    {0, "decay-every", OPTION_INT, offsetof(Settings, decay_every), "N", NULL, 1, 100000000,
     "20000", false, "steps after which --schedule step divides the rate by 10"},
    {0, "ema", OPTION_REAL, offsetof(Settings, ema), "F", NULL, 0, 0.999999, "0", false,
     "decay of a moving average of the parameters, which is what is validated and written; 0: "
     "none"},
    {0, "logit-lr", OPTION_REAL, offsetof(Settings, logit_lr), "F", NULL, 1e-6, 1e6, "1", false,
     "the rate of the searched weights is --lr times this"},
    {0, "clip", OPTION_REAL, offsetof(Settings, clip), "F", NULL, 0, 1e9, "0.4", false,
     "bound of the gradient's norm; 0: none"},
    {0, "loss", OPTION_CHOICE, offsetof(Settings, loss), NULL, "mse|l1", 0, 0, "mse", false,
     "what is made small"},
    {0, "tmax", OPTION_REAL, offsetof(Settings, tmax), "F", NULL, 1, 1e6, "60", false,
     "sharpness T = 1/tau of the search at its end; it rises from 1"},
    {0, "tschedule", OPTION_CHOICE, offsetof(Settings, tempering), NULL, "exp|cos|linear|sgdr", 0,
     0, "exp", false,
     "how T rises: by a constant factor a step, or with tau along half a cosine, along a line, or "
     "along half a cosine with restarts"},
    {0, "restarts", OPTION_INT, offsetof(Settings, restarts), "N", NULL, 1, 16, NULL, false,
     "times that T falls back to 1 with --tschedule sgdr, each cycle twice as long as the one "
     "before; without it 2"},
    {0, "anneal-from", OPTION_REAL, offsetof(Settings, anneal_from), "F", NULL, 0, 1, "0.1", false,
     "share of the steps after which T rises"},
    {0, "anneal-to", OPTION_REAL, offsetof(Settings, anneal_to), "F", NULL, 0, 1, "0.8", false,
     "share of the steps after which T is --tmax and the weights are hard"},
    {0, "precision", OPTION_CHOICE, offsetof(Settings, precision), NULL, "float32|bf16|mixed", 0, 0,
     "float32", false,
     "of the inner layers while training; mixed: float32, but for the products of 3x3 "
     "convolutions. The fastest is bf16 on processors with AMX or AVX512-BF16 and float32 on "
     "others"},
    {0, "val-every", OPTION_INT, offsetof(Settings, val_every), "N", NULL, 1, 100000000, "1000",
     false, "steps between validations"},
    {0, "val-pictures", OPTION_INT, offsetof(Settings, val_pictures), "N", NULL, 0, 1000000, "0",
     false, "validate on the first N pictures; 0: on all"},
    {0, "html", OPTION_TEXT, offsetof(Settings, html), "FILE", NULL, 0, 0, NULL, false,
     "a page with the curves of the run (see 'slbsr plot'), made anew at every validation and at "
     "the end"},
    {0, "checkpoint-minutes", OPTION_REAL, offsetof(Settings, checkpoint_minutes), "F", NULL, 0.001,
     1e6, "5", false, "time between checkpoints"},
    {0, "stop-after", OPTION_TEXT, offsetof(Settings, stop_after), "TIME", NULL, 0, 0, NULL, false,
     "save a checkpoint and stop after so long (at least ten steps): 90s, 15m, 2h; the same "
     "command "
     "goes on"},
    {0, "seed", OPTION_INT, offsetof(Settings, seed), "N", NULL, 0, 2147483647, "1", false,
     "of everything random"},
    {0, "dry-run", OPTION_FLAG, offsetof(Settings, dry_run), NULL, NULL, 0, 0, NULL, false,
     "tell what the run would cost (parameters, memory, time by a few steps), and write nothing"},
    {0, "restart", OPTION_FLAG, offsetof(Settings, restart), NULL, NULL, 0, 0, NULL, false,
     "begin anew where a checkpoint stands"},
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace a finished model FILE"},
    {'j', "threads", OPTION_INT, offsetof(Settings, threads), "N", NULL, 1, 1024, NULL, false,
     "threads; without it one for each processor"},
    {0},
};

/* What the callbacks need. */
typedef struct Watch {
    bool terminal; /* a line of steps is written over by the next one */
    const Settings *set;
    const char *line; /* the command's */
} Watch;

/* The page of --html from the log as it stands. */
static SlbStatus write_page(const Watch *watch, SlbError *err)
{
    char path[4096];
    TrainLog log;
    snprintf(path, sizeof path, "%s.csv", watch->set->out);
    SlbStatus s = train_log_read(path, &log, err);
    if (s != SLB_OK) return s;
    s = train_html_write(watch->set->html, watch->set->overwrite, &log, 1, watch->line, err);
    train_log_free(&log);
    return s;
}

static void print_validation(const SlbTrainReport *report)
{
    fprintf(stderr, "step %ld: validation", report->step);
    for (int i = 0; i < report->scale_count; i++)
        fprintf(stderr, "%s x%d %.3f (soft %.3f, bicubic %.3f)", i ? "," : "", report->scales[i],
                report->psnr[i], report->psnr_soft[i], report->bicubic[i]);
    fputs(" dB\n", stderr);
}

static void show_report(void *user, const SlbTrainReport *report)
{
    const Watch *watch = user;
    char left[32];
    progress_format_seconds(report->left, left, sizeof left);
    fprintf(stderr, "%sstep %ld/%ld  loss %.3e (input %.3e)  rate %.2e",
            watch->terminal ? "\r" : "", report->step, report->steps, report->loss,
            report->baseline, report->rate);
    if (report->sharpness > 0) fprintf(stderr, "  T %.2f", report->sharpness);
    fprintf(stderr, "  data %.1f %%  left %s%s", 100 * report->data_share, left,
            watch->terminal ? "\033[K" : "\n");
    cli_bar_drawn = watch->terminal;
    if (!report->validated) return;
    if (watch->terminal) fputs("\r\033[K", stderr);
    print_validation(report);
    SlbError err;
    if (watch->set->html && write_page(watch, &err) != SLB_OK)
        cli_message("note: %s", err.message); /* no reason to stop a long run */
}

static void show_note(void *user, const char *line)
{
    (void)user;
    cli_message("note: %s", line);
}

/* In the order of the words of --method. */
static const SlbMethod *const methods[] = {&slb_method_slb, &slb_method_dorefa, &slb_method_float};

static SlbTrainOptions train_options(const Settings *set, const Invocation *invocation)
{
    SlbTrainOptions options_out = {
        .data = set->data.item,
        .data_count = set->data.count,
        .net = set->net,
        .out = set->out,
        .init = set->init,
        .teacher = set->teacher,
        .teacher_share = set->teacher_weight,
        .val = set->val,
        .command = invocation->line,
        .bits = methods[set->method] == &slb_method_float ? 32 : set->bits,
        .act_bits = set->act_bits,
        .sbn = (SlbSbn)set->sbn,
        .method = methods[set->method],
        .scale_count = set->scales.count,
        .steps = set->steps,
        .warmup = set->warmup,
        .batch = set->batch,
        .patch = set->patch,
        .seed = (uint64_t)set->seed,
        .rate = set->lr,
        .schedule = (SlbSchedule)set->schedule,
        .decay_every = set->decay_every,
        .average = set->ema,
        .logit_rate = set->logit_lr,
        .clip = set->clip,
        .tempering = (SlbTempering)set->tempering,
        .restarts = set->tempering == SLB_TEMPER_SGDR && !set->restarts ? 2 : set->restarts,
        .sharpness = set->tmax,
        .anneal_from = set->anneal_from,
        .anneal_to = set->anneal_to,
        .loss = (SlbLoss)set->loss,
        .precision = (SlbPrecision)set->precision,
        .threads = set->threads ? set->threads : slb_cpu_count(),
        .val_every = set->val_every,
        .val_pictures = set->val_pictures,
        .checkpoint_seconds = set->checkpoint_minutes * 60.0,
        .restart = set->restart,
        .overwrite = set->overwrite,
        .stop = &cli_stop_number,
        .report = show_report,
        .report_every = 100,
        .note = show_note,
    };
    for (int i = 0; i < set->scales.count && i < SLB_TRAIN_SCALES; i++)
        options_out.scales[i] = set->scales.item[i];
    return options_out;
}

/* "90s", "15m", "2h" or a number of seconds. */
static bool parse_time(const char *text, double *seconds)
{
    char *end;
    double value = strtod(text, &end);
    double unit = *end == 'h' ? 3600 : *end == 'm' ? 60 : 1;
    bool one_letter = *end && strchr("hms", *end) && !end[1];
    *seconds = value * unit;
    return end != text && (*end == 0 || one_letter) && value > 0 && isfinite(value);
}

/* Scales and patch size that were not given, after the network. */
static SlbStatus choose_form(SlbTrainOptions *how, SlbError *err)
{
    SlbGraph *graph;
    SlbStatus s = slb_graph_open(how->net, &graph, err);
    if (s != SLB_OK) return s;
    for (int i = 0; how->scale_count == 0 && graph->enlarged && i < SLB_TRAIN_SCALES; i++)
        how->scales[i] = 2 + i;
    if (how->scale_count == 0 && !graph->enlarged) how->scales[0] = graph->scale;
    if (how->scale_count == 0) how->scale_count = graph->enlarged ? SLB_TRAIN_SCALES : 1;
    if (how->patch == 0) how->patch = graph->enlarged ? 41 : 48 * graph->scale;
    slb_graph_free(graph);
    return SLB_OK;
}

/* Options that would mean nothing beside the others. */
static SlbStatus check_options(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    const SlbMethod *method = methods[set->method];
    bool low = set->bits != 32 && method != &slb_method_float;
    bool annealed = low && method->annealed;
    static const char search[] = "the search of low-bit weights (--method slb)";
    const struct {
        const char *option;
        bool fits;
        const char *other;
    } rule[] = {
        {"act-bits", low || set->act_bits == 32 || set->bits == 32, "--method slb or dorefa"},
        {"logit-lr", low, "low-bit weights"},
        {"tmax", annealed, search},
        {"tschedule", annealed, search},
        {"anneal-from", annealed, search},
        {"anneal-to", annealed, search},
        {"restarts", set->tempering == SLB_TEMPER_SGDR, "--tschedule sgdr"},
        {"decay-every", set->schedule == SLB_STEPS, "--schedule step"},
        {"teacher-weight", set->teacher, "--teacher"},
        {"val-every", set->val || set->dry_run, "--val"},
        {"val-pictures", set->val || set->dry_run, "--val"},
    };
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
        if (!rule[i].fits && cli_given(invocation, rule[i].option))
            return slb_fail(err, SLB_E_USAGE, "--%s: goes with %s only", rule[i].option,
                            rule[i].other);
    if (set->anneal_from > set->anneal_to)
        return slb_fail(err, SLB_E_USAGE, "--anneal-from: %g lies behind --anneal-to, %g",
                        set->anneal_from, set->anneal_to);
    return SLB_OK;
}

static SlbStatus dry_run(const SlbTrainOptions *how, SlbError *err)
{
    const double mib = 1 << 20;
    char whole[32];
    SlbTrainCost c;
    SlbStatus s = slb_train_cost(how, &c, err);
    if (s != SLB_OK || slb_comm_rank(how->comm) > 0) return s;
    progress_format_seconds(c.step_seconds * (double)how->steps, whole, sizeof whole);
    printf("network     ");
    cli_print_clean(how->net);
    printf(": %d convolutions, %zu parameters\n", c.convs, c.parameters);
    if (c.searched)
        printf("searched    %zu %d-bit weights in %d layers, %d trained %s each\n", c.searched,
               how->bits, c.low_convs, c.values, c.values == 1 ? "value" : "values");
    printf("data        %zu pictures, %d patches of %d x %d a step\n", c.pictures, how->batch,
           how->patch, how->patch);
    printf("memory      %.0f MiB at most, of which trained values, gradients and moments, with "
           "copies, %.0f",
           (double)c.peak_bytes / mib, (double)c.state_bytes / mib);
    if (c.searched) printf(" (of searched weights %.0f)", (double)c.searched_bytes / mib);
    printf("\nstep        %.3g s, of which weights, their gradients and the optimizer %.3g s "
           "(mean of %d)\n",
           c.step_seconds, c.weight_seconds, c.measured);
    printf("time        %s for %ld steps, without validations\n", whole, how->steps);
    return SLB_OK;
}

static SlbStatus train(const Invocation *invocation, SlbComm *comm, SlbError *err)
{
    const Settings *set = invocation->settings;
    bool html = set->html && slb_comm_rank(comm) == 0;
    Watch watch = {.terminal = progress_has_terminal(), .set = set, .line = invocation->line};
    SlbTrainOptions how = train_options(set, invocation);
    SlbStatus s = check_options(invocation, err);
    if (s != SLB_OK) return s;
    if (set->stop_after && !parse_time(set->stop_after, &how.stop_after))
        return slb_fail(err, SLB_E_USAGE, "--stop-after: '%s' is no time; give 90s, 15m or 2h",
                        set->stop_after);
    s = choose_form(&how, err);
    if (s == SLB_OK && html && !set->dry_run) s = train_html_check(set->html, set->overwrite, err);
    s = slb_comm_settle(comm, s, err);
    if (s != SLB_OK) return s;
    how.user = &watch;
    how.comm = comm;
    if (set->dry_run) return dry_run(&how, err);
    s = slb_train(&how, err);
    if (cli_bar_drawn) fputc('\n', stderr);
    cli_bar_drawn = 0;
    if (s == SLB_OK && html) s = write_page(&watch, err);
    if (s == SLB_PARTIAL && html) (void)!write_page(&watch, NULL); /* the stop is told instead */
    if (s == SLB_PARTIAL && cli_stop_number && !slb_comm_has_left(comm))
        return slb_fail(err, (SlbStatus)(128 + cli_stop_number),
                        "stopped by signal %d; the checkpoint is written, and the same command%s "
                        "goes on from it",
                        (int)cli_stop_number, set->restart ? " without --restart" : "");
    return s;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    SlbComm *comm;
    cli_signals_ask_first();
    SlbStatus s = slb_comm_open(&cli_stop_number, &comm, err);
    if (s != SLB_OK) return s;
    s = train(invocation, comm, err);
    cli_processes_close(comm, s, err);
    return s;
}

const Command cmd_train = {
    .name = "train",
    .operands = "",
    .summary = "Train a network with low-bit weights (SLB) on folders of pictures",
    .notes =
        "Small pictures are made on the fly, bicubically; any folder of pictures will do. "
        "SIGINT and SIGTERM write a checkpoint first; the same command goes on from it and "
        "ends with the same bytes as a run that was never stopped. A run that was stopped before "
        "its end, by --stop-after, has exit code 1.",
    .example = "slbsr train --data DIV2K --bits 32 --out float.safetensors\n"
               "slbsr train --data DIV2K --bits 2 --init float.safetensors --val photos "
               "--out w2.safetensors",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
