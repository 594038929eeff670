#include "cli/upscale_files.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "cli/batch.h"
#include "cli/json_line.h"
#include "cli/message.h"
#include "cli/signals.h"
#include "cli/video.h"
#include "infer/upscale.h"
#include "infer/upscale_video.h"

/* Of pictures that are read, worked on and written at a time; a single one may take more. */
static const uint64_t batch_memory_bytes = (uint64_t)1 << 30;

enum { MAX_NOTES = 4 };

/* A file on its way. */
typedef struct Picture {
    const FileEntry *file;
    size_t index;
    SlbReader *reader;
    SlbVideoReader *video; /* instead of `reader` */
    uint64_t frames;       /* of it, that were written */
    SlbImageInfo from, to; /* upright; width 0: not known */
    uint64_t bytes;        /* of memory */
    SlbImage in, out;
    SlbWriteOptions how;
    bool skipped;
    double seconds; /* that the stages took */
    char *note[MAX_NOTES];
    int notes;
    SlbStatus status;
    SlbError err;
} Picture;

typedef struct Run {
    const UpscaleFiles *job;
    Progress progress;
    size_t done, skipped, failed;
    bool starved;    /* memory was out for one more file */
    SlbError single; /* of the only file */
} Run;

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* Notes wait until it is the file's turn to be told about. */
__attribute__((format(printf, 3, 4))) static void note(Picture *p, const char *path,
                                                       const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!*text || p->notes == MAX_NOTES) return;
    if (asprintf(&p->note[p->notes], "%s: note: %s", path, text) >= 0) p->notes++;
}

static const char *output_label(const Picture *p)
{
    return is_standard(p->file->output) ? "standard output" : p->file->output;
}

/* ---- Stages ---- */

static void choose_format(Picture *p)
{
    if (p->how.format || !is_standard(p->file->output)) return;
    p->how.format = slb_reader_format(p->reader);
    if (strcmp(p->how.format, "PNM") == 0 && p->from.channels % 2 == 0) p->how.format = "PAM";
}

static SlbStatus check_size(Picture *p, int scale)
{
    uint32_t most = INT32_MAX / (uint32_t)scale;
    if (p->from.width > most || p->from.height > most)
        return slb_fail(&p->err, SLB_E_OUTPUT,
                        "%s: %ux%u pixels times %d are more than a picture can have",
                        output_label(p), p->from.width, p->from.height, scale);
    p->to = p->from;
    p->to.width *= (uint32_t)scale;
    p->to.height *= (uint32_t)scale;
    return SLB_OK;
}

/* Says what the output's format cannot keep, and complains about one that cannot be written, before
 * the long work rather than after it. */
static SlbStatus check_output(Picture *p)
{
    char lost[sizeof p->in.meta.note];
    SlbImageInfo fit = p->to;
    const char *path = p->file->output;
    (void)slb_format_fits(path, &p->how, &fit); /* an unknown extension is the writer's to tell */
    SlbStatus s = slb_writer_check(path, &fit, slb_reader_meta(p->reader), &p->how, lost, &p->err);
    if (s != SLB_OK) return s;
    note(p, output_label(p), "%s", lost);
    if (fit.channels < p->to.channels)
        note(p, output_label(p), "this format has no alpha: put on white");
    if (fit.depth < p->to.depth)
        note(p, output_label(p), "this format has 8 bits a sample: rounded from 16");
    return SLB_OK;
}

/* Opens the output, for a moment: that will go well later, too. */
static SlbStatus try_output(const UpscaleFiles *job, Picture *p)
{
    SlbOutput output;
    const char *path = p->file->output;
    SlbStatus s = job->make_folders ? cli_make_folders(path, &p->err) : SLB_OK;
    if (s == SLB_OK)
        s = is_standard(path) ? slb_output_stdout(&output, &p->err)
                              : slb_output_open(&output, path, p->how.overwrite, &p->err);
    if (s == SLB_OK) slb_output_abort(&output);
    return s;
}

/* The most memory that slb_upscale takes, picture and result among it, without the network's. */
static uint64_t upscale_bytes(const SlbImageInfo *in, int scale)
{
    uint64_t small = (uint64_t)in->width * in->height;
    uint64_t large = small * (uint64_t)scale * (uint64_t)scale;
    uint64_t sample = (uint64_t)in->channels * (uint64_t)(in->depth / 8);
    uint64_t planes = (uint64_t)in->channels * sizeof(double);
    return small * (sample + planes) + large * (sample + 2 * sizeof(float));
}

static SlbStatus open_picture(const UpscaleFiles *job, Picture *p)
{
    p->from = *slb_reader_info(p->reader);
    if (slb_reader_orientation(p->reader) >= 5) {
        uint32_t width = p->from.width;
        p->from.width = p->from.height;
        p->from.height = width;
    }
    p->bytes = upscale_bytes(&p->from, job->scale);
    choose_format(p);
    SlbStatus s = check_size(p, job->scale);
    return s == SLB_OK ? check_output(p) : s;
}

