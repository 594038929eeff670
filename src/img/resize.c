#include "img/resize.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "img/image.h"

/* Keys' cubic with a = -0.5. */
static double cubic(double x)
{
    double a = fabs(x), a2 = a * a, a3 = a2 * a;
    if (a <= 1) return 1.5 * a3 - 2.5 * a2 + 1;
    if (a <= 2) return -0.5 * a3 + 2.5 * a2 - 4 * a + 2;
    return 0;
}

static uint32_t edge_index(int64_t i, uint32_t size, SlbEdge edge)
{
    if (edge == SLB_EDGE_REPLICATE) return i < 0 ? 0 : i >= size ? size - 1 : (uint32_t)i;
    int64_t period = 2 * (int64_t)size, m = i % period;
    if (m < 0) m += period;
    return (uint32_t)(m < size ? m : period - 1 - m);
}

/* What an axis is made by. */
typedef struct Making {
    double scale;
    SlbEdge edge;
    uint32_t margin;
    double site; /* where samples lie, in samples from the border on: 0.5 in MATLAB's pictures */
} Making;

/* Fills the weights of output `out`, as MATLAB's imresize computes them (0-based coordinates). */
static void fill_taps(SlbAxis *axis, uint32_t out, const Making *how)
{
    double scale = how->scale;
    double narrow = scale < 1 ? scale : 1; /* shrinking widens the kernel: antialiasing */
    double u = (out + 1) / scale + (1 - how->site) * (1 - 1 / scale);
    double left = floor(u - 4 / narrow / 2), sum = 0;
    uint32_t *index = axis->index + (size_t)out * axis->taps;
    double *weight = axis->weight + (size_t)out * axis->taps;
    for (uint32_t t = 0; t < axis->taps; t++) {
        weight[t] = narrow * cubic(narrow * (u - (left + t)));
        index[t] = edge_index((int64_t)left + t - 1 + how->margin, axis->in_size, how->edge);
        sum += weight[t];
    }
    for (uint32_t t = 0; t < axis->taps; t++) weight[t] /= sum;
}

static int column_is_zero(const SlbAxis *axis, uint32_t tap)
{
    for (uint32_t i = 0; i < axis->out_size; i++)
        if (axis->weight[(size_t)i * axis->taps + tap] != 0) return 0;
    return 1;
}

/* The generous ceil(width) + 2 taps leave columns at the ends that no output needs. */
static void trim_taps(SlbAxis *axis)
{
    uint32_t first = 0, end = axis->taps, old = axis->taps;
    while (end - first > 1 && column_is_zero(axis, end - 1)) end--;
    while (end - first > 1 && column_is_zero(axis, first)) first++;
    axis->taps = end - first;
    for (size_t i = 0; i < axis->out_size; i++) {
        size_t to = i * axis->taps, from = i * old + first;
        memmove(axis->weight + to, axis->weight + from, axis->taps * sizeof *axis->weight);
        memmove(axis->index + to, axis->index + from, axis->taps * sizeof *axis->index);
    }
}

/* Of sizes that no axis is made for it may be more than 2^32. */
static uint64_t most_taps(double scale)
{
    return (uint64_t)ceil(4 / (scale < 1 ? scale : 1)) + 2;
}

uint64_t slb_axis_bytes(uint32_t in_size, uint32_t out_size)
{
    return out_size * most_taps((double)out_size / in_size) * (sizeof(double) + sizeof(uint32_t));
}

/* `in` counts the margins. */
static SlbStatus make_axis(uint32_t in, uint32_t out, const Making *how, SlbAxis *axis,
                           SlbError *err)
{
    *axis = (SlbAxis){in, out, (uint32_t)most_taps(how->scale), NULL, NULL};
    axis->index = slb_alloc(out, axis->taps * sizeof *axis->index);
    axis->weight = slb_alloc(out, axis->taps * sizeof *axis->weight);
    if (!axis->index || !axis->weight) {
        slb_axis_free(axis);
        return slb_fail_memory(err, "the weights of a resize");
    }
    for (uint32_t i = 0; i < axis->out_size; i++) fill_taps(axis, i, how);
    trim_taps(axis);
    return SLB_OK;
}

