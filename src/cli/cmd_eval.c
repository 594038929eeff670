/* slbsr eval: PSNR and SSIM over sets of pictures. eval_measure.c measures, eval_report.c writes
 * the figures, eval_html.c a page of them. */
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "cli/commands.h"
#include "cli/eval_html.h"
#include "cli/eval_report.h"
#include "cli/message.h"
#include "cli/model_choice.h"
#include "cli/picture.h"
#include "cli/progress.h"
#include "img/codec.h"

typedef struct Settings {
    ModelChoice choice; /* its `bits` and `model` are set from the lists, one after the other */
    IntList bits;
    TextList models;
    TextList data;
    IntList scale;
    int protocol; /* 0: what the models ask for; else an EvalProtocol + 1 */
    const char *html;
    int html_pictures, html_crop;
    bool lr, json, overwrite;
} Settings;

static const Option options[] = {
    {'d', "data", OPTION_TEXTS, offsetof(Settings, data), "DIR", NULL, 0, 0, NULL, true,
     "a folder of pictures, or of a set with its pictures in HR/; may be repeated"},
    {'s', "scale", OPTION_INTS, offsetof(Settings, scale), "LIST", "2|3|4", 0, 0, NULL, false,
     "factors, separated by commas; without it those of 2, 3 and 4 that all models can enlarge by"},
    {'b', "bits", OPTION_INTS, offsetof(Settings, bits), "LIST", "1|2|4|32", 0, 0, NULL, false,
     "bits of a weight (1, 2, 4, 32), separated by commas: takes for each the best built-in model "
     "of that width for the scale; without --bits and --model: bicubic alone"},
    {'m', "model", OPTION_TEXTS, offsetof(Settings, models), "MODEL|FILE", NULL, 0, 0, NULL, false,
     "a built-in model by name (slbsr models lists them) or a model file; may be repeated"},
    MODEL_RUN_OPTIONS(Settings),
    {'p', "protocol", OPTION_CHOICE, offsetof(Settings, protocol), NULL, "auto|vdsr|rgb", 0, 0,
     "auto", false,
     "what the network gets and what is compared, see above; auto: rgb with --lr and where a model "
     "enlarges by itself, else vdsr"},
    {0, "lr", OPTION_FLAG, offsetof(Settings, lr), NULL, NULL, 0, 0, NULL, false,
     "with rgb: take the small pictures from LR_bicubic/X2 (X3, X4) beside HR"},
    {0, "json", OPTION_FLAG, offsetof(Settings, json), NULL, NULL, 0, 0, NULL, false,
     "write JSON instead of a table"},
    {0, "html", OPTION_TEXT, offsetof(Settings, html), "FILE", NULL, 0, 0, NULL, false,
     "write a report with crops side by side as well: one file that needs nothing else"},
    {0, "html-pictures", OPTION_INT, offsetof(Settings, html_pictures), "N", NULL, 0, 100000, "8",
     false, "pictures of each set and scale, the first by name, that the report shows crops of"},
    {0, "html-crop", OPTION_INT, offsetof(Settings, html_crop), "N", NULL, 16, 4096, "96", false,
     "side of the crops, pixels"},
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace the file of --html when it exists and is no such report"},
    {0},
};

enum { MAX_FACTORS = 3 };

/* One evaluation run. */
typedef struct Eval {
    const Settings *set;
    int factors, factor[MAX_FACTORS];
    EvalModels models[MAX_FACTORS]; /* of each factor */
    EvalProtocol protocol;
    EvalReport *report;
    EvalHtml *html; /* NULL: no page is wanted */
    Progress progress;
    size_t done, total; /* pictures, every scale counted */
} Eval;

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
    while (length > 1 && folder[length - 1] == '/') length--;
    *set = (PictureSet){.folder = strndup(folder, length)};
    char *inner = malloc(length + sizeof "/HR");
    if (!set->folder || !inner) {
        free(inner);
        close_set(set);
        return slb_fail_memory(err, folder);
    }
    set->name = cli_base_name(set->folder);
    snprintf(inner, length + sizeof "/HR", "%s/HR", set->folder);
    bool nested = slb_is_folder(inner);
    SlbStatus s = slb_list_folder(nested ? inner : set->folder, slb_read_extensions, &set->paths,
                                  &set->count, err);
    if (s == SLB_OK && set->count == 0)
        s = slb_fail(err, SLB_E_INPUT, "%s: no pictures in this folder; it needs files named *.%s",
                     nested ? inner : folder, slb_read_extensions);
    free(inner);
    if (s != SLB_OK) close_set(set);
    return s;
}

