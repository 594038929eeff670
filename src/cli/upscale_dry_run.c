#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "cli/json_line.h"
#include "cli/message.h"
#include "cli/upscale_picture.h"

/* Seconds that the network takes for a pixel of the result, by a small picture. */
static SlbStatus measure(UpscaleModel *model, SlbError *err)
{
    enum { SIDE = 192, TIMES = 3 };
    const SlbPlan *plan = model->plan;
    uint32_t side = (uint32_t)(SIDE / slb_plan_scale(plan)); /* of the input: 1 to 4 divide it */
    size_t channels = (size_t)slb_plan_channels(plan), count = channels * side * side;
    float *in = slb_calloc(count + channels * SIDE * SIDE, sizeof *in);
    if (!in) return slb_fail_memory(err, "the picture to measure with");
    SlbStatus s = SLB_OK;
    for (int i = 0; s == SLB_OK && i < TIMES; i++) { /* the best: the first one warms up */
        double start = slb_seconds();
        s = slb_plan_run(plan, in, in + count, side, side, NULL, NULL, err);
        double taken = (slb_seconds() - start) / (SIDE * SIDE);
        if (i == 0 || taken < model->pixel_seconds) model->pixel_seconds = taken;
    }
    slb_free(in);
    return s;
}

/* Pixels that the network makes of a picture. */
static double work(const UpscaleFiles *job, const Picture *p)
{
    int factor = p->factor, own = slb_plan_scale(p->model->plan);
    if (factor == 1) return 0;
    if (own > 1) factor = own;
    return (double)p->from.width * p->from.height * factor * factor * (job->tta ? 8 : 1) *
           (job->alpha == SLB_ALPHA_NET && p->from.channels % 2 == 0 ? 2 : 1);
}

static void tell_seconds(double seconds)
{
    char text[32];
    progress_format_seconds(seconds, text, sizeof text);
    if (seconds < 60)
        printf("%.2g s", seconds);
    else
        printf("%s %s", text, seconds < 3600 ? "min" : "h");
}

static void tell_plan(const UpscaleFiles *job, const Picture *p, double seconds)
{
    if (job->json) {
        cJSON *line = picture_result(p, p->status != SLB_OK ? "failed"
                                        : p->skipped        ? "skipped"
                                                            : "planned");
        if (p->status == SLB_OK && !p->skipped) {
            cJSON_AddNumberToObject(line, "memory_bytes", (double)picture_memory(job, p));
            cli_json_seconds(line, p->video ? "estimated_seconds_per_frame" : "estimated_seconds",
                             seconds);
        }
        (void)!cli_json_print(line, stdout);
    } else if (p->skipped) {
        cli_print_clean(p->file->output);
        puts(": exists, would be skipped");
    } else if (p->status == SLB_OK) {
        cli_print_clean(slb_input_name(p->file->input));
        fputs(" -> ", stdout);
        cli_print_clean(picture_output(p));
        printf(": %ux%u to %ux%u, %.0f MiB, about ", p->from.width, p->from.height, p->to.width,
               p->to.height, ceil((double)picture_memory(job, p) / (1 << 20)));
        tell_seconds(seconds);
        puts(p->video ? " a frame" : "");
    }
}

/* Pictures follow each other; of videos, nobody knows how long they are. */
static void tell_sum(size_t count, double seconds)
{
    printf("%zu files: about ", count);
    tell_seconds(seconds);
    puts(" for the pictures");
}

/* An output that cannot be written counts as an error here, too. */
static SlbStatus plan_picture(const UpscaleFiles *job, Picture *p)
{
    bool missing = false;
    const char *path = p->file->output;
    if (p->skipped) return SLB_OK;
    SlbStatus s = picture_open(job, p);
    if (s == SLB_OK && p->model->pixel_seconds == 0) s = measure(p->model, &p->err);
    if (s != SLB_OK || picture_is_piped(p)) return s;
    if (job->make_folders) s = cli_check_folders(path, &missing, &p->err);
    return s == SLB_OK && !missing ? slb_output_check(path, job->how.overwrite, &p->err) : s;
}

SlbStatus cli_upscale_dry_run(const UpscaleFiles *job, SlbError *err)
{
    size_t failed = 0;
    double seconds = 0;
    bool mixed = false; /* failures of more than one status */
    for (size_t i = 0; i < job->files->count; i++) {
        Picture *p = picture_create(job, i);
        if (!p) return slb_fail_memory(err, "the next picture");
        p->status = plan_picture(job, p);
        double takes = 0;
        if (p->status == SLB_OK && !p->skipped) takes = work(job, p) * p->model->pixel_seconds;
        picture_tell(job, p);
        tell_plan(job, p, takes);
        mixed = mixed || (failed && p->status != SLB_OK && p->status != err->status);
        if (p->status != SLB_OK) failed++, *err = p->err;
        if (!p->video) seconds += takes;
        picture_free(p);
    }
    if (job->files->count > 1 && !job->json) tell_sum(job->files->count, seconds);
    if (!failed) return SLB_OK;
    if (job->files->count == 1) return err->status;
    return slb_fail(err, failed < job->files->count || mixed ? SLB_PARTIAL : err->status,
                    "%zu files: %zu would fail", job->files->count, failed);
}
