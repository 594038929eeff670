/* One row at a time: samples to planes, planes to what the network reads, planes and the network's
 * result to samples. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "img/color.h"
#include "infer/upscaler_state.h"

static double sample(const unsigned char *row, size_t i, int depth)
{
    if (depth == 8) return row[i];
    uint16_t v;
    memcpy(&v, row + i * sizeof v, sizeof v);
    return v / 257.0;
}

static double clip(double v, double high)
{
    return v > 0.0 ? v < high ? v : high : 0.0; /* what is no number becomes 0 */
}

/* To a whole number of 0..255 or 0..65535. */
static unsigned quantize(int depth, double value)
{
    double v = clip(value, 255.0);
    return (unsigned)floor((depth == 8 ? v : v * 257.0) + 0.5);
}

static void put(unsigned char *row, size_t i, int depth, unsigned value)
{
    uint16_t wide = (uint16_t)value;
    if (depth == 8)
        row[i] = (unsigned char)value;
    else
        memcpy(row + i * sizeof wide, &wide, sizeof wide);
}

/* ---- In ---- */

/* The numbers of one pixel. */
static void split_pixel(const SlbUpscaler *up, const unsigned char *row, size_t x, double *p)
{
    int channels = up->in.channels, depth = up->in.depth;
    size_t i = x * (size_t)channels;
    for (int c = 0; c < up->colours; c++) p[c] = sample(row, i + (size_t)c, depth);
    if (up->alpha) p[up->colours] = sample(row, i + (size_t)channels - 1, depth);
    if (up->premultiplied)
        for (int c = 0; c < up->colours; c++) p[c] = p[c] * p[up->colours] / 255.0;
    if (up->ycbcr) slb_rgb_to_ycbcr(p[0], p[1], p[2], p);
}

/* One row of the picture into the planes, with what stands beyond its ends. */
static void split_row(const SlbUpscaler *up, const unsigned char *row, size_t at)
{
    size_t width = up->in.width, margin = up->margin_x;
    for (size_t x = 0; x < width; x++) {
        double p[SLB_PLANES];
        split_pixel(up, row, x, p);
        for (int c = 0; c < up->planes; c++) up->plane[c][at + margin + x] = p[c];
    }
    for (int c = 0; c < up->planes && margin; c++) {
        double *whole = up->plane[c] + at, *middle = whole + margin;
        bool wrap = up->options.wrap & SLB_WRAP_X;
        for (size_t k = 0; k < margin; k++) {
            size_t other = k % width, mirror = slb_mirrored((int64_t)k, up->in.width);
            whole[margin - 1 - k] = middle[wrap ? width - 1 - other : mirror];
            middle[width + k] = middle[wrap ? other : width - 1 - mirror];
        }
    }
}

void slb_upscaler_store(SlbUpscaler *up, const unsigned char *rows, size_t stride_bytes,
                        uint32_t count)
{
    uint32_t skipped = up->pushed < up->first ? up->first - up->pushed : 0;
    int team = slb_upscaler_team(up, (uint64_t)count * up->width);
#pragma omp parallel for schedule(static) num_threads(team)
    for (uint32_t i = skipped < count ? skipped : count; i < count; i++)
        split_row(up, rows + i * stride_bytes, (size_t)(up->pushed + i - up->first) * up->width);
    up->pushed += count;
}

/* ---- The network ---- */

static double *own_scratch(const SlbUpscaler *up)
{
    return up->scratch + (size_t)omp_get_thread_num() * up->scratch_count;
}

/* Numbers of the longest row that is neither of the picture's samples nor of the result's. */
static size_t longest(const SlbUpscaler *up)
{
    size_t n = up->width;
    if (up->plan && up->net_in_w > n) n = up->net_in_w;
    size_t net = up->plan ? (size_t)up->net_out_w * (size_t)slb_plan_channels(up->plan) : 0;
    return net > n ? net : n;
}

size_t slb_upscaler_scratch(const SlbUpscaler *up)
{
    size_t line = up->plan ? (size_t)slb_plan_channels(up->plan) : 0;
    size_t out = (SLB_PLANES + line) * up->options.out.width;
    return longest(up) + (out > up->net_in_w ? out : up->net_in_w);
}

