/* slbsr eval: PSNR and SSIM over sets of pictures. cmd_eval.c measures, eval_report.c writes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/eval_report.h"
#include "cli/model_choice.h"
#include "cli/picture.h"
#include "cli/progress.h"
#include "img/codec.h"
#include "img/color.h"
#include "img/metric.h"
#include "img/protocol.h"
#include "img/resize.h"
#include "infer/upscale.h"

typedef struct Settings {
    ModelChoice choice;
    TextList data;
    IntList scale;
    int protocol; /* a Protocol */
    bool lr, json;
} Settings;

typedef enum Protocol { PROTOCOL_VDSR, PROTOCOL_RGB } Protocol;

static const Option options[] = {
    {'d', "data", OPTION_TEXTS, offsetof(Settings, data), "DIR", NULL, 0, 0, NULL, true,
     "a folder of pictures, or of a set with its pictures in HR/; may be repeated"},
    {'s', "scale", OPTION_INTS, offsetof(Settings, scale), "LIST", "2|3|4", 0, 0, "2,3,4", false,
     "factors, separated by commas"},
    MODEL_CHOICE_OPTIONS(Settings, "; without --bits and --model: bicubic alone"),
    {'p', "protocol", OPTION_CHOICE, offsetof(Settings, protocol), NULL, "vdsr|rgb", 0, 0, "vdsr",
     false, "what the network gets and what is compared, see above"},
    {0, "lr", OPTION_FLAG, offsetof(Settings, lr), NULL, NULL, 0, 0, NULL, false,
     "with rgb: take the small pictures from LR_bicubic/X2 (X3, X4) beside HR"},
    {0, "json", OPTION_FLAG, offsetof(Settings, json), NULL, NULL, 0, 0, NULL, false,
     "write JSON instead of a table"},
    {0},
};

/* The network of one scale. */
typedef struct Network {
    const char *name; /* NULL: bicubic alone; the rest is NULL and false then */
    SlbModel *model;
    SlbPlan *plan;
    bool packed; /* it runs on the integer kernels */
} Network;

/* One evaluation run. */
typedef struct Eval {
    const Settings *set;
    const Network *networks; /* [set->scale.count] */
    const SlbPlan *plan;     /* of the scale at hand; NULL: bicubic alone */
    EvalReport *report;
    Progress progress;
    size_t done, total; /* pictures, every scale counted */
} Eval;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

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

static SlbStatus measure_vdsr(const Eval *eval, const SlbImage *hr, const char *path, int scale,
                              EvalRow *row, SlbError *err)
{
    SlbLumaPair pair = {0};
    double *plane = NULL;
    SlbStatus s = slb_luma_pair(hr, scale, path, &pair, err);
    if (s != SLB_OK) return s;
    s = slb_luma_score(&pair, pair.bicubic, scale, true, &row->bicubic, err);
    if (s == SLB_OK && eval->plan) {
        s = run_on_luma(eval->plan, &pair, &plane, err);
        if (s == SLB_OK) s = slb_luma_score(&pair, plane, scale, true, &row->model, err);
    }
    slb_free(plane);
    slb_luma_pair_free(&pair);
    return s;
}

/* Scores `image` against the luma of the original. */
static SlbStatus score_rgb(const double *truth, const SlbImage *image, int scale, SlbScore *score,
                           SlbError *err)
{
    uint32_t width = image->info.width, height = image->info.height;
    double *y = slb_alloc((size_t)width * height, sizeof *y);
    if (!y) return slb_fail_memory(err, "luma of a picture");
    slb_luma(image, y);
    score->psnr = slb_psnr(truth, y, width, height, (uint32_t)scale);
    SlbStatus s = slb_ssim(truth, y, width, height, (uint32_t)scale, &score->ssim, err);
    slb_free(y);
    return s;
}

/* The published small picture that belongs to `path`, which lies in SET/HR or in SET: the file of
 * its name in SET/LR_bicubic/X2, or NAMEx2 as DIV2K has it. `hr` is cropped already. */
static SlbStatus load_lr(const SlbImage *hr, const char *path, int scale, SlbImage *lr,
                         SlbError *err)
{
    char file[4096];
    struct stat st;
    const char *name = base_name(path), *dot = strrchr(name, '.');
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
    if (lr->info.width == width && lr->info.height == height) return SLB_OK;
    s = slb_fail(err, SLB_E_INPUT, "%s: %ux%u pixels, where %s at scale %d needs %ux%u", file,
                 lr->info.width, lr->info.height, path, scale, width, height);
    slb_image_free(lr);
    return s;
}

