/* The crops of a report: where they lie, and how they look. */
#include <math.h>

#include "base/mem.h"
#include "cli/eval_measure.h"
#include "cli/picture.h"
#include "img/color.h"
#include "img/resize.h"

enum { OVERVIEW_SIDE = 160 };

void eval_view_free(EvalView *view)
{
    uint32_t side = view->side;
    slb_image_free(&view->overview);
    slb_image_free(&view->original);
    slb_image_free(&view->bicubic);
    slb_image_free(&view->bicubic_error);
    for (int i = 0; i < EVAL_MODELS; i++) {
        slb_image_free(&view->model[i]);
        slb_image_free(&view->model_error[i]);
    }
    *view = (EvalView){.side = side};
}

/* Sums of squared errors over everything above and to the left of each corner. */
static double *error_table(const double *a, const double *b, uint32_t width, uint32_t height)
{
    size_t row = (size_t)width + 1;
    double *sum = slb_calloc(row * ((size_t)height + 1), sizeof *sum);
    if (!sum) return NULL;
    for (size_t y = 0; y < height; y++) {
        double line = 0.0;
        for (size_t x = 0; x < width; x++) {
            double d = a[y * width + x] - b[y * width + x];
            line += d * d;
            sum[(y + 1) * row + x + 1] = sum[y * row + x + 1] + line;
        }
    }
    return sum;
}

/* The window in which bicubic errs most: the one with the most detail to bring back. Windows lie on
 * a grid of 4 pixels, so that equal sums do not hang on the last bit. */
static SlbStatus choose_window(EvalView *view, const double *truth, const double *bicubic,
                               SlbError *err)
{
    enum { STEP = 4 };
    uint32_t w = view->width, h = view->height, side = view->side;
    EvalRect *at = &view->at;
    *at = (EvalRect){.width = w < side ? w : side, .height = h < side ? h : side};
    double *sum = error_table(truth, bicubic, w, h), most = -1.0;
    if (!sum) return slb_fail_memory(err, "a crop");
    size_t row = (size_t)w + 1;
    for (uint32_t y = 0; y + at->height <= h; y += STEP) {
        for (uint32_t x = 0; x + at->width <= w; x += STEP) {
            const double *top = sum + y * row + x, *bottom = top + at->height * row;
            double here = bottom[at->width] - bottom[0] - top[at->width] + top[0];
            if (here <= most) continue;
            most = here;
            at->x = x;
            at->y = y;
        }
    }
    slb_free(sum);
    return SLB_OK;
}

static unsigned char to_u8(double v)
{
    return (unsigned char)(v > 0.0 ? v < 255.0 ? floor(v + 0.5) : 255.0 : 0.0);
}

static int colours_of(const SlbImage *image)
{
    return image->info.channels < 3 ? 1 : 3;
}

static SlbStatus new_crop(const EvalView *view, int channels, SlbImage *crop, SlbError *err)
{
    SlbImageInfo info = {view->at.width, view->at.height, channels, 8};
    return slb_image_alloc(crop, info, err);
}

/* The crop of a picture as it is, without alpha. */
static SlbStatus crop_picture(const EvalView *view, const SlbImage *image, SlbImage *crop,
                              SlbError *err)
{
    int colours = colours_of(image);
    SlbStatus s = new_crop(view, colours, crop, err);
    for (size_t y = 0; s == SLB_OK && y < view->at.height; y++)
        for (size_t x = 0; x < view->at.width; x++)
            for (size_t c = 0; c < (size_t)colours; c++)
                crop->data[y * crop->stride_bytes + x * (size_t)colours + c] =
                    to_u8(cli_sample(image, view->at.x + x, view->at.y + y, c));
    return s;
}

/* The crop of a Y plane with the chroma of a picture. */
static SlbStatus crop_luma(const EvalView *view, const double *luma, const SlbImage *colours,
                           SlbImage *crop, SlbError *err)
{
    int channels = colours_of(colours);
    SlbStatus s = new_crop(view, channels, crop, err);
    for (size_t y = 0; s == SLB_OK && y < view->at.height; y++) {
        unsigned char *row = crop->data + y * crop->stride_bytes;
        for (size_t x = 0; x < view->at.width; x++) {
            size_t px = view->at.x + x, py = view->at.y + y;
            double p[3] = {luma[py * view->width + px]}, ycbcr[3];
            if (channels == 3) {
                slb_rgb_to_ycbcr(cli_sample(colours, px, py, 0), cli_sample(colours, px, py, 1),
                                 cli_sample(colours, px, py, 2), ycbcr);
                ycbcr[0] = p[0];
                slb_ycbcr_to_rgb(ycbcr, p);
            }
            for (int c = 0; c < channels; c++) row[x * (size_t)channels + (size_t)c] = to_u8(p[c]);
        }
    }
    return s;
}

/* Black over red and yellow to white. */
static void heat(double share, unsigned char rgb[3])
{
    for (int c = 0; c < 3; c++) rgb[c] = to_u8((3.0 * share - c) * 255.0);
}

static SlbStatus map_errors(const EvalView *view, const double *truth, const double *luma,
                            SlbImage *map, SlbError *err)
{
    SlbStatus s = new_crop(view, 3, map, err);
    for (size_t y = 0; s == SLB_OK && y < view->at.height; y++) {
        for (size_t x = 0; x < view->at.width; x++) {
            size_t i = (view->at.y + y) * view->width + view->at.x + x;
            heat(fabs(luma[i] - truth[i]) / EVAL_ERROR_FULL,
                 map->data + y * map->stride_bytes + 3 * x);
        }
    }
    return s;
}

/* The whole picture at most OVERVIEW_SIDE pixels wide and high, 8 bits, without alpha. */
static SlbStatus make_overview(EvalView *view, const SlbImage *hr, SlbError *err)
{
    EvalView whole = {.at = {0, 0, view->width, view->height}};
    uint32_t longer = view->width > view->height ? view->width : view->height;
    SlbImage copy = {0};
    SlbStatus s = crop_picture(&whole, hr, longer > OVERVIEW_SIDE ? &copy : &view->overview, err);
    if (s == SLB_OK && longer > OVERVIEW_SIDE)
        s = slb_resize_image(&copy, OVERVIEW_SIDE, longer, SLB_EDGE_MIRROR, &view->overview, err);
    slb_image_free(&copy);
    return s;
}

SlbStatus eval_view_begin(EvalView *view, const SlbImage *hr, const double *truth,
                          const double *bicubic, SlbError *err)
{
    view->width = hr->info.width;
    view->height = hr->info.height;
    SlbStatus s = choose_window(view, truth, bicubic, err);
    if (s == SLB_OK) s = make_overview(view, hr, err);
    return s == SLB_OK ? crop_picture(view, hr, &view->original, err) : s;
}

SlbStatus eval_view_add(const EvalView *view, const double *truth, const double *luma,
                        const SlbImage *colours, bool only_chroma, SlbImage *crop, SlbImage *error,
                        SlbError *err)
{
    SlbStatus s = only_chroma ? crop_luma(view, luma, colours, crop, err)
                              : crop_picture(view, colours, crop, err);
    return s == SLB_OK ? map_errors(view, truth, luma, error, err) : s;
}
