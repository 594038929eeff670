#include "infer/upscale.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "img/color.h"
#include "img/resize.h"

enum {
    MIN_SCALE = 2,
    MAX_SCALE = 4,
    MAX_SIDE = INT32_MAX, /* of the result, pixels */
    PLANES = 4,
};

/* Everything at hand while a picture is made larger. Only the network's input and output are
 * planes of the result's size; the other planes stay small and are enlarged row by row, when a
 * row is put together. */
typedef struct Job {
    const SlbImage *in;
    SlbImage *out;
    int threads;
    int colours;           /* 1: Y; 3: Y, Cb, Cr */
    bool alpha;            /* one plane more */
    double *small[PLANES]; /* of `in`, 0..255 */
    SlbAxis rows, cols;
    float *net_in, *net_out; /* Y / 255 of `out` */
    double *scratch; /* [threads][scratch_count]: a row of `in`, then PLANES rows of `out` */
    size_t scratch_count;
} Job;

static double sample(const unsigned char *row, size_t i, int depth)
{
    if (depth == 8) return row[i];
    uint16_t v;
    memcpy(&v, row + i * sizeof v, sizeof v);
    return v / 257.0;
}

/* To a whole number of 0..255 or 0..65535; what is no number becomes 0. */
static void put_sample(unsigned char *row, size_t i, int depth, double value)
{
    double v = value > 0.0 ? value < 255.0 ? value : 255.0 : 0.0;
    if (depth == 8) {
        row[i] = (unsigned char)floor(v + 0.5);
        return;
    }
    uint16_t wide = (uint16_t)floor(v * 257.0 + 0.5);
    memcpy(row + i * sizeof wide, &wide, sizeof wide);
}

/* One row of the picture into the small planes. */
static void split_row(const Job *job, uint32_t y)
{
    const SlbImageInfo *info = &job->in->info;
    const unsigned char *row = job->in->data + y * job->in->stride_bytes;
    size_t channels = (size_t)info->channels;
    for (size_t x = 0; x < info->width; x++) {
        size_t at = (size_t)y * info->width + x, i = x * channels;
        double p[3] = {sample(row, i, info->depth)};
        if (job->colours == 3)
            slb_rgb_to_ycbcr(p[0], sample(row, i + 1, info->depth), sample(row, i + 2, info->depth),
                             p);
        for (int c = 0; c < job->colours; c++) job->small[c][at] = p[c];
        if (job->alpha) job->small[job->colours][at] = sample(row, i + channels - 1, info->depth);
    }
}

/* Row y of the result from a small plane: rows first, as in img/resize.h. `wide` is a row of the
 * input. */
static void enlarge_row(const Job *job, const double *plane, uint32_t y, double *wide, double *out)
{
    const SlbAxis *r = &job->rows, *c = &job->cols;
    memset(wide, 0, c->in_size * sizeof *wide);
    for (size_t t = (size_t)y * r->taps; t < ((size_t)y + 1) * r->taps; t++) {
        const double *from = plane + (size_t)r->index[t] * c->in_size;
        for (size_t x = 0; x < c->in_size; x++) wide[x] += r->weight[t] * from[x];
    }
    for (size_t x = 0, k = 0; x < c->out_size; x++) {
        double sum = 0.0;
        for (uint32_t t = 0; t < c->taps; t++, k++) sum += c->weight[k] * wide[c->index[k]];
        out[x] = sum;
    }
}

static double *own_scratch(const Job *job)
{
    return job->scratch + (size_t)omp_get_thread_num() * job->scratch_count;
}

static void input_row(const Job *job, uint32_t y)
{
    double *wide = own_scratch(job), *row = wide + job->cols.in_size;
    float *to = job->net_in + (size_t)y * job->cols.out_size;
    enlarge_row(job, job->small[0], y, wide, row);
    for (size_t x = 0; x < job->cols.out_size; x++) to[x] = (float)(row[x] / 255.0);
}