/* Sets of the same name are called by their whole paths. */
static void tell_apart(PictureSet *sets, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < count; k++)
            if (k != i && strcmp(cli_base_name(sets[k].folder), cli_base_name(sets[i].folder)) == 0)
                sets[i].name = sets[i].folder;
}

static void show_progress(Eval *eval)
{
    progress_update(&eval->progress, eval->done, eval->total);
}

/* Measures picture `index` of a set and tells about it. A damaged one is told and left out;
 * anything else that fails ends the run. */
static SlbStatus eval_picture(Eval *eval, const PictureSet *set, size_t index,
                              const EvalModels *models, int scale, SlbError *err)
{
    EvalRow row;
    EvalView view = {.side = (uint32_t)eval->set->html_crop};
    bool shown = eval->html && index < (size_t)eval->set->html_pictures;
    show_progress(eval);
    SlbStatus s = eval_measure(eval->protocol, eval->set->lr, models, set->paths[index], scale,
                               &row, shown ? &view : NULL, err);
    progress_end(&eval->progress);
    eval->done++;
    if (s == SLB_OK) {
        s = eval_report_row(eval->report, &row, err);
        if (s == SLB_OK && eval->html)
            s = eval_html_row(eval->html, &row, shown ? &view : NULL, err);
    } else if (s == SLB_E_INPUT) {
        cli_message("%s", err->message);
        eval->report->failed++;
        s = SLB_OK;
    }
    eval_view_free(&view);
    return s;
}

static SlbStatus eval_set(Eval *eval, const PictureSet *set, const EvalModels *models, int scale,
                          SlbError *err)
{
    EvalRow mean;
    eval->report->models = models;
    SlbStatus s = eval_report_begin(eval->report, set->name, scale, err);
    if (s == SLB_OK && eval->html) s = eval_html_begin(eval->html, set->name, scale, models, err);
    for (size_t i = 0; s == SLB_OK && i < set->count; i++)
        s = eval_picture(eval, set, i, models, scale, err);
    if (s == SLB_OK) s = eval_report_end(eval->report, &mean, err);
    if (s == SLB_OK && eval->html) s = eval_html_end(eval->html, &mean, &eval->report->counts, err);
    return s;
}

static SlbStatus eval_sets(Eval *eval, const PictureSet *sets, SlbError *err)
{
    const Settings *set = eval->set;
    for (int i = 0; i < set->data.count; i++) eval->total += sets[i].count * (size_t)eval->factors;
    progress_start(&eval->progress, "evaluating",
                   progress_has_terminal() ? PROGRESS_BAR : PROGRESS_NONE);
    for (int i = 0; i < set->data.count; i++) {
        for (int j = 0; j < eval->factors; j++) {
            SlbStatus s = eval_set(eval, &sets[i], &eval->models[j], eval->factor[j], err);
            if (s != SLB_OK) return s;
        }
    }
    return eval_report_finish(eval->report, err);
}