static SlbStatus measure_rgb(const Eval *eval, SlbImage *hr, const char *path, int scale,
                             EvalRow *row, SlbError *err)
{
    SlbImage lr = {0}, bicubic = {0}, out = {0};
    uint32_t factor = (uint32_t)scale;
    SlbStatus s = cli_crop_to_multiple(hr, path, scale, err);
    if (s != SLB_OK) return s;
    double *truth = slb_alloc((size_t)hr->info.width * hr->info.height, sizeof *truth);
    if (!truth) return slb_fail_memory(err, "luma of a picture");
    slb_luma(hr, truth);
    s = eval->set->lr ? load_lr(hr, path, scale, &lr, err)
                      : slb_resize_image(hr, 1, factor, SLB_EDGE_MIRROR, &lr, err);
    if (s == SLB_OK) s = slb_resize_image(&lr, factor, 1, SLB_EDGE_MIRROR, &bicubic, err);
    if (s == SLB_OK) s = score_rgb(truth, &bicubic, scale, &row->bicubic, err);
    if (s == SLB_OK && eval->plan) {
        s = slb_upscale(eval->plan, &lr, scale, NULL, NULL, &out, err);
        if (s == SLB_OK) s = score_rgb(truth, &out, scale, &row->model, err);
    }
    slb_image_free(&out);
    slb_image_free(&bicubic);
    slb_image_free(&lr);
    slb_free(truth);
    return s;
}

static SlbStatus measure(const Eval *eval, const char *path, int scale, EvalRow *row, SlbError *err)
{
    SlbImage hr = {0};
    *row = (EvalRow){.name = base_name(path), .model = {NAN, NAN}, .bicubic = {NAN, NAN}};
    SlbStatus s = slb_image_load(path, NULL, &hr, err);
    if (s != SLB_OK) return s;
    s = eval->set->protocol == PROTOCOL_RGB ? measure_rgb(eval, &hr, path, scale, row, err)
                                            : measure_vdsr(eval, &hr, path, scale, row, err);
    slb_image_free(&hr);
    return s;
}

/* The pictures of one set. */
typedef struct PictureSet {
    char *folder; /* as given, without slashes at its end */
    const char *name;
    char **paths;
    size_t count;
} PictureSet;

static void close_set(PictureSet *set)
{
    slb_free_names(set->paths, set->count);
    free(set->folder);
    *set = (PictureSet){0};
}

/* Lists folder/HR where there is such a folder, else the folder itself. "Set5/HR" is "Set5" too. */
static SlbStatus open_set(const char *folder, PictureSet *set, SlbError *err)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') length--;
    if (length > 3 && strncmp(folder + length - 3, "/HR", 3) == 0) length -= 3;
    *set = (PictureSet){.folder = strndup(folder, length)};
    char *inner = malloc(length + sizeof "/HR");
    struct stat st;
    if (!set->folder || !inner) {
        free(inner);
        close_set(set);
        return slb_fail_memory(err, folder);
    }
    set->name = base_name(set->folder);
    memcpy(inner, folder, length);
    memcpy(inner + length, "/HR", sizeof "/HR");
    bool nested = stat(inner, &st) == 0 && S_ISDIR(st.st_mode);
    SlbStatus s = slb_list_folder(nested ? inner : set->folder, slb_read_extensions, &set->paths,
                                  &set->count, err);
    if (s == SLB_OK && set->count == 0)
        s = slb_fail(err, SLB_E_INPUT, "%s: no pictures in this folder; it needs files named *.%s",
                     nested ? inner : folder, slb_read_extensions);
    free(inner);
    if (s != SLB_OK) close_set(set);
    return s;
}

static void show_progress(Eval *eval)
{
    progress_update(&eval->progress, eval->done, eval->total);
}

