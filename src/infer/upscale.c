#include "infer/upscale.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "img/exif.h"

enum { MIN_SCALE = 2, MAX_SIDE = INT32_MAX };

/* ---- Sizes ---- */

static SlbStatus check_wanted(const SlbWantedSize *wanted, SlbError *err)
{
    if (wanted->scale != 0) {
        if (wanted->scale > 0 && wanted->scale <= SLB_MAX_WANTED_SCALE) return SLB_OK;
        return slb_fail(err, SLB_E_USAGE, "a scale of %g: it is above 0 and at most %d",
                        wanted->scale, SLB_MAX_WANTED_SCALE);
    }
    if (wanted->width || wanted->height) return SLB_OK;
    return slb_fail(err, SLB_E_USAGE, "no size is wanted: give a scale or a width or a height");
}

SlbStatus slb_wanted_size(const SlbWantedSize *wanted, const SlbImageInfo *in, SlbImageInfo *info,
                          SlbError *err)
{
    SlbStatus s = check_wanted(wanted, err);
    if (s != SLB_OK) return s;
    double sx = (double)wanted->width / in->width, sy = (double)wanted->height / in->height;
    if (wanted->scale != 0)
        sx = sy = wanted->scale;
    else if (!wanted->width || (wanted->fit && wanted->height && sy < sx))
        sx = sy;
    else if (!wanted->height || wanted->fit)
        sy = sx;
    double width = floor(in->width * sx + 0.5), height = floor(in->height * sy + 0.5);
    if (width > MAX_SIDE || height > MAX_SIDE)
        return slb_fail(err, SLB_E_INPUT, "%.0f x %.0f pixels are too many; cut the picture", width,
                        height);
    info->width = width < 1 ? 1 : (uint32_t)width;
    info->height = height < 1 ? 1 : (uint32_t)height;
    return SLB_OK;
}

/* ---- One picture ---- */

/* `out` is allocated and has the result's kind. */
static SlbStatus run(const SlbPlan *plan, const SlbImage *in, const SlbUpscaleOptions *options,
                     SlbImage *out, SlbError *err)
{
    SlbUpscaler *up;
    SlbStatus s = slb_upscaler_create(plan, &in->info, options, &up, err);
    for (uint32_t row = 0; s == SLB_OK;) {
        uint32_t wants = slb_upscaler_wants(up), ready = slb_upscaler_ready(up);
        if (!wants && !ready) break;
        uint32_t from = slb_upscaler_next_row(up), left = in->info.height - from;
        if (wants) {
            if (wants > left) wants = left;
            slb_upscaler_push(up, in->data + from * in->stride_bytes, in->stride_bytes, wants);
        } else {
            s = slb_upscaler_pull(up, out->data + row * out->stride_bytes, out->stride_bytes, ready,
                                  err);
            row += ready;
        }
    }
    slb_upscaler_free(up);
    return s;
}

/* ---- The mean of eight ---- */

enum { TURNS = 8 };

/* Progress of one of the eight. */
typedef struct Share {
    const SlbUpscaleOptions *options;
    int turn;
} Share;

static int report(void *user, uint64_t done, uint64_t total)
{
    const Share *share = user;
    return share->options->progress(share->options->user, done + (uint64_t)share->turn * total,
                                    TURNS * total);
}

static SlbStatus copy_pixels(const SlbImage *in, SlbImage *out, SlbError *err)
{
    SlbStatus s = slb_image_alloc(out, in->info, err);
    for (uint32_t y = 0; s == SLB_OK && y < in->info.height; y++)
        memcpy(out->data + y * out->stride_bytes, in->data + y * in->stride_bytes,
               slb_row_bytes(&in->info));
    return s;
}

/* The result for the picture turned as by orientation `turn` + 1, turned back, 16 bits a sample. */
static SlbStatus turned(const SlbPlan *plan, const SlbImage *in, const SlbUpscaleOptions *options,
                        int turn, SlbImage *out, SlbError *err)
{
    static const int back[TURNS] = {1, 2, 3, 4, 5, 8, 7, 6};
    SlbImage input = {0};
    SlbUpscaleOptions o = *options;
    Share share = {options, turn};
    *out = (SlbImage){0};
    if (turn >= 4) { /* the sides change places */
        o.out.width = options->out.height;
        o.out.height = options->out.width;
        o.wrap = (options->wrap & SLB_WRAP_X ? SLB_WRAP_Y : 0u) |
                 (options->wrap & SLB_WRAP_Y ? SLB_WRAP_X : 0u);
    }
    o.out.depth = 16;
    if (o.progress) o.progress = report;
    o.user = &share;
    SlbStatus s = copy_pixels(in, &input, err);
    if (s == SLB_OK) s = slb_image_orient(&input, turn + 1, err);
    if (s == SLB_OK) s = slb_image_alloc(out, o.out, err);
    if (s == SLB_OK) s = run(plan, &input, &o, out, err);
    if (s == SLB_OK) s = slb_image_orient(out, back[turn], err);
    slb_image_free(&input);
    return s;
}

