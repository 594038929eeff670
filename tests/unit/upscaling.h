/* Small networks, and pictures made larger by them: by a plain reckoning over the whole picture,
 * and by rows in and rows out. */
#ifndef SLBSR_TESTS_UNIT_UPSCALING_H
#define SLBSR_TESTS_UNIT_UPSCALING_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "img/color.h"
#include "img/exif.h"
#include "img/resize.h"
#include "infer/upscale.h"
#include "unit/picture.h"

/* A network behind bicubic that sees 3 pixels to each side; two on the picture itself, of which one
 * is on RGB. */
static const char bicubic_net[] = "input y bicubic\nconv 5 3x3 full relu\nconv 4 3x3 full relu\n"
                                  "conv 1 3x3 full\nadd input\n";
static const char y_net[] = "input y\nconv 6 3x3 full relu\nconv 4 3x3 full\nshuffle 2\n";
static const char rgb_net[] = "input rgb\nconv 8 3x3 full relu\nconv 27 3x3 full\nshuffle 3\n";

static inline SlbPlan *make_plan(const char *net, int threads)
{
    SlbError err = {0};
    SlbGraph *graph;
    SlbModel *model;
    SlbPlan *plan;
    SlbPlanOptions options = {.level = SLB_CPU_C, .threads = threads};
    assert_ok(slb_graph_parse(net, strlen(net), "t", &graph, &err), &err);
    assert_ok(slb_model_create(graph, 32, &model, &err), &err);
    uint32_t seed = 9;
    for (int i = 0; i < graph->conv_count; i++) {
        SlbConvParams *c = &model->conv[i];
        int n = c->in_channels * c->out_channels * c->kernel * c->kernel;
        float gain = 1.0f / (float)(c->in_channels * c->kernel * c->kernel);
        for (int k = 0; k < n; k++)
            c->weight[k] = gain * ((float)(next_random(&seed) % 2001) / 1000.0f - 0.6f);
        for (int k = 0; k < c->out_channels; k++)
            c->bias[k] = (float)(next_random(&seed) % 100) / 500.0f;
    }
    assert_ok(slb_plan_create(model, &options, &plan, &err), &err);
    slb_model_free(model);
    slb_graph_free(graph);
    return plan;
}

/* More than the networks here see. */
enum { BEYOND = 12 };

static inline uint32_t mirrored(uint32_t at, uint32_t size)
{
    uint32_t i = (at + 2 * size * BEYOND - BEYOND) % (2 * size);
    return i < size ? i : 2 * size - 1 - i;
}

/* A picture with its mirror image around it, BEYOND pixels wide. */
static inline SlbImage continued(const SlbImage *in)
{
    SlbError err = {0};
    SlbImage out = {0};
    SlbImageInfo info = in->info;
    size_t pixel = slb_row_bytes(&info) / info.width;
    info.width += 2 * BEYOND;
    info.height += 2 * BEYOND;
    assert_ok(slb_image_alloc(&out, info, &err), &err);
    for (uint32_t y = 0; y < info.height; y++)
        for (uint32_t x = 0; x < info.width; x++)
            memcpy(out.data + y * out.stride_bytes + x * pixel,
                   in->data + mirrored(y, in->info.height) * in->stride_bytes +
                       mirrored(x, in->info.width) * pixel,
                   pixel);
    return out;
}

/* The picture without `margin` pixels at each side. */
static inline SlbImage cropped(const SlbImage *in, uint32_t margin)
{
    SlbError err = {0};
    SlbImage out = {0};
    SlbImageInfo info = in->info;
    size_t pixel = slb_row_bytes(&info) / info.width;
    info.width -= 2 * margin;
    info.height -= 2 * margin;
    assert_ok(slb_image_alloc(&out, info, &err), &err);
    for (uint32_t y = 0; y < info.height; y++)
        memcpy(out.data + y * out.stride_bytes,
               in->data + (y + margin) * in->stride_bytes + margin * pixel, info.width * pixel);
    return out;
}

/* What a picture without alpha becomes, put together from the parts of the library that work on
 * whole planes: bicubic, network, bicubic. For networks behind bicubic, times `scale`. */