/* A damaged picture is told and left out; anything else that fails ends the run. */
static SlbStatus eval_set(Eval *eval, const PictureSet *set, int scale, SlbError *err)
{
    SlbStatus s = eval_report_begin(eval->report, set->name, scale, err);
    for (size_t i = 0; s == SLB_OK && i < set->count; i++) {
        EvalRow row;
        show_progress(eval);
        s = measure(eval, set->paths[i], scale, &row, err);
        progress_end(&eval->progress);
        eval->done++;
        if (s == SLB_OK) {
            s = eval_report_row(eval->report, &row, err);
        } else if (s == SLB_E_INPUT) {
            fprintf(stderr, "slbsr: %s\n", err->message);
            eval->report->failed++;
            s = SLB_OK;
        }
    }
    return s == SLB_OK ? eval_report_end(eval->report, err) : s;
}

static SlbStatus eval_all(Eval *eval, const PictureSet *sets, SlbError *err)
{
    const Settings *set = eval->set;
    for (int i = 0; i < set->data.count; i++)
        eval->total += sets[i].count * (size_t)set->scale.count;
    progress_start(&eval->progress, "evaluating");
    for (int i = 0; i < set->data.count; i++) {
        for (int j = 0; j < set->scale.count; j++) {
            const Network *network = &eval->networks[j];
            eval->plan = network->plan;
            eval->report->model = network->name;
            eval->report->packed = network->packed;
            SlbStatus s = eval_set(eval, &sets[i], set->scale.item[j], err);
            if (s != SLB_OK) return s;
        }
    }
    size_t failed = eval->report->failed;
    SlbStatus s = eval_report_finish(eval->report, err);
    if (s != SLB_OK || failed == 0) return s;
    return slb_fail(err, failed == eval->total ? SLB_E_INPUT : SLB_PARTIAL,
                    "%zu of %zu measurements failed; the means leave them out", failed,
                    eval->total);
}

/* Opens what was chosen for a scale; leaves *network empty where nothing was. */
static SlbStatus open_network(const ModelChoice *choice, int scale, Network *network, SlbError *err)
{
    if (!choice->bits && !choice->model) {
        if (choice->net || choice->use_float)
            return slb_fail(err, SLB_E_USAGE, "--%s: needs a model: give --model or --bits too",
                            choice->net ? "net" : "float");
        return SLB_OK;
    }
    SlbStatus s = cli_open_model(choice, scale, &network->model, &network->name, err);
    if (s != SLB_OK) return s;
    network->packed = cli_runs_packed(choice, network->model);
    return cli_make_plan(choice, network->model, &network->plan, err);
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    Network networks[MAX_LIST] = {0};
    PictureSet sets[MAX_LIST] = {0};
    SlbStatus s = SLB_OK;
    if (set->lr && set->protocol != PROTOCOL_RGB)
        return slb_fail(err, SLB_E_USAGE, "--lr: belongs to --protocol rgb");
    for (int i = 0; s == SLB_OK && i < set->scale.count; i++)
        s = open_network(&set->choice, set->scale.item[i], &networks[i], err);
    for (int i = 0; s == SLB_OK && i < set->data.count; i++)
        s = open_set(set->data.item[i], &sets[i], err);
    if (s == SLB_OK) {
        EvalReport report = {
            .json = set->json,
            .protocol = set->protocol == PROTOCOL_RGB ? "rgb" : "vdsr",
        };
        Eval eval = {.set = set, .networks = networks, .report = &report};
        s = eval_all(&eval, sets, err);
        progress_end(&eval.progress);
        eval_report_free(&report);
    }
    for (int i = 0; i < set->data.count; i++) close_set(&sets[i]);
    for (int i = 0; i < set->scale.count; i++) {
        slb_plan_free(networks[i].plan);
        slb_model_free(networks[i].model);
    }
    return s;
}

const Command cmd_eval = {
    .name = "eval",
    .operands = "",
    .summary = "Measure PSNR and SSIM on sets of pictures, bicubic beside",
    .notes = "Each picture is cropped to a multiple of the factor, made smaller, made larger again "
             "and compared with the original in Y (BT.601), without a border as wide as the "
             "factor. The mean is that of the pictures' values.\n"
             "--protocol vdsr: Y as integers, bicubic down and up in double precision, the network "
             "on that, rounded. --protocol rgb: 8-bit RGB down, upscaled as 'slbsr upscale' does, "
             "8-bit RGB, its Y not rounded.",
    .example = "slbsr eval --data Set5 --scale 2,3,4 --bits 2\n"
               "slbsr eval -d Set5 -d Set14 -s 2 --model my.safetensors --json\n"
               "slbsr eval -d Set5 -m vdsr_official.safetensors --net vdsr",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
