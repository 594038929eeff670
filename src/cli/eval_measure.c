#include "cli/eval_measure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/picture.h"
#include "img/codec.h"
#include "img/color.h"
#include "img/metric.h"
#include "img/resize.h"
#include "infer/upscale.h"

/* One picture while it is measured. */
typedef struct Job {
    const EvalModels *models;
    const char *path;
    int scale;
    EvalRow *row;
    EvalView *view; /* NULL: nobody wants to see it */
} Job;

/* -- protocol vdsr: on Y -- */

/* The network's output for the bicubic plane of `pair`, 0..255, in *plane (slb_free). */
static SlbStatus run_on_luma(const SlbPlan *plan, const SlbLumaPair *pair, double **plane,
                             SlbError *err)
{
    size_t n = (size_t)pair->width * pair->height;
    float *in = slb_alloc(n, sizeof *in), *out = slb_alloc(n, sizeof *out);
    *plane = slb_alloc(n, sizeof **plane);
    SlbStatus s = in && out && *plane ? SLB_OK : slb_fail_memory(err, "planes of a picture");
    if (s == SLB_OK) {
        for (size_t i = 0; i < n; i++) in[i] = (float)(pair->bicubic[i] / 255.0);
        s = slb_plan_run(plan, in, out, pair->width, pair->height, NULL, NULL, err);
    }
    if (s == SLB_OK)
        for (size_t i = 0; i < n; i++) (*plane)[i] = (double)out[i] * 255.0;
    slb_free(in);
    slb_free(out);
    return s;
}

/* As slb_luma_score rounds before it scores. */
static void round_plane(double *plane, size_t count)
{
    for (size_t i = 0; i < count; i++)
        plane[i] = plane[i] > 0.0 ? plane[i] < 255.0 ? floor(plane[i] + 0.5) : 255.0 : 0.0;
}

/* The crops of bicubic; *chroma becomes the picture that lends all results their colours. */
static SlbStatus view_bicubic(const Job *job, const SlbImage *hr, const SlbLumaPair *pair,
                              SlbImage *chroma, SlbError *err)
{
    SlbImage small = {0}, crop = *hr; /* a view of what the scale divides */
    uint32_t factor = (uint32_t)job->scale;
    EvalView *view = job->view;
    size_t n = (size_t)pair->width * pair->height;
    double *rounded = slb_alloc(n, sizeof *rounded);
    if (!rounded) return slb_fail_memory(err, "a plane of a picture");
    memcpy(rounded, pair->bicubic, n * sizeof *rounded);
    round_plane(rounded, n);
    crop.info.width = pair->width;
    crop.info.height = pair->height;
    SlbStatus s = slb_resize_image(&crop, 1, factor, SLB_EDGE_MIRROR, &small, err);
    if (s == SLB_OK) s = slb_resize_image(&small, factor, 1, SLB_EDGE_MIRROR, chroma, err);
    if (s == SLB_OK) s = eval_view_begin(view, &crop, pair->truth, rounded, err);
    if (s == SLB_OK)
        s = eval_view_add(view, pair->truth, rounded, chroma, true, &view->bicubic,
                          &view->bicubic_error, err);
    slb_image_free(&small);
    slb_free(rounded);
    return s;
}

static SlbStatus measure_model_vdsr(const Job *job, const SlbLumaPair *pair, const SlbImage *chroma,
                                    int index, SlbError *err)
{
    double *plane = NULL;
    SlbStatus s = run_on_luma(job->models->item[index].plan, pair, &plane, err);
    if (s == SLB_OK)
        s = slb_luma_score(pair, plane, job->scale, true, &job->row->model[index], err);
    if (s == SLB_OK && job->view) {
        round_plane(plane, (size_t)pair->width * pair->height);
        s = eval_view_add(job->view, pair->truth, plane, chroma, true, &job->view->model[index],
                          &job->view->model_error[index], err);
    }
    slb_free(plane);
    return s;
}

static SlbStatus measure_vdsr(const Job *job, const SlbImage *hr, SlbError *err)
{
    SlbLumaPair pair = {0};
    SlbImage chroma = {0};
    SlbStatus s = slb_luma_pair(hr, job->scale, job->path, &pair, err);
    if (s != SLB_OK) return s;
    s = slb_luma_score(&pair, pair.bicubic, job->scale, true, &job->row->bicubic, err);
    if (s == SLB_OK && job->view) s = view_bicubic(job, hr, &pair, &chroma, err);
    for (int i = 0; s == SLB_OK && i < job->models->count; i++)
        s = measure_model_vdsr(job, &pair, &chroma, i, err);
    slb_image_free(&chroma);
    slb_luma_pair_free(&pair);
    return s;
}

/* -- protocol rgb: on 8-bit pictures -- */

/* Scores `image` against the luma of the original. *luma gets its own (slb_free). */
static SlbStatus score_rgb(const double *truth, const SlbImage *image, int scale, SlbScore *score,
                           double **luma, SlbError *err)
{
    uint32_t width = image->info.width, height = image->info.height;
    double *y = *luma = slb_alloc((size_t)width * height, sizeof *y);
    if (!y) return slb_fail_memory(err, "luma of a picture");
    slb_luma(image, y);
    score->psnr = slb_psnr(truth, y, width, height, (uint32_t)scale);
    return slb_ssim(truth, y, width, height, (uint32_t)scale, &score->ssim, err);
}

/* The published small picture that belongs to `path`, which lies in SET/HR or in SET: the file of
 * its name in SET/LR_bicubic/X2, or NAMEx2 as DIV2K has it. `hr` is cropped already. */