void slb_upscaler_net_row(const SlbUpscaler *up, const Pass *pass, uint32_t y, float *row)
{
    double *wide = own_scratch(up), *line = wide + longest(up);
    size_t channels = (size_t)slb_plan_channels(up->plan);
    for (size_t c = 0; c < channels; c++) {
        const double *plane = up->plane[pass->first + (pass->planes > 1 ? (int)c : 0)];
        const double *from = NULL;
        if (!up->enlarged) {
            from = plane + ((size_t)slb_upscaler_source_row(up, y) - up->first) * up->width;
        } else {
            slb_axis_row_f64(&up->enlarge_rows, y, plane, up->first, up->width, wide);
            slb_axis_columns(&up->enlarge_cols, wide, 1, line);
            from = line;
        }
        for (size_t x = 0; x < up->net_in_w; x++) row[x * channels + c] = (float)(from[x] / 255.0);
    }
}

/* Row y of the result as the network has it, into pass->planes planes. */
static void network_row(const SlbUpscaler *up, int index, uint32_t y, double *wide, double *line,
                        double *const *plane)
{
    const Pass *pass = &up->pass[index];
    size_t width = up->options.out.width, channels = (size_t)slb_plan_channels(up->plan);
    size_t margin = (size_t)up->margin_x * (size_t)up->factor, n = up->net_out_w * channels;
    if (up->exact) {
        uint32_t from = y + up->margin_y * (uint32_t)up->factor - up->net_held.first;
        const float *net = up->net_out[index] + from * n + margin * channels;
        for (size_t i = 0; i < width * channels; i++) line[i] = (double)net[i];
    } else {
        slb_axis_row_f32(&up->net_rows, y, up->net_out[index], up->net_held.first, n, wide);
        slb_axis_columns(&up->net_cols, wide, channels, line);
    }
    for (size_t x = 0; x < width; x++) {
        const double *p = line + x * channels;
        if (pass->planes == 1 && channels == 3)
            plane[pass->first][x] = (p[0] + p[1] + p[2]) / 3.0 * 255.0;
        else
            for (size_t c = 0; c < channels; c++) plane[pass->first + (int)c][x] = p[c] * 255.0;
    }
}

/* ---- Out ---- */

/* Colours of one pixel that were times alpha `a` (0..255): without it. */
static void divide(const SlbUpscaler *up, double a, double *p)
{
    a = clip(a, 255.0);
    for (int c = 0; c < up->colours; c++)
        p[c] = quantize(up->options.out.depth, a) ? p[c] * 255.0 / a : 0.0;
}

/* Likewise: put on the background, which makes colours of grey where the result has them. */
static void ground(const SlbUpscaler *up, double a, double *p)
{
    const uint8_t *b = up->options.background;
    int channels = up->options.out.channels;
    a = clip(a, 255.0);
    if (channels > up->colours) p[1] = p[2] = p[0];
    for (int c = 0; c < channels; c++) {
        double under = channels == 3 ? b[c] : slb_background_grey(b);
        p[c] = clip(p[c], a) + under * (255.0 - a) / 255.0;
    }
}

static void join_pixel(const SlbUpscaler *up, double *const *plane, size_t x, unsigned char *row)
{
    const SlbImageInfo *out = &up->options.out;
    double p[SLB_PLANES], alpha = up->alpha ? plane[up->colours][x] : 255.0;
    for (int c = 0; c < up->colours; c++) p[c] = plane[c][x];
    if (up->ycbcr) slb_ycbcr_to_rgb((const double[3]){p[0], p[1], p[2]}, p);
    if (up->grounded)
        ground(up, alpha, p);
    else if (up->premultiplied)
        divide(up, alpha, p);
    if (up->alpha && !up->grounded) p[up->colours] = alpha;
    for (int c = 0; c < out->channels; c++)
        put(row, x * (size_t)out->channels + (size_t)c, out->depth, quantize(out->depth, p[c]));
}

void slb_upscaler_out_row(const SlbUpscaler *up, uint32_t y, unsigned char *row)
{
    size_t width = up->options.out.width;
    double *wide = own_scratch(up), *line = wide + longest(up), *plane[SLB_PLANES];
    for (size_t c = 0; c < SLB_PLANES; c++) plane[c] = line + c * width;
    for (int c = 0; c < up->planes; c++) {
        if (up->by_network[c]) continue;
        slb_axis_row_f64(&up->rows, y, up->plane[c], up->first, up->width, wide);
        slb_axis_columns(&up->cols, wide, 1, plane[c]);
    }
    for (int i = 0; i < up->passes; i++)
        network_row(up, i, y, wide, line + SLB_PLANES * width, plane);
    for (size_t x = 0; x < width; x++) join_pixel(up, plane, x, row);
}
