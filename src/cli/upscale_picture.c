#include "cli/upscale_picture.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/mem.h"
#include "cli/json_line.h"
#include "cli/message.h"
#include "cli/picture.h"
#include "cli/upscale_stream.h"
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
    p->skipped = job->skip_existing && !p->file->unread && !picture_is_piped(p) &&
                 lstat(p->file->output, &st) == 0;
    return p;
}

void picture_free(Picture *p)
{
    slb_reader_close(p->reader);
    slb_video_close(p->video);
    slb_image_free(&p->in);
    slb_image_free(&p->out);
    for (int i = 0; i < p->notes; i++) free(p->note[i].text);
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
    p->note[p->notes].path = path;
    p->note[p->notes].text = strdup(text);
    p->notes += p->note[p->notes].text != NULL;
}

static void choose_format(Picture *p)
{
    if (p->how.format || !picture_is_piped(p)) return;
    p->how.format = slb_reader_format(p->reader);
    if (strcmp(p->how.format, "PNM") == 0 && p->from.channels % 2 == 0) p->how.format = "PAM";
}

/* Whether the output's format can hold colours that the background brings into a grey picture. */
static bool becomes_colour(const UpscaleFiles *job, const Picture *p)
{
    const uint8_t *b = job->background;
    SlbImageInfo coloured = p->to;
    char note[SLB_NOTE_BYTES];
    SlbError why;
    coloured.channels = 3;
    return (b[0] != b[1] || b[1] != b[2]) &&
           slb_writer_check(p->file->output, &coloured, NULL, &p->how, note, &why) == SLB_OK;
}

/* Says what the output's format cannot keep, and complains about one that cannot be written, before
 * the long work rather than after it. p->to becomes what is written. */
static SlbStatus check_output(const UpscaleFiles *job, Picture *p)
{
    SlbImageInfo asked = p->to;
    Reduction notes;
    const char *path = p->file->output;
    if (p->how.format ? strcmp(p->how.format, "y4m") == 0
                      : !picture_is_piped(p) && slb_has_extension(path, "y4m"))
        return slb_fail(&p->err, SLB_E_OUTPUT,
                        "%s: Y4M is for video, and %s is a picture; write PNG or another format "
                        "for pictures",
                        picture_output(p), slb_input_name(p->file->input));
    (void)slb_format_fits(path, &p->how, &p->to); /* an unknown extension is the writer's to tell */
    if (asked.channels == 2 && p->to.channels == 1 && becomes_colour(job, p)) p->to.channels = 3;
    SlbStatus s =
        slb_writer_check(path, &p->to, slb_reader_meta(p->reader), &p->how, p->lost, &p->err);
    if (s != SLB_OK) return s;
    cli_reduction(&asked, &p->to, job->background, &notes);
    picture_note(p, picture_output(p), "%s", notes.alpha);
    picture_note(p, picture_output(p), "%s", notes.depth);
    return SLB_OK;
}

/* ---- Memory ---- */

/* What is not a picture's: the program, codecs, stacks of threads. */
static const uint64_t program_bytes = (uint64_t)20 << 20;
/* Pictures whose samples, before and behind, take more than this are streamed. */
static const uint64_t whole_bytes = (uint64_t)256 << 20;

static uint64_t samples(const SlbImageInfo *info)
{
    return info->height * (uint64_t)slb_row_bytes(info);
}

/* Copies of its metadata at a time: the reader's, the picture's as it is changed, the writer's, and
 * those that the libraries still hold or make while they unpack. */
enum { META_COPIES = 5 };

/* Bytes of whole pictures in memory, and of what they bring along. */
static uint64_t picture_bytes(const UpscaleFiles *job, const Picture *p)
{
    uint64_t held = slb_reader_bytes(p->reader) +
                    slb_writer_bytes(p->file->output, &p->how, &p->to) +
                    META_COPIES * slb_meta_bytes(slb_reader_meta(p->reader));
    if (p->streamed) return held + cli_stream_bytes(&p->from, &p->to);
    uint64_t pixels = (uint64_t)p->to.width * p->to.height * (uint64_t)p->to.channels;
    uint64_t turned = slb_reader_orientation(p->reader) > 1 ? samples(&p->from) : 0;
    uint64_t eight = job->tta ? samples(&p->from) + pixels * (2 + 2 + 4) : 0;
    uint64_t working = samples(&p->from) + samples(&p->to) + eight;
    return held + (working > turned + samples(&p->from) ? working : turned + samples(&p->from));
}

/* An error that tells of too little memory, and what to do. */
static SlbStatus too_little(Picture *p, const SlbError *why)
{
    return slb_fail(&p->err, SLB_E_MEMORY, "%s: %s with --max-memory",
                    slb_input_name(p->file->input), why->message);
}

static SlbStatus need_more(Picture *p, uint64_t bytes, bool whole)
{
    return slb_fail(&p->err, SLB_E_MEMORY,
                    "%s: more than %llu MiB are needed%s; raise --max-memory",
                    slb_input_name(p->file->input), (unsigned long long)(bytes >> 20),
                    whole ? ", as this picture has to be in memory as a whole" : "");
}