static SlbStatus load_lr(const SlbImage *hr, const char *path, int scale, SlbImage *lr,
                         SlbError *err)
{
    char file[4096];
    struct stat st;
    const char *name = cli_base_name(path), *dot = strrchr(name, '.');
    int folder = (int)(name - path), stem = dot ? (int)(dot - name) : (int)strlen(name);
    bool in_hr = folder >= 3 && strncmp(name - 3, "HR/", 3) == 0;
    if (in_hr && (folder == 3 || name[-4] == '/')) folder -= 3;
    snprintf(file, sizeof file, "%.*sLR_bicubic/X%d/%s", folder, path, scale, name);
    if (stat(file, &st) != 0)
        snprintf(file, sizeof file, "%.*sLR_bicubic/X%d/%.*sx%d%s", folder, path, scale, stem, name,
                 scale, name + stem);
    SlbStatus s = slb_image_load(file, NULL, lr, err);
    if (s != SLB_OK) return s;
    uint32_t width = hr->info.width / (uint32_t)scale, height = hr->info.height / (uint32_t)scale;
    bool fits = lr->info.width == width && lr->info.height == height;
    if (fits && (lr->info.channels < 3) == (hr->info.channels < 3)) return SLB_OK;
    if (fits)
        s = slb_fail(err, SLB_E_INPUT,
                     "%s: one of it and %s is grey, the other is not; make both RGB", file, path);
    else
        s = slb_fail(err, SLB_E_INPUT, "%s: %ux%u pixels, where %s at scale %d needs %ux%u", file,
                     lr->info.width, lr->info.height, path, scale, width, height);
    slb_image_free(lr);
    return s;
}

static SlbStatus measure_bicubic_rgb(const Job *job, const SlbImage *hr, const double *truth,
                                     const SlbImage *lr, SlbError *err)
{
    SlbImage out = {0};
    double *luma = NULL;
    EvalView *view = job->view;
    SlbStatus s = slb_resize_image(lr, (uint32_t)job->scale, 1, SLB_EDGE_MIRROR, &out, err);
    if (s == SLB_OK) s = score_rgb(truth, &out, job->scale, &job->row->bicubic, &luma, err);
    if (s == SLB_OK && view) s = eval_view_begin(view, hr, truth, luma, err);
    if (s == SLB_OK && view)
        s = eval_view_add(view, truth, luma, &out, false, &view->bicubic, &view->bicubic_error,
                          err);
    slb_free(luma);
    slb_image_free(&out);
    return s;
}

/* As slb_upscale, but for alpha: the other figures, too, are of the colours as they are stored. */
static SlbStatus upscale_colours(const SlbPlan *plan, const SlbImage *lr, int scale, SlbImage *out,
                                 SlbError *err)
{
    SlbUpscaleOptions options = {.out = lr->info, .factor = scale, .alpha = SLB_ALPHA_DROP};
    SlbStatus s = slb_check_scale(plan, scale, err);
    if (s != SLB_OK) return s;
    options.out.width *= (uint32_t)scale; /* of a picture that was as large: no overflow */
    options.out.height *= (uint32_t)scale;
    options.out.channels = lr->info.channels < 3 ? 1 : 3;
    return slb_upscale_image(plan, lr, &options, false, out, err);
}

static SlbStatus measure_model_rgb(const Job *job, const double *truth, const SlbImage *lr,
                                   int index, SlbError *err)
{
    SlbImage out = {0};
    double *luma = NULL;
    EvalView *view = job->view;
    SlbStatus s = upscale_colours(job->models->item[index].plan, lr, job->scale, &out, err);
    if (s == SLB_OK) s = score_rgb(truth, &out, job->scale, &job->row->model[index], &luma, err);
    if (s == SLB_OK && view)
        s = eval_view_add(view, truth, luma, &out, false, &view->model[index],
                          &view->model_error[index], err);
    slb_free(luma);
    slb_image_free(&out);
    return s;
}

static SlbStatus measure_rgb(const Job *job, SlbImage *hr, bool use_lr, SlbError *err)
{
    SlbImage lr = {0};
    SlbStatus s = cli_crop_to_multiple(hr, job->path, job->scale, err);
    if (s != SLB_OK) return s;
    double *truth = slb_alloc((size_t)hr->info.width * hr->info.height, sizeof *truth);
    if (!truth) return slb_fail_memory(err, "luma of a picture");
    slb_luma(hr, truth);
    s = use_lr ? load_lr(hr, job->path, job->scale, &lr, err)
               : slb_resize_image(hr, 1, (uint32_t)job->scale, SLB_EDGE_MIRROR, &lr, err);
    if (s == SLB_OK) s = measure_bicubic_rgb(job, hr, truth, &lr, err);
    for (int i = 0; s == SLB_OK && i < job->models->count; i++)
        s = measure_model_rgb(job, truth, &lr, i, err);
    slb_image_free(&lr);
    slb_free(truth);
    return s;
}

SlbStatus eval_measure(EvalProtocol protocol, bool lr, const EvalModels *models, const char *path,
                       int scale, EvalRow *row, EvalView *view, SlbError *err)
{
    SlbImage hr = {0};
    Job job = {.models = models, .path = path, .scale = scale, .row = row, .view = view};
    *row = (EvalRow){.name = cli_base_name(path), .bicubic = {NAN, NAN}};
    for (int i = 0; i < EVAL_MODELS; i++) row->model[i] = (SlbScore){NAN, NAN};
    SlbStatus s = slb_image_load(path, NULL, &hr, err);
    if (s != SLB_OK) return s;
    s = protocol == EVAL_RGB ? measure_rgb(&job, &hr, lr, err) : measure_vdsr(&job, &hr, err);
    slb_image_free(&hr);
    return s;
}
