#include "cli/upscale_picture.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/json_line.h"
#include "cli/message.h"
#include "infer/upscale_video.h"

bool picture_is_piped(const Picture *p)
{
    return strcmp(p->file->output, "-") == 0;
}

const char *picture_output(const Picture *p)
{
    return picture_is_piped(p) ? "standard output" : p->file->output;
}

Picture *picture_create(const UpscaleFiles *job, size_t index)
{
    Picture *p = slb_calloc(1, sizeof *p);
    struct stat st;
    if (!p) return NULL;
    p->file = &job->files->item[index];
    p->index = index;
    p->how = job->how;
    p->skipped = job->skip_existing && !picture_is_piped(p) && lstat(p->file->output, &st) == 0;
    return p;
}

void picture_free(Picture *p)
{
    slb_reader_close(p->reader);
    slb_video_close(p->video);
    slb_image_free(&p->in);
    slb_image_free(&p->out);
    for (int i = 0; i < p->notes; i++) free(p->note[i]);
    slb_free(p);
}

void picture_note(Picture *p, const char *path, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!*text || p->notes == MAX_NOTES) return;
    if (asprintf(&p->note[p->notes], "%s: note: %s", path, text) >= 0) p->notes++;
}

static void choose_format(Picture *p)
{
    if (p->how.format || !picture_is_piped(p)) return;
    p->how.format = slb_reader_format(p->reader);
    if (strcmp(p->how.format, "PNM") == 0 && p->from.channels % 2 == 0) p->how.format = "PAM";
}

static SlbStatus check_size(Picture *p, int scale)
{
    uint32_t most = INT32_MAX / (uint32_t)scale;
    if (p->from.width > most || p->from.height > most)
        return slb_fail(&p->err, SLB_E_OUTPUT,
                        "%s: %ux%u pixels times %d are more than a picture can have",
                        picture_output(p), p->from.width, p->from.height, scale);
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
    picture_note(p, picture_output(p), "%s", lost);
    if (fit.channels < p->to.channels)
        picture_note(p, picture_output(p), "this format has no alpha: put on white");
    if (fit.depth < p->to.depth)
        picture_note(p, picture_output(p), "this format has 8 bits a sample: rounded from 16");
    return SLB_OK;
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
    if (format ? strcmp(format, "y4m") != 0
               : !picture_is_piped(p) && !slb_has_extension(path, "y4m"))
        return slb_fail(&p->err, SLB_E_OUTPUT,
                        "%s: video is written as Y4M only; use the extension y4m or --format y4m",
                        picture_output(p));
    SlbVideoInfo large = *info;
    large.width = p->to.width;
    large.height = p->to.height;
    p->bytes = 2 * (slb_frame_bytes(info) + slb_frame_bytes(&large)) +
               slb_video_upscaler_bytes(info, job->scale);
    return SLB_OK;
}

SlbStatus picture_open(const UpscaleFiles *job, Picture *p)
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

/* ---- What is told ---- */

void picture_tell(const UpscaleFiles *job, const Picture *p)
{
    for (int i = 0; i < p->notes && !job->quiet; i++) cli_message("%s", p->note[i]);
    if (p->status != SLB_OK && job->files->count > 1) cli_message("%s", p->err.message);
}

cJSON *picture_result(const UpscaleFiles *job, const Picture *p, const char *status)
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