static SlbStatus open_video(const UpscaleFiles *job, Picture *p)
{
    const SlbVideoInfo *info = slb_video_info(p->video);
    const char *path = p->file->output, *format = p->how.format;
    p->from = (SlbImageInfo){info->width, info->height, info->planes, info->depth};
    SlbStatus s = check_size(p, job->scale);
    if (s != SLB_OK) return s;
    if (format ? strcmp(format, "y4m") != 0 : !is_standard(path) && !slb_has_extension(path, "y4m"))
        return slb_fail(&p->err, SLB_E_OUTPUT,
                        "%s: video is written as Y4M only; use the extension y4m or --format y4m",
                        output_label(p));
    SlbVideoInfo large = *info;
    large.width = p->to.width;
    large.height = p->to.height;
    p->bytes = 2 * (slb_frame_bytes(info) + slb_frame_bytes(&large)) +
               slb_video_upscaler_bytes(info, job->scale);
    return SLB_OK;
}

static SlbStatus open_input(const UpscaleFiles *job, Picture *p)
{
    const char *path = p->file->input;
    unsigned char head[SLB_HEAD_BYTES];
    size_t bytes;
    FILE *file;
    SlbStatus s = slb_open_head(path, &file, head, &bytes, &p->err);
    if (s != SLB_OK) return s;
    if (slb_is_y4m(head, bytes)) {
        s = slb_video_open(file, path, 0, &p->video, &p->err);
        return s == SLB_OK ? open_video(job, p) : s;
    }
    s = slb_reader_open_file(file, path, NULL, &p->reader, &p->err);
    return s == SLB_OK ? open_picture(job, p) : s;
}

static Picture *new_picture(const UpscaleFiles *job, size_t index)
{
    Picture *p = slb_calloc(1, sizeof *p);
    struct stat st;
    if (!p) return NULL;
    p->file = &job->files->item[index];
    p->index = index;
    p->how = job->how;
    p->skipped = job->skip_existing && lstat(p->file->output, &st) == 0;
    return p;
}

static void *stage_open(void *context, size_t index, uint64_t *bytes)
{
    Run *run = context;
    Picture *p = new_picture(run->job, index);
    run->starved = !p;
    if (!p) return NULL;
    double start = slb_seconds();
    if (!p->skipped) p->status = open_input(run->job, p);
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
    if (p->reader && p->status == SLB_OK) {
        p->status = slb_image_read(p->reader, &p->in, &p->err);
        if (p->status == SLB_OK) note(p, slb_input_name(p->file->input), "%s", p->in.meta.note);
    }
    slb_reader_close(p->reader);
    p->reader = NULL;
    p->seconds += slb_seconds() - start;
}

static int show_progress(void *user, uint64_t done, uint64_t total)
{
    return progress_update(user, done, total) || cli_stop_number;
}

static void work_on_picture(Run *run, Picture *p)
{
    run->progress.unit = "Mpixel";
    run->progress.unit_size = 1e6;
    p->status = slb_upscale(run->job->plan, &p->in, run->job->scale, show_progress, &run->progress,
                            &p->out, &p->err);
    slb_image_free(&p->in);
}

static void work_on_video(Run *run, Picture *p)
{
    const VideoJob video = {.plan = run->job->plan,
                            .scale = run->job->scale,
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
        p->status = slb_image_save(p->file->output, &p->out, &p->how, &p->err);
    slb_image_free(&p->out);
    p->seconds += slb_seconds() - start;
}

static bool stage_stopped(void *context)
{
    (void)context;
    return cli_stop_number;
}

static void stage_drop(void *context, void *item)
{
    Picture *p = item;
    (void)context;
    slb_reader_close(p->reader);
    slb_video_close(p->video);
    slb_image_free(&p->in);
    slb_image_free(&p->out);
    for (int i = 0; i < p->notes; i++) free(p->note[i]);
    slb_free(p);
}

/* ---- What is told ---- */

/* An object for the result line; the caller adds what else there is to say. */
static cJSON *result_of(const UpscaleFiles *job, const Picture *p, const char *status)
{
    cJSON *line = cJSON_CreateObject();
    cli_json_text(line, "input", p->file->input);
    cli_json_text(line, "output", p->file->output);
    cJSON_AddStringToObject(line, "status", status);
    if (p->status != SLB_OK) {
        cJSON_AddNumberToObject(line, "exit_code", p->status);
        cli_json_text(line, "error", p->err.message);
    }
    if (p->to.width) {
        cJSON_AddNumberToObject(line, "input_width", p->from.width);
        cJSON_AddNumberToObject(line, "input_height", p->from.height);
        cJSON_AddNumberToObject(line, "width", p->to.width);
        cJSON_AddNumberToObject(line, "height", p->to.height);
    }
    cli_json_text(line, "model", job->model);
    return line;
}

static void tell_errors(const Run *run, Picture *p)
{
    for (int i = 0; i < p->notes && !run->job->quiet; i++) cli_message("%s", p->note[i]);
    if (p->status != SLB_OK && run->job->files->count > 1) cli_message("%s", p->err.message);
}

static void stage_done(void *context, void *item)
{
    Run *run = context;
    const UpscaleFiles *job = run->job;
    Picture *p = item;
    const char *status = p->status != SLB_OK ? "failed" : p->skipped ? "skipped" : "done";
    tell_errors(run, p);
    if (p->status != SLB_OK)
        run->failed++, run->single = p->err;
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
                    output_label(p), frames, p->from.width, p->from.height, p->to.width,
                    p->to.height, p->seconds);
    }
    if (job->json) {
        cJSON *line = result_of(job, p, status);
        if (p->video) cJSON_AddNumberToObject(line, "frames", (double)p->frames);
        cJSON_AddNumberToObject(line, "seconds", p->seconds);
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
    if (run->failed) return slb_fail(err, SLB_PARTIAL, "%s", text);
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
                         .memory_bytes = batch_memory_bytes};
    progress_start(&run.progress, "upscaling", job->progress);
    run.progress.count = batch.count;
    if (batch.count > 1) cli_signals_ask_first();
    SlbStatus s = cli_batch_run(&batch, err);
    progress_end(&run.progress);
    if (s == SLB_OK && run.starved) s = slb_fail_memory(err, "the next picture");
    if (s != SLB_OK) return s;
    if (batch.count > 1) return conclude(&run, err);
    if (run.failed) *err = run.single;
    return run.failed ? run.single.status : SLB_OK;
}

