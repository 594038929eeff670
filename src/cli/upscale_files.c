#include "cli/upscale_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "cli/batch.h"
#include "cli/json_line.h"
#include "cli/message.h"
#include "cli/signals.h"
#include "cli/upscale_picture.h"
#include "cli/upscale_stream.h"
#include "cli/video.h"
#include "infer/upscale.h"

/* Of pictures that are read, worked on and written at a time; a single one may take more. */
static const uint64_t batch_memory_bytes = (uint64_t)1 << 30;

typedef struct Run {
    const UpscaleFiles *job;
    Progress progress;
    size_t done, skipped, failed;
    bool starved;   /* memory was out for one more file */
    bool mixed;     /* failures of more than one status */
    SlbError last;  /* failure */
    atomic_int why; /* errno: no output can be written any more; 0: they can */
} Run;

/* ---- Stages ---- */

/* Opens the output, for a moment: that will go well later, too. */
static SlbStatus try_output(const UpscaleFiles *job, Picture *p)
{
    SlbOutput output;
    const char *path = p->file->output;
    SlbStatus s = job->make_folders ? cli_make_folders(path, &p->err) : SLB_OK;
    if (s == SLB_OK)
        s = picture_is_piped(p) ? slb_output_stdout(&output, &p->err)
                                : slb_output_open(&output, path, p->how.overwrite, &p->err);
    if (s == SLB_OK) slb_output_abort(&output);
    return s;
}

static void *stage_open(void *context, size_t index, uint64_t *bytes)
{
    Run *run = context;
    Picture *p = picture_create(run->job, index);
    run->starved = !p;
    if (!p) return NULL;
    double start = slb_seconds();
    if (!p->skipped) p->status = picture_open(run->job, p);
    if (!p->skipped && p->status == SLB_OK) p->status = try_output(run->job, p);
    p->seconds += slb_seconds() - start;
    *bytes = p->bytes;
    return p;
}

static void stage_read(void *context, void *item)
{
    Picture *p = item;
    double start = slb_seconds();
    (void)context;
    if (p->streamed && p->status == SLB_OK) return; /* as it is worked on */
    if (p->reader && p->status == SLB_OK) {
        p->status = slb_image_read(p->reader, &p->in, &p->err);
        if (p->status == SLB_OK)
            picture_note(p, slb_input_name(p->file->input), "%s", p->in.meta.note);
    }
    slb_reader_close(p->reader);
    p->reader = NULL;
    p->seconds += slb_seconds() - start;
}

static bool stage_stopped(void *context)
{
    Run *run = context;
    return cli_stop_asked() || atomic_load(&run->why);
}

static int show_progress(void *user, uint64_t done, uint64_t total)
{
    Run *run = user;
    return progress_update(&run->progress, done, total) || stage_stopped(run);
}

static void work_on_picture(Run *run, Picture *p)
{
    run->progress.unit = "Mpixel";
    run->progress.unit_size = 1e6;
    SlbUpscaleOptions options = picture_options(run->job, p);
    options.progress = show_progress;
    options.user = run;
    if (p->streamed) {
        p->status = cli_upscale_stream(p->model->plan, p->reader, &options, p->file->output,
                                       &p->how, p->lost, &p->err);
        if (p->status == SLB_OK)
            picture_note(p, slb_input_name(p->file->input), "%s", slb_reader_meta(p->reader)->note);
    } else {
        p->status =
            slb_upscale_image(p->model->plan, &p->in, &options, run->job->tta, &p->out, &p->err);
    }
    slb_image_free(&p->in);
}

static void work_on_video(Run *run, Picture *p)
{
    const VideoJob video = {.plan = p->model->plan,
                            .scale = cli_video_scale(&run->job->size),
                            .max_bytes = run->job->max_memory,
                            .other_bytes = p->other_bytes,
                            .input = slb_input_name(p->file->input),
                            .reader = p->video,
                            .output = p->file->output,
                            .overwrite = p->how.overwrite,
                            .progress = &run->progress};
    run->progress.unit = "frame";
    run->progress.unit_size = 1;
    p->status = cli_upscale_video(&video, &p->frames, &p->err);
}

static void stage_work(void *context, void *item)
{
    Run *run = context;
    Picture *p = item;
    if (p->status != SLB_OK || p->skipped) return;
    double start = slb_seconds();
    progress_file(&run->progress, p->index, p->file->input);
    if (p->video)
        work_on_video(run, p);
    else
        work_on_picture(run, p);
    run->progress.finished++;
    p->seconds += slb_seconds() - start;
}