/* Row y of the result: Y from the network, the rest enlarged here. */
static void output_row(const Job *job, uint32_t y)
{
    const SlbImageInfo *info = &job->out->info;
    size_t width = info->width, channels = (size_t)info->channels;
    double *wide = own_scratch(job), *plane[PLANES];
    for (int c = 0; c < PLANES; c++) plane[c] = wide + job->cols.in_size + (size_t)c * width;
    for (int c = 1; c < job->colours + job->alpha; c++)
        enlarge_row(job, job->small[c], y, wide, plane[c]);
    unsigned char *row = job->out->data + y * job->out->stride_bytes;
    const float *net = job->net_out + y * width;
    for (size_t x = 0; x < width; x++) {
        double p[3] = {(double)net[x] * 255.0};
        if (job->colours == 3) {
            const double ycbcr[3] = {p[0], plane[1][x], plane[2][x]};
            slb_ycbcr_to_rgb(ycbcr, p);
        }
        for (size_t c = 0; c < (size_t)job->colours; c++)
            put_sample(row, x * channels + c, info->depth, p[c]);
        if (job->alpha)
            put_sample(row, x * channels + channels - 1, info->depth, plane[job->colours][x]);
    }
}

static void each_row(const Job *job, uint32_t rows, void (*work)(const Job *job, uint32_t y))
{
#pragma omp parallel for schedule(static) num_threads(job->threads)
    for (uint32_t y = 0; y < rows; y++) work(job, y);
}

static SlbStatus allocate(Job *job, SlbImageInfo info, SlbError *err)
{
    const SlbImageInfo *small = &job->in->info;
    size_t pixels = (size_t)info.width * info.height;
    bool ok = true;
    for (int c = 0; c < job->colours + job->alpha; c++) {
        job->small[c] = slb_alloc((size_t)small->width * small->height, sizeof **job->small);
        ok = ok && job->small[c];
    }
    job->net_in = slb_alloc(pixels, sizeof *job->net_in);
    job->net_out = slb_alloc(pixels, sizeof *job->net_out);
    job->scratch_count = small->width + PLANES * (size_t)info.width;
    job->scratch = slb_alloc((size_t)job->threads, job->scratch_count * sizeof *job->scratch);
    if (!ok || !job->net_in || !job->net_out || !job->scratch)
        return slb_fail_memory(err, "the planes of a picture");
    SlbStatus s = slb_image_alloc(job->out, info, err);
    double scale = (double)info.width / small->width;
    SlbMetaChange change = {1, scale, scale, info.width, info.height};
    return s == SLB_OK ? slb_meta_derive(&job->in->meta, &change, &job->out->meta, err) : s;
}

static SlbStatus prepare(Job *job, uint32_t scale, SlbError *err)
{
    SlbImageInfo info = job->in->info;
    if (info.width > MAX_SIDE / scale || info.height > MAX_SIDE / scale)
        return slb_fail(err, SLB_E_INPUT, "%u x %u pixels times %u are too many; cut the picture",
                        info.width, info.height, scale);
    SlbStatus s = slb_axis_bicubic(info.height, scale, 1, SLB_EDGE_MIRROR, &job->rows, err);
    if (s == SLB_OK) s = slb_axis_bicubic(info.width, scale, 1, SLB_EDGE_MIRROR, &job->cols, err);
    info.width *= scale;
    info.height *= scale;
    return s == SLB_OK ? allocate(job, info, err) : s;
}

static void release(Job *job)
{
    for (int c = 0; c < PLANES; c++) slb_free(job->small[c]);
    slb_free(job->net_in);
    slb_free(job->net_out);
    slb_free(job->scratch);
    slb_axis_free(&job->rows);
    slb_axis_free(&job->cols);
}

SlbStatus slb_upscale(const SlbPlan *plan, const SlbImage *in, int scale, SlbProgress progress,
                      void *user, SlbImage *out, SlbError *err)
{
    *out = (SlbImage){0};
    if (scale < MIN_SCALE || scale > MAX_SCALE)
        return slb_fail(err, SLB_E_USAGE, "a scale of %d: there are 2, 3 and 4", scale);
    if (slb_plan_scale(plan) != 1)
        return slb_fail(err, SLB_E_MODEL,
                        "networks that enlarge by themselves do not run on pictures yet");
    Job job = {.in = in,
               .out = out,
               .threads = slb_plan_threads(plan),
               .colours = in->info.channels < 3 ? 1 : 3,
               .alpha = in->info.channels % 2 == 0};
    SlbStatus s = prepare(&job, (uint32_t)scale, err);
    if (s == SLB_OK) {
        each_row(&job, in->info.height, split_row);
        each_row(&job, out->info.height, input_row);
        s = slb_plan_run(plan, job.net_in, job.net_out, out->info.width, out->info.height, progress,
                         user, err);
    }
    if (s == SLB_OK) each_row(&job, out->info.height, output_row);
    release(&job);
    if (s != SLB_OK) slb_image_free(out);
    return s;
}