SlbStatus slb_axis_bicubic(uint32_t in_size, uint32_t numerator, uint32_t denominator, SlbEdge edge,
                           SlbAxis *axis, SlbError *err)
{
    *axis = (SlbAxis){0};
    if (!in_size || !numerator || !denominator)
        return slb_fail(err, SLB_E_USAGE, "a size of %u cannot be scaled by %u/%u", in_size,
                        numerator, denominator);
    uint64_t out = ((uint64_t)in_size * numerator + denominator - 1) / denominator;
    Making how = {(double)numerator / denominator, edge, 0, 0.5};
    if (out > INT32_MAX || 4 / how.scale > 1e8)
        return slb_fail(err, SLB_E_USAGE, "a size of %u scaled by %u/%u is out of range", in_size,
                        numerator, denominator);
    return make_axis(in_size, (uint32_t)out, &how, axis, err);
}

SlbStatus slb_axis_check(uint32_t in_size, uint32_t out_size, SlbError *err)
{
    if (in_size && out_size && in_size <= INT32_MAX && out_size <= INT32_MAX &&
        4.0 * in_size / out_size <= 1e8)
        return SLB_OK;
    return slb_fail(err, SLB_E_USAGE, "a size of %u cannot become %u", in_size, out_size);
}

SlbStatus slb_axis_resize(uint32_t in_size, uint32_t out_size, uint32_t margin, SlbAxis *axis,
                          SlbError *err)
{
    *axis = (SlbAxis){0};
    uint64_t whole = in_size + 2 * (uint64_t)margin;
    SlbStatus s = slb_axis_check(in_size, out_size, err);
    if (s == SLB_OK && whole > INT32_MAX)
        s = slb_fail(err, SLB_E_USAGE, "a size of %u cannot become %u", in_size, out_size);
    if (s != SLB_OK) return s;
    Making how = {(double)out_size / in_size, SLB_EDGE_MIRROR, margin, 0.5};
    return make_axis((uint32_t)whole, out_size, &how, axis, err);
}

SlbStatus slb_axis_sited(uint32_t in_size, uint32_t out_size, double scale, double site,
                         SlbAxis *axis, SlbError *err)
{
    *axis = (SlbAxis){0};
    if (!in_size || !out_size || in_size > INT32_MAX || out_size > INT32_MAX || !(scale > 4e-8))
        return slb_fail(err, SLB_E_USAGE, "a size of %u cannot become %u", in_size, out_size);
    const Making how = {scale, SLB_EDGE_MIRROR, 0, site};
    return make_axis(in_size, out_size, &how, axis, err);
}

uint32_t slb_axis_reach(uint32_t in_size, uint32_t out_size)
{
    double scale = (double)out_size / in_size;
    return (uint32_t)ceil(2 / (scale < 1 ? scale : 1)) + 1;
}

void slb_axis_free(SlbAxis *axis)
{
    slb_free(axis->index);
    slb_free(axis->weight);
    *axis = (SlbAxis){0};
}

void slb_axis_columns(const SlbAxis *cols, const double *in, size_t channels, double *out)
{
    const uint32_t *index = cols->index;
    const double *weight = cols->weight;
    for (uint32_t x = 0; x < cols->out_size; x++, index += cols->taps, weight += cols->taps)
        for (size_t c = 0; c < channels; c++) {
            double sum = 0;
            for (uint32_t t = 0; t < cols->taps; t++)
                sum += weight[t] * in[index[t] * channels + c];
            *out++ = sum;
        }
}

static void add_f64(double *restrict sum, const double *restrict in, double weight, size_t n)
{
    for (size_t i = 0; i < n; i++) sum[i] += weight * in[i];
}

static void add_f32(double *restrict sum, const float *restrict in, double weight, size_t n)
{
    for (size_t i = 0; i < n; i++) sum[i] += weight * (double)in[i];
}

void slb_axis_row_f64(const SlbAxis *rows, uint32_t output, const double *in, uint32_t first,
                      size_t n, double *out)
{
    memset(out, 0, n * sizeof *out);
    for (size_t t = (size_t)output * rows->taps; t < ((size_t)output + 1) * rows->taps; t++)
        add_f64(out, in + (rows->index[t] - first) * n, rows->weight[t], n);
}