static inline SlbImage reckon(const SlbPlan *plan, const SlbImage *picture, uint32_t scale)
{
    SlbError err = {0};
    SlbAxis rows, cols;
    SlbImage out = {0}, wide = continued(picture), *in = &wide;
    SlbImageInfo info = in->info;
    int colours = info.channels;
    size_t small = (size_t)info.width * info.height, n = small * scale * scale;
    double *p[3], *plane[3];
    float *net = slb_alloc(2 * n, sizeof *net);
    assert_ok(slb_axis_bicubic(info.height, scale, 1, SLB_EDGE_MIRROR, &rows, &err), &err);
    assert_ok(slb_axis_bicubic(info.width, scale, 1, SLB_EDGE_MIRROR, &cols, &err), &err);
    for (int c = 0; c < colours; c++) {
        p[c] = slb_alloc(small, sizeof **p);
        plane[c] = slb_alloc(n, sizeof **plane);
    }
    double unit = info.depth == 8 ? 1.0 : 257.0;
    for (uint32_t i = 0; i < small; i++) {
        double v[3];
        for (int c = 0; c < colours; c++)
            v[c] = sample_of(in, i % info.width, i / info.width, c) / unit;
        if (colours == 3) slb_rgb_to_ycbcr(v[0], v[1], v[2], v);
        for (int c = 0; c < colours; c++) p[c][i] = v[c];
    }
    for (int c = 0; c < colours; c++)
        assert_ok(slb_resize_f64(p[c], &rows, &cols, plane[c], &err), &err);
    info.width *= scale;
    info.height *= scale;
    for (size_t i = 0; i < n; i++) net[i] = (float)(plane[0][i] / 255.0);
    assert_ok(slb_plan_run(plan, net, net + n, info.width, info.height, NULL, NULL, &err), &err);
    assert_ok(slb_image_alloc(&out, info, &err), &err);
    for (size_t i = 0; i < n; i++) {
        double v[3] = {(double)net[n + i] * 255.0};
        if (colours == 3) slb_ycbcr_to_rgb((const double[3]){v[0], plane[1][i], plane[2][i]}, v);
        for (int c = 0; c < colours; c++) {
            double q = floor(fmin(fmax(v[c], 0.0), 255.0) * unit + 0.5);
            if (info.depth == 8)
                out.data[i * (size_t)colours + (size_t)c] = (unsigned char)q;
            else
                ((uint16_t *)(void *)out.data)[i * (size_t)colours + (size_t)c] = (uint16_t)q;
        }
    }
    for (int c = 0; c < colours; c++) {
        slb_free(p[c]);
        slb_free(plane[c]);
    }
    slb_free(net);
    slb_axis_free(&rows);
    slb_axis_free(&cols);
    SlbImage middle = cropped(&out, BEYOND * scale);
    slb_image_free(&out);
    slb_image_free(&wide);
    return middle;
}

/* Through an upscaler, in pieces of at most `piece` rows. */
static inline SlbImage stream(const SlbPlan *plan, const SlbImage *in,
                              const SlbUpscaleOptions *options, uint32_t piece)
{
    SlbError err = {0};
    SlbUpscaler *up;
    SlbImage out = {0};
    assert_ok(slb_image_alloc(&out, options->out, &err), &err);
    assert_ok(slb_upscaler_create(plan, &in->info, options, &up, &err), &err);
    for (uint32_t row = 0;;) {
        uint32_t wants = slb_upscaler_wants(up), ready = slb_upscaler_ready(up);
        assert_false(wants && ready);
        uint32_t next = slb_upscaler_next_row(up), n = wants ? wants : ready;
        if (!n) break;
        if (n > piece) n = piece;
        if (wants) {
            if (n > in->info.height - next) n = in->info.height - next;
            slb_upscaler_push(up, in->data + next * in->stride_bytes, in->stride_bytes, n);
            continue;
        }
        assert_ok(
            slb_upscaler_pull(up, out.data + row * out.stride_bytes, out.stride_bytes, n, &err),
            &err);
        row += n;
        if (row == options->out.height) assert_int_equal(slb_upscaler_ready(up), 0);
    }
    slb_upscaler_free(up);
    return out;
}

static inline SlbUpscaleOptions to_size(const SlbImage *in, uint32_t width, uint32_t height)
{
    SlbUpscaleOptions options = {.out = in->info};
    options.out.width = width;
    options.out.height = height;
    return options;
}

#endif