/* ---- Dry run ---- */

/* Seconds that the network takes for a pixel of the result, by a small plane. */
static SlbStatus measure(const SlbPlan *plan, double *seconds, SlbError *err)
{
    enum { SIDE = 192, TIMES = 3 };
    float *in = slb_calloc((size_t)SIDE * SIDE, 2 * sizeof *in);
    if (!in) return slb_fail_memory(err, "the plane to measure with");
    SlbStatus s = SLB_OK;
    *seconds = 1e9;
    for (int i = 0; s == SLB_OK && i < TIMES; i++) { /* the best: the first one warms up */
        double start = slb_seconds();
        s = slb_plan_run(plan, in, in + SIDE * SIDE, SIDE, SIDE, NULL, NULL, err);
        double taken = (slb_seconds() - start) / (SIDE * SIDE);
        if (taken < *seconds) *seconds = taken;
    }
    slb_free(in);
    return s;
}

static double pixels(const SlbImageInfo *info)
{
    return (double)info->width * (double)info->height;
}

static void tell_plan(const UpscaleFiles *job, const Picture *p, double pixel_seconds)
{
    double seconds = pixels(&p->to) * pixel_seconds;
    if (job->json) {
        cJSON *line = result_of(job, p,
                                p->status != SLB_OK ? "failed"
                                : p->skipped        ? "skipped"
                                                    : "planned");
        if (p->status == SLB_OK && !p->skipped) {
            cJSON_AddNumberToObject(line, "memory_bytes", (double)p->bytes);
            cJSON_AddNumberToObject(
                line, p->video ? "estimated_seconds_per_frame" : "estimated_seconds", seconds);
        }
        (void)!cli_json_print(line, stdout);
    } else if (p->skipped) {
        cli_print_clean(p->file->output);
        puts(": exists, would be skipped");
    } else if (p->status == SLB_OK) {
        cli_print_clean(slb_input_name(p->file->input));
        fputs(" -> ", stdout);
        cli_print_clean(output_label(p));
        printf(": %ux%u to %ux%u, %.0f MiB, about %.2g s%s\n", p->from.width, p->from.height,
               p->to.width, p->to.height, ceil((double)p->bytes / (1 << 20)), seconds,
               p->video ? " a frame" : "");
    }
}

/* An existing output counts as an error here, too. */
static SlbStatus plan_picture(const UpscaleFiles *job, Picture *p)
{
    struct stat st;
    if (p->skipped) return SLB_OK;
    SlbStatus s = open_input(job, p);
    if (s != SLB_OK || job->how.overwrite || is_standard(p->file->output)) return s;
    if (lstat(p->file->output, &st) != 0) return SLB_OK;
    return slb_fail(&p->err, SLB_E_OUTPUT, "%s: already exists; give -y to overwrite it",
                    p->file->output);
}

SlbStatus cli_upscale_dry_run(const UpscaleFiles *job, SlbError *err)
{
    Run run = {.job = job};
    double pixel_seconds = 0;
    SlbStatus s = measure(job->plan, &pixel_seconds, err);
    for (size_t i = 0; s == SLB_OK && i < job->files->count; i++) {
        Picture *p = new_picture(job, i);
        if (!p) return slb_fail_memory(err, "the next picture");
        p->status = plan_picture(job, p);
        tell_errors(&run, p);
        tell_plan(job, p, pixel_seconds);
        if (p->status != SLB_OK) run.failed++, run.single = p->err;
        stage_drop(&run, p);
    }
    if (s != SLB_OK || !run.failed) return s;
    if (job->files->count > 1)
        return slb_fail(err, SLB_PARTIAL, "%zu files: %zu would fail", job->files->count,
                        run.failed);
    *err = run.single;
    return err->status;
}