static void stage_write(void *context, void *item)
{
    Picture *p = item;
    double start = slb_seconds();
    (void)context;
    if (p->out.data && p->status == SLB_OK)
        p->status = slb_image_save_noting(p->file->output, &p->out, &p->how, p->lost, &p->err);
    slb_image_free(&p->out);
    p->seconds += slb_seconds() - start;
}

static void stage_drop(void *context, void *item)
{
    (void)context;
    picture_free(item);
}

/* What has come in the way of one output and will come in the way of all that are left. */
static int reason_for_all(const SlbError *err)
{
    static const int reasons[] = {ENOSPC, EDQUOT, EROFS};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (err->status == SLB_E_OUTPUT && slb_error_tells(err, reasons[i])) return reasons[i];
    return 0;
}

static void count_failure(Run *run, const SlbError *err)
{
    int why = reason_for_all(err);
    if (why) atomic_store(&run->why, why);
    run->mixed = run->mixed || (run->failed && run->last.status != err->status);
    run->failed++;
    run->last = *err;
}

static void stage_done(void *context, void *item)
{
    Run *run = context;
    const UpscaleFiles *job = run->job;
    Picture *p = item;
    const char *status = p->status != SLB_OK ? "failed" : p->skipped ? "skipped" : "done";
    picture_tell(job, p);
    if (p->status != SLB_OK)
        count_failure(run, &p->err);
    else if (p->skipped)
        run->skipped++;
    else
        run->done++;
    if (job->verbose && p->skipped) cli_message("%s: exists, skipped", p->file->output);
    if (job->verbose && !p->skipped && p->status == SLB_OK) {
        char frames[40] = "";
        if (p->video)
            snprintf(frames, sizeof frames, "%" PRIu64 " frame%s ", p->frames,
                     p->frames == 1 ? "" : "s");
        cli_message("%s -> %s: %s%ux%u to %ux%u in %.2f s", slb_input_name(p->file->input),
                    picture_output(p), frames, p->from.width, p->from.height, p->to.width,
                    p->to.height, p->seconds);
    }
    if (job->json) {
        cJSON *line = picture_result(p, status);
        if (p->video) cJSON_AddNumberToObject(line, "frames", (double)p->frames);
        cli_json_seconds(line, "seconds", p->seconds);
        (void)!cli_json_print(line, stdout); /* main asks stdout at the end */
    }
    stage_drop(context, item);
}

/* "5 files: 3 done, 1 skipped, 1 failed". */
static SlbStatus conclude(const Run *run, SlbError *err)
{
    const UpscaleFiles *job = run->job;
    size_t count = job->files->count, left = count - run->done - run->skipped - run->failed;
    char text[256];
    int used = snprintf(text, sizeof text, "%zu files: %zu done", count, run->done);
    const struct {
        size_t count;
        const char *what;
    } more[] = {{run->skipped, "skipped"}, {run->failed, "failed"}, {left, "left"}};
    for (int i = 0; i < 3; i++)
        if (more[i].count)
            used += snprintf(text + used, sizeof text - (size_t)used, ", %zu %s", more[i].count,
                             more[i].what);
    if (cli_stop_number)
        return slb_fail(err, (SlbStatus)(128 + cli_stop_number), "%s; stopped by signal %d", text,
                        (int)cli_stop_number);
    int why = atomic_load(&run->why);
    if (why)
        return slb_fail(err, SLB_E_OUTPUT, "%s; no more can be written: %s", text, strerror(why));
    bool all = run->failed == count && !run->mixed;
    if (run->failed) return slb_fail(err, all ? run->last.status : SLB_PARTIAL, "%s", text);
    if (!job->quiet) cli_message("%s", text);
    return SLB_OK;
}

SlbStatus cli_upscale_files(const UpscaleFiles *job, SlbError *err)
{
    static const BatchStages stages = {.open = stage_open,
                                       .read = stage_read,
                                       .work = stage_work,
                                       .write = stage_write,
                                       .done = stage_done,
                                       .drop = stage_drop,
                                       .stopped = stage_stopped};
    Run run = {.job = job};
    const Batch batch = {.stages = &stages,
                         .context = &run,
                         .count = job->files->count,
                         .memory_bytes = job->max_memory ? job->max_memory : batch_memory_bytes,
                         /* What an open picture brings along is of its own bytes. */
                         .open_alone = job->max_memory != 0};
    progress_start(&run.progress, "upscaling", job->progress);
    run.progress.count = batch.count;
    if (batch.count > 1) cli_signals_ask_first();
    SlbStatus s = cli_batch_run(&batch, err);
    progress_end(&run.progress);
    if (s == SLB_OK && run.starved) s = slb_fail_memory(err, "the next picture");
    if (s != SLB_OK) return s;
    if (batch.count > 1) return conclude(&run, err);
    if (run.failed) *err = run.last;
    return run.failed ? run.last.status : SLB_OK;
}