void slb_axis_row_f32(const SlbAxis *rows, uint32_t output, const float *in, uint32_t first,
                      size_t n, double *out)
{
    memset(out, 0, n * sizeof *out);
    for (size_t t = (size_t)output * rows->taps; t < ((size_t)output + 1) * rows->taps; t++)
        add_f32(out, in + (rows->index[t] - first) * n, rows->weight[t], n);
}

static void add_u8(double *restrict sum, const uint8_t *restrict in, double weight, size_t n)
{
    for (size_t i = 0; i < n; i++) sum[i] += weight * in[i];
}

static void add_u16(double *restrict sum, const uint16_t *restrict in, double weight, size_t n)
{
    for (size_t i = 0; i < n; i++) sum[i] += weight * in[i];
}

SlbStatus slb_resize_f64(const double *in, const SlbAxis *rows, const SlbAxis *cols, double *out,
                         SlbError *err)
{
    size_t n = cols->in_size;
    double *row = slb_alloc(n, sizeof *row);
    if (!row) return slb_fail_memory(err, "a row of a resize");
    for (uint32_t y = 0; y < rows->out_size; y++) {
        slb_axis_row_f64(rows, y, in, 0, n, row);
        slb_axis_columns(cols, row, 1, out + (size_t)y * cols->out_size);
    }
    slb_free(row);
    return SLB_OK;
}

/* To whole numbers of 0..peak, halves upwards. */
static void round_row(double *row, size_t n, double peak)
{
    for (size_t i = 0; i < n; i++) {
        double v = row[i] < 0 ? 0 : row[i] > peak ? peak : row[i];
        row[i] = (double)(int32_t)(v + 0.5);
    }
}

/* Rows whose last channel is alpha: colours times it, of 0..peak. Those that are opaque stay as
 * they are, to the last bit. */
static void multiply_alpha(double *row, const SlbImageInfo *info, uint32_t width, double peak)
{
    size_t colours = (size_t)info->channels - 1;
    for (uint32_t x = 0; x < width; x++, row += colours + 1)
        for (size_t c = 0; c < colours; c++) row[c] = row[c] * row[colours] / peak;
}

/* Back; what alpha rounds to nothing has no colour. Where it is full but for the last bits of a
 * sum, division would only add to them. */
static void divide_alpha(double *row, const SlbImageInfo *info, uint32_t width, double peak)
{
    size_t colours = (size_t)info->channels - 1;
    for (uint32_t x = 0; x < width; x++, row += colours + 1) {
        double alpha = row[colours];
        if (fabs(alpha - peak) < 1e-9 * peak) continue;
        for (size_t c = 0; c < colours; c++) row[c] = alpha < 0.5 ? 0 : row[c] * peak / alpha;
    }
}

/* One row of the picture. */
static void load_row(const SlbImage *in, uint32_t y, double *row)
{
    size_t n = (size_t)in->info.width * (size_t)in->info.channels;
    const unsigned char *from = in->data + y * in->stride_bytes;
    memset(row, 0, n * sizeof *row);
    if (in->info.depth == 8)
        add_u8(row, from, 1, n);
    else
        add_u16(row, (const uint16_t *)(const void *)from, 1, n);
}

/* The vertical pass where colours go by their alpha; `one` is room for a row. */
static void vertical_alpha(const SlbImage *in, const SlbAxis *rows, uint32_t y, double peak,
                           double *one, double *row)
{
    size_t n = (size_t)in->info.width * (size_t)in->info.channels;
    memset(row, 0, n * sizeof *row);
    for (size_t t = (size_t)y * rows->taps; t < ((size_t)y + 1) * rows->taps; t++) {
        load_row(in, rows->index[t], one);
        multiply_alpha(one, &in->info, in->info.width, peak);
        add_f64(row, one, rows->weight[t], n);
    }
    divide_alpha(row, &in->info, in->info.width, peak);
}