/* Whether the upscaler can do with what is left of the limit; and what it takes, with the network.
 */
static SlbStatus check_bands(const UpscaleFiles *job, Picture *p, uint64_t *bytes)
{
    SlbError why;
    uint64_t lying = 0;
    SlbUpscaleOptions o = picture_options(job, p);
    *bytes = 0;
    SlbStatus s = slb_upscaler_check(p->model->plan, &p->from, &o, bytes, &why);
    if (s == SLB_OK && job->tta) { /* four times lying on its side */
        SlbImageInfo in = p->from;
        in.width = p->from.height, in.height = p->from.width;
        o.out.width = p->to.height, o.out.height = p->to.width;
        s = slb_upscaler_check(p->model->plan, &in, &o, &lying, &why);
    }
    if (lying > *bytes) *bytes = lying;
    if (s == SLB_E_MEMORY && job->max_memory) return too_little(p, &why);
    return SLB_OK; /* other errors are told when it is worked on */
}

static SlbStatus choose_way(const UpscaleFiles *job, Picture *p)
{
    bool can_stream =
        slb_reader_orientation(p->reader) == 1 && !job->tta && !(job->wrap & SLB_WRAP_Y);
    bool small = samples(&p->from) + samples(&p->to) <= whole_bytes && !job->max_memory;
    p->streamed = can_stream && !small;
    uint64_t bands, pictures = picture_bytes(job, p) + slb_model_bytes(p->model->model);
    if (!job->max_memory) {
        SlbStatus s = check_bands(job, p, &bands);
        p->bytes = pictures + bands;
        return s;
    }
    p->other_bytes = pictures + program_bytes;
    p->bytes = job->max_memory;
    if (job->max_memory <= p->other_bytes) return need_more(p, p->other_bytes, !can_stream);
    return check_bands(job, p, &bands);
}

uint64_t picture_memory(const UpscaleFiles *job, const Picture *p)
{
    return job->max_memory ? job->max_memory : p->bytes + program_bytes;
}

SlbUpscaleOptions picture_options(const UpscaleFiles *job, const Picture *p)
{
    SlbUpscaleOptions options = {.out = p->to,
                                 .alpha = job->alpha,
                                 .wrap = job->wrap,
                                 .max_bytes = job->max_memory,
                                 .other_bytes = p->other_bytes};
    memcpy(options.background, job->background, sizeof options.background);
    return options;
}

/* ---- Opening ---- */

/* What metadata may take while a picture is opened. A little is always enough to see what it is,
 * and then how much memory it needs. */
static SlbReadLimits limits_of(const UpscaleFiles *job)
{
    static const uint64_t least = 1 << 20;
    SlbReadLimits limits = job->limits;
    if (!job->max_memory) return limits;
    bool enough = job->max_memory > program_bytes + least;
    limits.meta_bytes = enough ? job->max_memory - program_bytes : least;
    return limits;
}

static SlbStatus choose_model(const UpscaleFiles *job, Picture *p)
{
    p->factor = slb_upscale_factor(&p->from, &p->to);
    return cli_models_get(job->models, p->factor, &p->model, &p->err);
}

static SlbStatus open_picture(const UpscaleFiles *job, Picture *p)
{
    p->from = slb_reader_upright(p->reader);
    choose_format(p);
    p->to = p->from;
    if (job->alpha == SLB_ALPHA_DROP) p->to.channels = p->from.channels < 3 ? 1 : 3;
    SlbStatus s = slb_wanted_size(&job->size, &p->from, &p->to, &p->err);
    if (s == SLB_OK) s = check_output(job, p);
    if (s == SLB_OK) s = choose_model(job, p);
    if (s != SLB_OK) return s;
    cli_models_note(job->models, p->model, p->factor);
    return choose_way(job, p);
}

int cli_video_scale(const SlbWantedSize *size)
{
    for (int scale = 2; scale <= 4; scale++)
        if (size->scale == scale) return scale;
    return 0;
}

/* Options that mean nothing here are better refused than passed over. */
static SlbStatus check_video_options(const UpscaleFiles *job, Picture *p)
{
    const char *option = job->tta                       ? "--tta"
                         : job->wrap                    ? "--wrap"
                         : job->alpha == SLB_ALPHA_NET  ? "--alpha net"
                         : job->alpha == SLB_ALPHA_DROP ? "--alpha drop"
                                                        : job->for_pictures;
    if (!option) return SLB_OK;
    return slb_fail(&p->err, SLB_E_USAGE, "%s: is a video, and %s is for pictures; leave it out",
                    slb_input_name(p->file->input), option);
}