static SlbStatus eval_all(Eval *eval, const PictureSet *sets, const char *line, SlbError *err)
{
    const Settings *set = eval->set;
    SlbStatus s = SLB_OK;
    if (set->html)
        s = eval_html_open(set->html, set->overwrite, eval->report->protocol, set->lr, line,
                           &eval->html, err);
    if (s == SLB_OK) s = eval_sets(eval, sets, err);
    progress_end(&eval->progress);
    if (s == SLB_OK && eval->html)
        s = eval_html_finish(eval->html, err);
    else
        eval_html_abort(eval->html);
    size_t failed = eval->report->failed;
    if (s != SLB_OK || failed == 0) return s;
    return slb_fail(err, failed == eval->total ? SLB_E_INPUT : SLB_PARTIAL,
                    "%zu of %zu measurements failed; the means leave them out", failed,
                    eval->total);
}

static SlbStatus check_settings(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    int models = set->bits.count + set->models.count;
    bool crop = cli_given(invocation, "html-crop");
    if (!set->html && (crop || cli_given(invocation, "html-pictures")))
        return slb_fail(err, SLB_E_USAGE, "--%s: needs --html for the report",
                        crop ? "html-crop" : "html-pictures");
    if (set->lr && set->protocol == 1 + EVAL_VDSR)
        return slb_fail(err, SLB_E_USAGE, "--lr: belongs to --protocol rgb");
    if (models == 0 && (set->choice.net || set->choice.use_float))
        return slb_fail(err, SLB_E_USAGE, "--%s: needs a model: give --model or --bits too",
                        set->choice.net ? "net" : "float");
    if (models > EVAL_MODELS)
        return slb_fail(err, SLB_E_USAGE, "--model, --bits: %d models are more than %d at once",
                        models, EVAL_MODELS);
    return SLB_OK;
}

static SlbStatus open_model(const ModelChoice *choice, int scale, EvalModels *models, SlbError *err)
{
    EvalModel *to = &models->item[models->count++];
    SlbStatus s = cli_open_model(choice, scale, &to->model, &to->name, err);
    if (s != SLB_OK) return s;
    to->packed = cli_runs_packed(choice, to->model);
    return cli_make_plan(choice, to->model, &to->plan, err);
}

/* All models of one scale: those of --bits, then those of --model. */
static SlbStatus open_models(const Settings *set, int scale, EvalModels *models, SlbError *err)
{
    SlbStatus s = SLB_OK;
    for (int i = 0; s == SLB_OK && i < set->bits.count; i++) {
        ModelChoice choice = set->choice;
        choice.bits = set->bits.item[i];
        if (set->models.count) choice.net = NULL; /* meant for them */
        s = open_model(&choice, scale, models, err);
    }
    for (int i = 0; s == SLB_OK && i < set->models.count; i++) {
        ModelChoice choice = set->choice;
        choice.model = set->models.item[i];
        s = open_model(&choice, scale, models, err);
    }
    return s;
}

static void close_models(EvalModels *models)
{
    for (int i = 0; i < models->count; i++) {
        slb_plan_free(models->item[i].plan);
        slb_model_free(models->item[i].model);
    }
    models->count = 0;
}

/* Whether all models can enlarge by `scale`; if not, *err says which cannot. */
static bool can_enlarge(const EvalModels *models, int scale, SlbError *err)
{
    for (int i = 0; i < models->count; i++) {
        int own = slb_plan_scale(models->item[i].plan);
        if (own == 1 || own == scale) continue;
        (void)!slb_fail(err, SLB_E_MODEL, "%s: enlarges by %d, not by %d; give --scale %d",
                        models->item[i].name, own, scale, own);
        return false;
    }
    return true;
}

/* The factors of --scale or, without it, those that all models can enlarge by; and their models. */
static SlbStatus open_factors(Eval *eval, SlbError *err)
{
    static const IntList all = {{2, 3, 4}, MAX_FACTORS};
    const Settings *set = eval->set;
    const IntList *wanted = set->scale.count ? &set->scale : &all;
    for (int i = 0; i < wanted->count; i++) {
        EvalModels *models = &eval->models[eval->factors];
        eval->factor[eval->factors++] = wanted->item[i]; /* counted: they are closed at the end */
        SlbStatus s = open_models(set, wanted->item[i], models, err);
        if (s != SLB_OK) return s;
        if (can_enlarge(models, wanted->item[i], err)) continue;
        if (set->scale.count) return SLB_E_MODEL;
        close_models(models);
        eval->factors--;
    }
    if (eval->factors) return SLB_OK;
    return slb_fail(err, SLB_E_USAGE,
                    "--model: no factor is that of all these models; measure them one by one");
}