static void add_samples(const SlbImage *image, uint32_t *sum)
{
    size_t n = (size_t)image->info.width * (size_t)image->info.channels;
    for (size_t y = 0; y < image->info.height; y++) {
        const uint16_t *row =
            (const uint16_t *)(const void *)(image->data + y * image->stride_bytes);
        for (size_t x = 0; x < n; x++) sum[y * n + x] += row[x];
    }
}

static void store_means(const uint32_t *sum, SlbImage *out)
{
    size_t n = (size_t)out->info.width * (size_t)out->info.channels;
    uint32_t unit = out->info.depth == 8 ? TURNS * 257 : TURNS;
    for (size_t y = 0; y < out->info.height; y++)
        for (size_t x = 0; x < n; x++) {
            uint16_t mean = (uint16_t)((sum[y * n + x] + unit / 2) / unit);
            unsigned char *row = out->data + y * out->stride_bytes;
            if (out->info.depth == 8)
                row[x] = (unsigned char)mean;
            else
                memcpy(row + x * sizeof mean, &mean, sizeof mean); /* rows may begin anywhere */
        }
}

static SlbStatus run_turns(const SlbPlan *plan, const SlbImage *in,
                           const SlbUpscaleOptions *options, SlbImage *out, SlbError *err)
{
    size_t row = (size_t)out->info.width * (size_t)out->info.channels;
    uint32_t *sum = slb_calloc(out->info.height, row * sizeof *sum);
    SlbStatus s = sum ? SLB_OK : slb_fail_memory(err, "the sum of eight pictures");
    for (int turn = 0; s == SLB_OK && turn < TURNS; turn++) {
        SlbImage one;
        s = turned(plan, in, options, turn, &one, err);
        if (s == SLB_OK) add_samples(&one, sum);
        slb_image_free(&one);
    }
    if (s == SLB_OK) store_means(sum, out);
    slb_free(sum);
    return s;
}

SlbStatus slb_upscale_pixels(const SlbPlan *plan, const SlbImage *in,
                             const SlbUpscaleOptions *options, bool tta, SlbImage *out,
                             SlbError *err)
{
    return tta ? run_turns(plan, in, options, out, err) : run(plan, in, options, out, err);
}

SlbStatus slb_upscale_image(const SlbPlan *plan, const SlbImage *in,
                            const SlbUpscaleOptions *options, bool tta, SlbImage *out,
                            SlbError *err)
{
    *out = (SlbImage){0};
    SlbMetaChange change = {1, (double)options->out.width / in->info.width,
                            (double)options->out.height / in->info.height, options->out.width,
                            options->out.height};
    SlbStatus s = slb_image_alloc(out, options->out, err);
    if (s == SLB_OK) s = slb_meta_derive(&in->meta, &change, &out->meta, err);
    if (s == SLB_OK) s = slb_upscale_pixels(plan, in, options, tta, out, err);
    if (s != SLB_OK) slb_image_free(out);
    return s;
}

SlbStatus slb_check_scale(const SlbPlan *plan, int scale, SlbError *err)
{
    if (scale < MIN_SCALE || scale > SLB_MAX_SCALE)
        return slb_fail(err, SLB_E_USAGE, "a scale of %d: there are 2, 3 and 4", scale);
    if (slb_plan_scale(plan) != 1 && slb_plan_scale(plan) != scale)
        return slb_fail(err, SLB_E_MODEL, "the network enlarges by %d, not by %d",
                        slb_plan_scale(plan), scale);
    return SLB_OK;
}

SlbStatus slb_upscale(const SlbPlan *plan, const SlbImage *in, int scale, SlbProgress progress,
                      void *user, SlbImage *out, SlbError *err)
{
    SlbUpscaleOptions options = {.out = in->info, .progress = progress, .user = user};
    *out = (SlbImage){0};
    SlbStatus s = slb_check_scale(plan, scale, err);
    if (s != SLB_OK) return s;
    SlbWantedSize wanted = {.scale = scale};
    s = slb_wanted_size(&wanted, &in->info, &options.out, err);
    return s == SLB_OK ? slb_upscale_image(plan, in, &options, false, out, err) : s;
}