static SlbStatus choose_video_memory(const UpscaleFiles *job, Picture *p, int scale)
{
    const SlbVideoInfo *info = slb_video_info(p->video);
    SlbVideoInfo large = *info;
    large.width = p->to.width;
    large.height = p->to.height;
    uint64_t bands = 0, frames = 2 * (slb_frame_bytes(info) + slb_frame_bytes(&large)) +
                                 slb_video_upscaler_bytes(info, scale) +
                                 slb_model_bytes(p->model->model);
    if (!job->max_memory) {
        const SlbImageInfo luma = {info->width, info->height, 1, 16};
        const SlbUpscaleOptions o = {.out = {p->to.width, p->to.height, 1, 16}};
        (void)!slb_upscaler_check(p->model->plan, &luma, &o, &bands, NULL);
        p->bytes = frames + bands;
        return SLB_OK; /* what fails is told when it is worked on */
    }
    p->other_bytes = frames + program_bytes;
    p->bytes = job->max_memory;
    if (job->max_memory <= p->other_bytes) return need_more(p, p->other_bytes, false);
    SlbError why;
    SlbVideoUpscaler *up = NULL;
    SlbStatus s = slb_video_upscaler_create(p->model->plan, info, scale, &up, &why);
    if (s == SLB_OK) s = slb_video_upscaler_limit(up, job->max_memory, p->other_bytes, &why);
    slb_video_upscaler_free(up);
    if (s == SLB_E_MEMORY) return too_little(p, &why);
    return SLB_OK;
}

static SlbStatus open_video(const UpscaleFiles *job, Picture *p)
{
    const SlbVideoInfo *info = slb_video_info(p->video);
    const char *path = p->file->output, *format = p->how.format;
    p->from = (SlbImageInfo){info->width, info->height, info->planes, info->depth};
    int scale = cli_video_scale(&job->size);
    if (!scale)
        return slb_fail(&p->err, SLB_E_USAGE, "%s: videos are enlarged by 2, 3 or 4; give --scale",
                        slb_input_name(p->file->input));
    p->to = p->from;
    SlbStatus s = check_video_options(job, p);
    if (s == SLB_OK) s = slb_wanted_size(&job->size, &p->from, &p->to, &p->err);
    if (s != SLB_OK) return s;
    if (format ? strcmp(format, "y4m") != 0
               : !picture_is_piped(p) && !slb_has_extension(path, "y4m"))
        return slb_fail(&p->err, SLB_E_OUTPUT,
                        "%s: video is written as Y4M only; use the extension y4m or --format y4m",
                        picture_output(p));
    s = choose_model(job, p);
    if (s != SLB_OK) return s;
    int own = slb_plan_scale(p->model->plan);
    if (own != 1 && own != scale)
        return slb_fail(&p->err, SLB_E_MODEL,
                        "%s: %s enlarges by %d, not by %d; give --scale %d or another model",
                        slb_input_name(p->file->input), p->model->name, own, scale, own);
    cli_models_note(job->models, p->model, p->factor);
    return choose_video_memory(job, p, scale);
}

static SlbStatus open_head(FileEntry *e, FILE **file, unsigned char head[SLB_HEAD_BYTES],
                           size_t *bytes, SlbError *err)
{
    if (!e->opened) return slb_open_head(e->input, file, head, bytes, err);
    *file = e->opened;
    e->opened = NULL; /* its reader's from now on */
    memcpy(head, e->head, SLB_HEAD_BYTES);
    *bytes = e->head_bytes;
    return SLB_OK;
}

SlbStatus picture_open(const UpscaleFiles *job, Picture *p)
{
    const char *path = p->file->input;
    unsigned char head[SLB_HEAD_BYTES];
    size_t bytes;
    FILE *file;
    if (p->file->unread)
        return slb_fail(&p->err, SLB_E_INPUT, "%s: cannot be opened as a folder: %s", path,
                        strerror(p->file->unread));
    if (slb_is_folder(path))
        return slb_fail(&p->err, SLB_E_INPUT, "%s: is a folder; give -r to search it for pictures",
                        path);
    SlbStatus s = open_head(&job->files->item[p->index], &file, head, &bytes, &p->err);
    if (s != SLB_OK) return s;
    if (slb_is_y4m(head, bytes)) {
        s = slb_video_open(file, path, job->limits.max_pixels, &p->video, &p->err);
        return s == SLB_OK ? open_video(job, p) : s;
    }
    const SlbReadLimits limits = limits_of(job);
    s = slb_reader_open_file(file, path, &limits, &p->reader, &p->err);
    return s == SLB_OK ? open_picture(job, p) : s;
}

/* ---- What is told ---- */

void picture_tell(const UpscaleFiles *job, const Picture *p)
{
    if (!job->quiet) cli_print_note(picture_output(p), p->lost);
    for (int i = 0; i < p->notes && !job->quiet; i++)
        cli_print_note(p->note[i].path, p->note[i].text);
    if (p->status != SLB_OK && job->files->count > 1) cli_message("%s", p->err.message);
}

cJSON *picture_result(const Picture *p, const char *status)
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
    if (p->model) {
        int own = slb_plan_scale(p->model->plan);
        cli_json_text(line, "model", p->model->name);
        cJSON_AddNumberToObject(line, "network_scale", p->factor > 1 && own > 1 ? own : p->factor);
    }
    cJSON *notes = cJSON_AddArrayToObject(line, "notes");
    if (*p->lost) cli_json_add_text(notes, p->lost);
    for (int i = 0; i < p->notes; i++) cli_json_add_text(notes, p->note[i].text);
    return line;
}