static void vertical(const SlbImage *in, const SlbAxis *rows, uint32_t y, double *row)
{
    size_t n = (size_t)in->info.width * (size_t)in->info.channels;
    memset(row, 0, n * sizeof *row);
    for (size_t t = (size_t)y * rows->taps; t < ((size_t)y + 1) * rows->taps; t++) {
        const unsigned char *from = in->data + rows->index[t] * in->stride_bytes;
        if (in->info.depth == 8)
            add_u8(row, from, rows->weight[t], n);
        else
            add_u16(row, (const uint16_t *)(const void *)from, rows->weight[t], n);
    }
}

static void store_row(SlbImage *out, uint32_t y, const double *row)
{
    size_t n = (size_t)out->info.width * (size_t)out->info.channels;
    unsigned char *to = out->data + y * out->stride_bytes;
    if (out->info.depth == 8)
        for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(int32_t)row[i];
    else
        for (size_t i = 0; i < n; i++) ((uint16_t *)(void *)to)[i] = (uint16_t)(int32_t)row[i];
}

static SlbStatus resize_rows(const SlbImage *in, const SlbAxis *rows, const SlbAxis *cols,
                             bool by_alpha, SlbImage *out, SlbError *err)
{
    const SlbImageInfo *info = &in->info;
    size_t channels = (size_t)info->channels;
    double peak = info->depth == 8 ? 255 : 65535;
    double *wide = slb_alloc(info->width, channels * sizeof *wide);
    double *done = slb_alloc(out->info.width, channels * sizeof *done);
    double *one = by_alpha ? slb_alloc(info->width, channels * sizeof *one) : NULL;
    bool room = wide && done && (one || !by_alpha);
    SlbStatus status = room ? SLB_OK : slb_fail_memory(err, "a row of a resize");
    for (uint32_t y = 0; status == SLB_OK && y < out->info.height; y++) {
        if (by_alpha)
            vertical_alpha(in, rows, y, peak, one, wide);
        else
            vertical(in, rows, y, wide);
        round_row(wide, info->width * channels, peak);
        if (by_alpha) multiply_alpha(wide, info, info->width, peak);
        slb_axis_columns(cols, wide, channels, done);
        if (by_alpha) divide_alpha(done, info, out->info.width, peak);
        round_row(done, out->info.width * channels, peak);
        store_row(out, y, done);
    }
    slb_free(wide);
    slb_free(done);
    slb_free(one);
    return status;
}

static SlbStatus resize(const SlbImage *in, uint32_t numerator, uint32_t denominator, SlbEdge edge,
                        bool by_alpha, SlbImage *out, SlbError *err)
{
    SlbAxis rows = {0}, cols = {0};
    *out = (SlbImage){0};
    SlbStatus status = slb_axis_bicubic(in->info.height, numerator, denominator, edge, &rows, err);
    if (status == SLB_OK)
        status = slb_axis_bicubic(in->info.width, numerator, denominator, edge, &cols, err);
    if (status == SLB_OK) {
        SlbImageInfo info = in->info;
        info.width = cols.out_size;
        info.height = rows.out_size;
        status = slb_image_alloc(out, info, err);
    }
    if (status == SLB_OK) {
        double scale = (double)numerator / denominator;
        SlbMetaChange change = {1, scale, scale, out->info.width, out->info.height};
        status = slb_meta_derive(&in->meta, &change, &out->meta, err);
    }
    if (status == SLB_OK) status = resize_rows(in, &rows, &cols, by_alpha, out, err);
    if (status != SLB_OK) slb_image_free(out);
    slb_axis_free(&rows);
    slb_axis_free(&cols);
    return status;
}

SlbStatus slb_resize_image(const SlbImage *in, uint32_t numerator, uint32_t denominator,
                           SlbEdge edge, SlbImage *out, SlbError *err)
{
    return resize(in, numerator, denominator, edge, false, out, err);
}

SlbStatus slb_resize_visible(const SlbImage *in, uint32_t numerator, uint32_t denominator,
                             SlbEdge edge, SlbImage *out, SlbError *err)
{
    return resize(in, numerator, denominator, edge, in->info.channels % 2 == 0, out, err);
}
