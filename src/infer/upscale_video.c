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
    SlbAxis rows, cols;                  /* of chroma */
    double *small, *large;               /* a plane of chroma before and after */
    SlbImage luma;                       /* of `in`, for the network */
    SlbUpscaleOptions how;               /* what becomes of it */
    SlbAxis excess_rows, excess_cols;    /* of what is above the network's white */
    double *excess_small, *excess_large; /* a row of it before and after; NULL: there is none */
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

/* Limited range has levels above 255 where it has more than 8 bits: 1020 is 255, 1023 the last. The
 * network's picture ends at 255, and to make it wider would change what the network makes of every
 * other level. So it gets them as 255, and what they have beyond that is enlarged beside it and
 * added to its result. */
static unsigned ceiling_of(const SlbVideoInfo *info)
{
    return info->full_range ? (1u << info->depth) - 1 : 255u << (info->depth - 8);
}

static bool has_excess(const SlbVideoInfo *info, const unsigned char *plane)
{
    size_t count = (size_t)info->width * info->height;
    for (size_t i = 0; i < count; i++)
        if (sample(plane, i, info) > ceiling_of(info)) return true;
    return false;
}

/* Row y of the result's excess over the ceiling. */
static const double *excess_row(SlbVideoUpscaler *up, const unsigned char *plane, uint32_t y)
{
    const SlbAxis *rows = &up->excess_rows;
    uint32_t width = up->in.width, ceiling = ceiling_of(&up->in);
    memset(up->excess_small, 0, width * sizeof *up->excess_small);
    for (size_t t = (size_t)y * rows->taps; t < ((size_t)y + 1) * rows->taps; t++)
        for (uint32_t x = 0; x < width; x++) {
            double v = sample(plane, (size_t)rows->index[t] * width + x, &up->in) - ceiling;
            if (v > 0) up->excess_small[x] += rows->weight[t] * v;
        }
    slb_axis_columns(&up->excess_cols, up->excess_small, 1, up->excess_large);
    return up->excess_large;
}

static SlbStatus prepare_excess(SlbVideoUpscaler *up, SlbError *err)
{
    const SlbVideoInfo *in = &up->in, *out = &up->out;
    SlbStatus s = slb_axis_sited(in->height, out->height, up->scale, 0.5, &up->excess_rows, err);
    if (s == SLB_OK)
        s = slb_axis_sited(in->width, out->width, up->scale, 0.5, &up->excess_cols, err);
    if (s != SLB_OK) return s;
    up->excess_small = slb_alloc(in->width, sizeof *up->excess_small);
    up->excess_large = slb_alloc(out->width, sizeof *up->excess_large);
    bool room = up->excess_small && up->excess_large;
    return room ? SLB_OK : slb_fail_memory(err, "the highlights of a frame");
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

/* `in` is what the picture was made of. */
static void give_luma(SlbVideoUpscaler *up, const unsigned char *in, const SlbImage *image,
                      unsigned char *plane)
{
    const SlbVideoInfo *info = &up->out;
    const Range range = range_of(info);
    if (is_plain(info)) {
        memcpy(plane, image->data, (size_t)info->width * info->height);
        return;
    }
    const uint16_t *from = (const uint16_t *)(const void *)image->data;
    bool excess = up->excess_small && has_excess(&up->in, in);
    for (uint32_t y = 0; y < info->height; y++) {
        const double *more = excess ? excess_row(up, in, y) : NULL;
        size_t row = (size_t)y * info->width;
        for (uint32_t x = 0; x < info->width; x++) {
            double v = range.offset + range.slope * (from[row + x] / 257.0);
            put_sample(plane, row + x, info, more ? v + more[x] : v);
        }
    }
}

static SlbStatus upscale_luma(SlbVideoUpscaler *up, const SlbFrame *in, SlbFrame *out,
                              SlbProgress progress, void *user, SlbError *err)
{
    SlbImage large = {0};
    take_luma(&up->in, in->plane[0], &up->luma);
    up->how.progress = progress;
    up->how.user = user;
    SlbStatus s = slb_upscale_image(up->plan, &up->luma, &up->how, false, &large, err);
    if (s == SLB_OK) give_luma(up, in->plane[0], &large, out->plane[0]);
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
    if (s == SLB_OK && in->depth > 8 && !in->full_range) s = prepare_excess(u, err);
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
    slb_axis_free(&up->excess_rows);
    slb_axis_free(&up->excess_cols);
    slb_free(up->excess_small);
    slb_free(up->excess_large);
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
    uint64_t bytes;
    return slb_upscaler_check(up->plan, &up->luma.info, &up->how, &bytes, err);
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
