#include "infer/upscale_video.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "img/resize.h"
#include "infer/upscale.h"

struct SlbVideoUpscaler {
    const SlbPlan *plan;
    int scale;
    SlbVideoInfo in, out;
    SlbAxis rows, cols;    /* of chroma */
    double *small, *large; /* a plane of chroma before and after */
    SlbImage luma;         /* of `in`, for the network */
    SlbUpscaleOptions how; /* what becomes of it */
};

static double sample(const unsigned char *plane, size_t i, const SlbVideoInfo *info)
{
    if (info->depth == 8) return plane[i];
    uint16_t v;
    memcpy(&v, plane + i * sizeof v, sizeof v);
    return v;
}

/* To the nearest level that there is. */
static void put_sample(unsigned char *plane, size_t i, const SlbVideoInfo *info, double value)
{
    double most = (1 << info->depth) - 1, v = value > 0.0 ? value < most ? value : most : 0.0;
    uint16_t level = (uint16_t)floor(v + 0.5);
    if (info->depth == 8)
        plane[i] = (unsigned char)level;
    else
        memcpy(plane + i * sizeof level, &level, sizeof level);
}

/* ---- Luma ---- */

/* Levels of luma and 0..255 with black at 16 and white at 235: level = offset + slope * that. */
typedef struct Range {
    double slope, offset;
} Range;

static Range range_of(const SlbVideoInfo *info)
{
    double most = (1 << info->depth) - 1;
    if (info->full_range) return (Range){most / 219.0, -16.0 * most / 219.0};
    return (Range){1 << (info->depth - 8), 0.0};
}

/* True when levels go through the network's picture as they are. */
static bool is_plain(const SlbVideoInfo *info)
{
    return info->depth == 8 && !info->full_range;
}

static void take_luma(const SlbVideoInfo *info, const unsigned char *plane, SlbImage *image)
{
    const Range range = range_of(info);
    size_t count = (size_t)info->width * info->height;
    if (is_plain(info)) {
        memcpy(image->data, plane, count);
        return;
    }
    uint16_t *to = (uint16_t *)(void *)image->data;
    for (size_t i = 0; i < count; i++) {
        double v = (sample(plane, i, info) - range.offset) / range.slope * 257.0;
        to[i] = (uint16_t)floor((v > 0.0 ? v < 65535.0 ? v : 65535.0 : 0.0) + 0.5);
    }
}

static void give_luma(const SlbVideoInfo *info, const SlbImage *image, unsigned char *plane)
{
    const Range range = range_of(info);
    size_t count = (size_t)info->width * info->height;
    if (is_plain(info)) {
        memcpy(plane, image->data, count);
        return;
    }
    const uint16_t *from = (const uint16_t *)(const void *)image->data;
    for (size_t i = 0; i < count; i++)
        put_sample(plane, i, info, range.offset + range.slope * (from[i] / 257.0));
}

static SlbStatus upscale_luma(SlbVideoUpscaler *up, const SlbFrame *in, SlbFrame *out,
                              SlbProgress progress, void *user, SlbError *err)
{
    SlbImage large = {0};
    take_luma(&up->in, in->plane[0], &up->luma);
    up->how.progress = progress;
    up->how.user = user;
    SlbStatus s = slb_upscale_image(up->plan, &up->luma, &up->how, false, &large, err);
    if (s == SLB_OK) give_luma(&up->out, &large, out->plane[0]);
    slb_image_free(&large);
    return s;
}

/* ---- Chroma ---- */

static SlbStatus resize_chroma(SlbVideoUpscaler *up, const unsigned char *in, unsigned char *out,
                               SlbError *err)
{
    size_t from = (size_t)up->cols.in_size * up->rows.in_size,
           to = (size_t)up->cols.out_size * up->rows.out_size;
    for (size_t i = 0; i < from; i++) up->small[i] = sample(in, i, &up->in);
    SlbStatus s = slb_resize_f64(up->small, &up->rows, &up->cols, up->large, err);
    for (size_t i = 0; s == SLB_OK && i < to; i++) put_sample(out, i, &up->out, up->large[i]);
    return s;
}