/* One for all tables of a run, so that they can be compared. */
static EvalProtocol choose_protocol(const Eval *eval)
{
    const Settings *set = eval->set;
    if (set->protocol) return (EvalProtocol)(set->protocol - 1);
    bool rgb = set->lr;
    for (int i = 0; i < eval->factors; i++)
        for (int m = 0; m < eval->models[i].count; m++)
            rgb = rgb || slb_plan_scale(eval->models[i].item[m].plan) != 1;
    return rgb ? EVAL_RGB : EVAL_VDSR;
}

/* Before anything is printed. */
static SlbStatus check_protocol(const Eval *eval, SlbError *err)
{
    for (int i = 0; eval->protocol == EVAL_VDSR && i < eval->factors; i++)
        for (int m = 0; m < eval->models[i].count; m++)
            if (slb_plan_scale(eval->models[i].item[m].plan) != 1)
                return slb_fail(err, SLB_E_MODEL,
                                "%s: the network enlarges by itself, --protocol vdsr enlarges "
                                "before it; use --protocol rgb",
                                eval->models[i].item[m].name);
    return SLB_OK;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    PictureSet sets[MAX_LIST] = {0};
    Eval eval = {.set = set};
    SlbStatus s = check_settings(invocation, err);
    if (s == SLB_OK) s = open_factors(&eval, err);
    for (int i = 0; s == SLB_OK && i < set->data.count; i++)
        s = open_set(set->data.item[i], &sets[i], err);
    if (s == SLB_OK) tell_apart(sets, set->data.count);
    if (s == SLB_OK) {
        eval.protocol = choose_protocol(&eval);
        s = check_protocol(&eval, err);
    }
    if (s == SLB_OK) {
        EvalReport report = {
            .json = set->json,
            .protocol = eval.protocol == EVAL_RGB ? "rgb" : "vdsr",
            .lr = set->lr,
        };
        eval.report = &report;
        s = eval_all(&eval, sets, invocation->line, err);
        eval_report_free(&report);
    }
    for (int i = 0; i < set->data.count; i++) close_set(&sets[i]);
    for (int i = 0; i < eval.factors; i++) close_models(&eval.models[i]);
    return s;
}

const Command cmd_eval = {
    .name = "eval",
    .operands = "",
    .summary = "Measure PSNR and SSIM on sets of pictures, bicubic beside",
    .notes =
        "Each picture is cropped to a multiple of the factor, made smaller, made larger again "
        "and compared with the original in Y (BT.601), without a border as wide as the "
        "factor. Alpha is ignored: colours count as they are stored. The mean is that of the "
        "pictures' values, of those where bicubic and all models have one: PSNR is infinite "
        "where a result equals the original, SSIM needs 11x11 pixels. How many are left out "
        "stands behind the table; in JSON psnr_images and ssim_images count those in the "
        "means, equal_images those with an infinite PSNR, and null is what is no number.\n"
        "--protocol vdsr: Y as integers, bicubic down and up in double precision, the network "
        "on that, rounded. --protocol rgb: RGB of 8 bits (16 where the picture has them) down, "
        "upscaled as 'slbsr upscale' does, its Y not rounded.\n"
        "--html: a page with the same tables, crops of the pictures where bicubic errs most, "
        "side by side and under a slider, and error maps. --bits and --model may name several "
        "models.",
    .example = "slbsr eval --data Set5 --scale 2,3,4 --bits 2\n"
               "slbsr eval -d Set5 -d Set14 --model my.safetensors --json\n"
               "slbsr eval -d Set5 --bits 1,2,32 --html report.html\n"
               "slbsr eval -d Set5 -m vdsr_official.safetensors --net vdsr",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
