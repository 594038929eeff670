#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/eval.h"
#include "img/codec.h"
#include "img/color.h"
#include "img/metric.h"
#include "img/resize.h"
#include "infer/upscale.h"

static const SlbScore no_score = {NAN, NAN};

/* The network on a bicubic plane 0..255, back into 0..255. */
static SlbStatus run_network(const SlbPlan *plan, const SlbLumaPair *pair, double *plane,
                             SlbError *err)
{
    size_t n = (size_t)pair->width * pair->height;
    float *in = slb_alloc(n, sizeof *in), *out = slb_alloc(n, sizeof *out);
    SlbStatus s = in && out ? SLB_OK : slb_fail_memory(err, "evaluation");
    if (s == SLB_OK) {
        for (size_t i = 0; i < n; i++) in[i] = (float)(pair->bicubic[i] / 255.0);
        s = slb_plan_run(plan, in, out, pair->width, pair->height, NULL, NULL, err);
    }
    if (s == SLB_OK)
        for (size_t i = 0; i < n; i++) plane[i] = (double)out[i] * 255.0;
    slb_free(in);
    slb_free(out);
    return s;
}

static SlbStatus score_vdsr(const EvalJob *job, const SlbImage *hr, const char *path,
                            EvalImage *image, SlbError *err)
{
    SlbLumaPair pair;
    SlbStatus s = slb_luma_pair(hr, job->scale, path, &pair, err);
    if (s != SLB_OK) return s;
    s = slb_luma_score(&pair, pair.bicubic, job->scale, true, &image->bicubic, err);
    if (s == SLB_OK && job->plan) {
        double *plane = slb_alloc((size_t)pair.width * pair.height, sizeof *plane);
        s = plane ? run_network(job->plan, &pair, plane, err) : slb_fail_memory(err, "evaluation");
        if (s == SLB_OK) s = slb_luma_score(&pair, plane, job->scale, true, &image->model, err);
        slb_free(plane);
    }
    slb_luma_pair_free(&pair);
    return s;
}

/* The Y of two pictures of the same size, compared unrounded. */
static SlbStatus score_luma(const SlbImage *a, const SlbImage *b, int scale, SlbScore *score,
                            SlbError *err)
{
    uint32_t width = a->info.width, height = a->info.height, shave = (uint32_t)scale;
    size_t n = (size_t)width * height;
    double *ya = slb_alloc(n, sizeof *ya), *yb = slb_alloc(n, sizeof *yb);
    SlbStatus s = ya && yb ? SLB_OK : slb_fail_memory(err, "evaluation");
    if (s == SLB_OK) {
        slb_luma(a, ya);
        slb_luma(b, yb);
        score->psnr = slb_psnr(ya, yb, width, height, shave);
        s = slb_ssim(ya, yb, width, height, shave, &score->ssim, err);
    }
    slb_free(ya);
    slb_free(yb);
    return s;
}

/* The LR picture that belongs to `path`: "baby.png" or, as DIV2K names them, "babyx2.png" in the folder. */
static SlbStatus load_lr(const EvalJob *job, const char *path, const SlbImage *hr, SlbImage *lr,
                         SlbError *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    int stem = dot ? (int)(dot - name) : (int)strlen(name);
    char file[4096];
    struct stat st;
    snprintf(file, sizeof file, "%s/%.*sx%d%s", job->lr_dir, stem, name, job->scale, name + stem);
    if (stat(file, &st) != 0) snprintf(file, sizeof file, "%s/%s", job->lr_dir, name);
    SlbStatus s = slb_image_load(file, NULL, lr, err);
    if (s != SLB_OK) return s;
    uint32_t n = (uint32_t)job->scale;
    if (lr->info.width * n == hr->info.width && lr->info.height * n == hr->info.height)
        return SLB_OK;
    s = slb_fail(err, SLB_E_INPUT, "%s: %ux%u pixels, but %s at scale %d needs %ux%u", file,
                 lr->info.width, lr->info.height, path, job->scale, hr->info.width / n,
                 hr->info.height / n);
    slb_image_free(lr);
    return s;
}

static SlbStatus score_rgb(const EvalJob *job, SlbImage *hr, const char *path, EvalImage *image,
                           SlbError *err)
{
    uint32_t n = (uint32_t)job->scale;
    SlbImage lr = {0}, up = {0};
    if (hr->info.width < n || hr->info.height < n)
        return slb_fail(err, SLB_E_INPUT, "%s: smaller than the scale, %d", path, job->scale);
    hr->info.width -= hr->info.width % n;
    hr->info.height -= hr->info.height % n;
    SlbStatus s = job->lr_dir ? load_lr(job, path, hr, &lr, err)
                              : slb_resize_image(hr, 1, n, SLB_EDGE_MIRROR, &lr, err);
    if (s == SLB_OK) s = slb_resize_image(&lr, n, 1, SLB_EDGE_MIRROR, &up, err);
    if (s == SLB_OK) s = score_luma(&up, hr, job->scale, &image->bicubic, err);
    slb_image_free(&up);
    if (s == SLB_OK && job->plan) {
        s = slb_upscale(job->plan, &lr, job->scale, NULL, NULL, &up, err);
        if (s == SLB_OK) s = score_luma(&up, hr, job->scale, &image->model, err);
        slb_image_free(&up);
    }
    slb_image_free(&lr);
    return s;
}

SlbStatus eval_image(const EvalJob *job, const char *path, EvalImage *image, SlbError *err)
{
    SlbImage hr = {0};
    SlbStatus s = slb_image_load(path, NULL, &hr, err);
    if (s != SLB_OK) return s;
    image->model = image->bicubic = no_score;
    s = job->protocol == PROTOCOL_RGB ? score_rgb(job, &hr, path, image, err)
                                      : score_vdsr(job, &hr, path, image, err);
    slb_image_free(&hr);
    return s;
}