static SlbStatus prepare_chroma(SlbVideoUpscaler *up, SlbError *err)
{
    const SlbVideoInfo *in = &up->in, *out = &up->out;
    uint32_t width = slb_plane_width(in, 1), height = slb_plane_height(in, 1);
    uint32_t large_width = slb_plane_width(out, 1), large_height = slb_plane_height(out, 1);
    SlbStatus s = slb_axis_sited(height, large_height, up->scale, in->site_y, &up->rows, err);
    if (s == SLB_OK) s = slb_axis_sited(width, large_width, up->scale, in->site_x, &up->cols, err);
    if (s != SLB_OK) return s;
    up->small = slb_alloc((size_t)width * height, sizeof *up->small);
    up->large = slb_alloc((size_t)large_width * large_height, sizeof *up->large);
    return up->small && up->large ? SLB_OK : slb_fail_memory(err, "the chroma of a frame");
}

/* ---- Frames ---- */

uint64_t slb_video_upscaler_bytes(const SlbVideoInfo *in, int scale)
{
    uint64_t luma = (uint64_t)in->width * in->height;
    uint64_t chroma = (uint64_t)slb_plane_width(in, 1) * slb_plane_height(in, 1);
    uint64_t large = (uint64_t)scale * (uint64_t)scale;
    if (in->planes == 1) chroma = 0;
    return (1 + large) * (luma * (is_plain(in) ? 1 : 2) + chroma * sizeof(double));
}

SlbStatus slb_video_upscaler_create(const SlbPlan *plan, const SlbVideoInfo *in, int scale,
                                    SlbVideoUpscaler **up, SlbError *err)
{
    *up = NULL;
    SlbStatus s = slb_check_scale(plan, scale, err);
    if (s != SLB_OK) return s;
    uint32_t most = INT32_MAX / (uint32_t)scale;
    if (in->width > most || in->height > most)
        return slb_fail(err, SLB_E_INPUT, "%u x %u pixels times %d are too many; cut the video",
                        in->width, in->height, scale);
    SlbVideoUpscaler *u = slb_calloc(1, sizeof *u);
    if (!u) return slb_fail_memory(err, "a video");
    *u = (SlbVideoUpscaler){.plan = plan, .scale = scale, .in = *in, .out = *in};
    u->out.width *= (uint32_t)scale;
    u->out.height *= (uint32_t)scale;
    const SlbImageInfo luma = {in->width, in->height, 1, is_plain(in) ? 8 : 16};
    u->how = (SlbUpscaleOptions){.out = luma, .factor = scale};
    u->how.out.width = u->out.width;
    u->how.out.height = u->out.height;
    s = slb_image_alloc(&u->luma, luma, err);
    if (s == SLB_OK && in->planes == 3) s = prepare_chroma(u, err);
    if (s != SLB_OK)
        slb_video_upscaler_free(u);
    else
        *up = u;
    return s;
}

void slb_video_upscaler_free(SlbVideoUpscaler *up)
{
    if (!up) return;
    slb_axis_free(&up->rows);
    slb_axis_free(&up->cols);
    slb_free(up->small);
    slb_free(up->large);
    slb_image_free(&up->luma);
    slb_free(up);
}

SlbStatus slb_video_upscaler_limit(SlbVideoUpscaler *up, uint64_t max_bytes, uint64_t other_bytes,
                                   SlbError *err)
{
    up->how.max_bytes = max_bytes;
    up->how.other_bytes = other_bytes;
    return slb_upscaler_create(up->plan, &up->luma.info, &up->how, NULL, err);
}

const SlbVideoInfo *slb_video_upscaler_info(const SlbVideoUpscaler *up)
{
    return &up->out;
}

SlbStatus slb_upscale_frame(SlbVideoUpscaler *up, const SlbFrame *in, SlbFrame *out,
                            SlbProgress progress, void *user, SlbError *err)
{
    memcpy(out->parameters, in->parameters, sizeof out->parameters);
    SlbStatus s = upscale_luma(up, in, out, progress, user, err);
    for (int p = 1; s == SLB_OK && p < up->in.planes; p++)
        s = resize_chroma(up, in->plane[p], out->plane[p], err);
    return s;
}
