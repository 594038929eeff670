#include "img/protocol.h"

#include <math.h>

#include "base/mem.h"
#include "img/color.h"
#include "img/metric.h"
#include "img/resize.h"

/* The luma of the part of the picture whose sides are multiples of the scale, as whole numbers. */
static SlbStatus cropped_luma(const SlbImage *hr, SlbLumaPair *pair, SlbError *err)
{
    uint8_t *y = slb_alloc(pair->width, pair->height);
    if (!y) return slb_fail_memory(err, "the luma of a picture");
    SlbImage crop = *hr; /* a view: nothing in it is freed */
    crop.info.width = pair->width;
    crop.info.height = pair->height;
    slb_luma_u8(&crop, y);
    size_t n = (size_t)pair->width * pair->height;
    for (size_t i = 0; i < n; i++) pair->truth[i] = y[i];
    slb_free(y);
    return SLB_OK;
}

/* By 1/scale and back in double, rows before columns both times. */
static SlbStatus down_and_up(SlbLumaPair *pair, uint32_t scale, SlbError *err)
{
    enum { DOWN_ROWS, DOWN_COLS, UP_ROWS, UP_COLS, AXES };
    SlbAxis axis[AXES] = {0};
    uint32_t width = pair->width, height = pair->height;
    const uint32_t size[AXES] = {height, width, height / scale, width / scale};
    SlbStatus status = SLB_OK;
    for (int i = 0; i < AXES && status == SLB_OK; i++) {
        uint32_t up = i >= UP_ROWS ? scale : 1, down = i >= UP_ROWS ? 1 : scale;
        status = slb_axis_bicubic(size[i], up, down, SLB_EDGE_MIRROR, &axis[i], err);
    }
    double *small = NULL;
    if (status == SLB_OK) {
        small = slb_alloc((size_t)(width / scale) * (height / scale), sizeof *small);
        if (!small) status = slb_fail_memory(err, "a reduced picture");
    }
    if (status == SLB_OK)
        status = slb_resize_f64(pair->truth, &axis[DOWN_ROWS], &axis[DOWN_COLS], small, err);
    if (status == SLB_OK)
        status = slb_resize_f64(small, &axis[UP_ROWS], &axis[UP_COLS], pair->bicubic, err);
    slb_free(small);
    for (int i = 0; i < AXES; i++) slb_axis_free(&axis[i]);
    return status;
}

SlbStatus slb_luma_pair(const SlbImage *hr, int scale, const char *name, SlbLumaPair *pair,
                        SlbError *err)
{
    *pair = (SlbLumaPair){0};
    if (scale < 1) return slb_fail(err, SLB_E_USAGE, "a scale of %d: at least 1 is needed", scale);
    uint32_t s = (uint32_t)scale;
    if (hr->info.width < s || hr->info.height < s)
        return slb_fail(err, SLB_E_INPUT, "%s: %u x %u pixels are too few for scale %d", name,
                        hr->info.width, hr->info.height, scale);
    pair->width = hr->info.width - hr->info.width % s;
    pair->height = hr->info.height - hr->info.height % s;
    size_t row = pair->width * sizeof(double);
    pair->truth = slb_alloc(pair->height, row);
    pair->bicubic = slb_alloc(pair->height, row);
    SlbStatus status = SLB_OK;
    if (!pair->truth || !pair->bicubic) status = slb_fail_memory(err, name);
    if (status == SLB_OK) status = cropped_luma(hr, pair, err);
    if (status == SLB_OK) status = down_and_up(pair, s, err);
    if (status != SLB_OK) slb_luma_pair_free(pair);
    return status;
}

void slb_luma_pair_free(SlbLumaPair *pair)
{
    slb_free(pair->truth);
    slb_free(pair->bicubic);
    *pair = (SlbLumaPair){0};
}

/* Whole numbers in 0..255; what is no number counts as black, so that it never passes for good. */
static double to_u8(double v)
{
    return v > 0 ? v < 255 ? floor(v + 0.5) : 255 : 0;
}

SlbStatus slb_luma_score(const SlbLumaPair *pair, const double *plane, int scale, int want_ssim,
                         SlbScore *score, SlbError *err)
{
    size_t n = (size_t)pair->width * pair->height;
    double *rounded = slb_alloc(n, sizeof *rounded);
    if (!rounded) return slb_fail_memory(err, "a picture to score");
    for (size_t i = 0; i < n; i++) rounded[i] = to_u8(plane[i]);
    uint32_t w = pair->width, h = pair->height, shave = (uint32_t)scale;
    *score = (SlbScore){.psnr = slb_psnr(pair->truth, rounded, w, h, shave), .ssim = NAN};
    SlbStatus status = SLB_OK;
    if (want_ssim) status = slb_ssim(pair->truth, rounded, w, h, shave, &score->ssim, err);
    slb_free(rounded);
    return status;
}
