#include "cli/eval_report.h"

#include <math.h>
#include <stdio.h>

#include "cli/json_line.h"
#include "cli/message.h"

static SlbStatus no_memory(SlbError *err)
{
    return slb_fail_memory(err, "report");
}

/* -- JSON: one result a set, scale and model -- */

/* Rounded to 1e-6: digits beyond that differ between compilers. JSON has no infinity and no NaN. */
static bool add_number(cJSON *object, const char *key, double value)
{
    return isfinite(value) ? cJSON_AddNumberToObject(object, key, round(value * 1e6) / 1e6) != NULL
                           : cJSON_AddNullToObject(object, key) != NULL;
}

/* `index`: of a model, none of them with bicubic alone. */
static bool add_scores(const EvalReport *report, cJSON *object, const EvalRow *row, int index)
{
    SlbScore none = {NAN, NAN}, model = report->models->count ? row->model[index] : none;
    return add_number(object, "psnr", model.psnr) && add_number(object, "ssim", model.ssim) &&
           add_number(object, "bicubic_psnr", row->bicubic.psnr) &&
           add_number(object, "bicubic_ssim", row->bicubic.ssim);
}

static int result_count(const EvalReport *report)
{
    return report->models->count ? report->models->count : 1;
}

static SlbStatus begin_result(EvalReport *report, const char *set, int scale, int index,
                              SlbError *err)
{
    const EvalModel *model = report->models->count ? &report->models->item[index] : NULL;
    cJSON *result = cJSON_CreateObject();
    if (!result) return no_memory(err);
    cJSON_AddItemToArray(cJSON_GetObjectItem(report->root, "results"), result);
    report->result[index] = result;
    /* Pictures wait in an array of their own, so that the means come before them. */
    report->images[index] = cJSON_CreateArray();
    bool ok = report->images[index] && cli_json_text(result, "set", set) &&
              cJSON_AddNumberToObject(result, "scale", scale) &&
              cJSON_AddStringToObject(result, "protocol", report->protocol) &&
              cJSON_AddBoolToObject(result, "lr", report->lr) &&
              (model ? cli_json_text(result, "model", model->name)
                     : cJSON_AddNullToObject(result, "model") != NULL) &&
              (!model || cJSON_AddBoolToObject(result, "packed", model->packed));
    return ok ? SLB_OK : no_memory(err);
}

static SlbStatus begin_json(EvalReport *report, const char *set, int scale, SlbError *err)
{
    if (!report->root) {
        report->root = cJSON_CreateObject();
        if (!report->root || !cJSON_AddArrayToObject(report->root, "results"))
            return no_memory(err);
    }
    SlbStatus s = SLB_OK;
    for (int i = 0; s == SLB_OK && i < result_count(report); i++)
        s = begin_result(report, set, scale, i, err);
    return s;
}

static SlbStatus add_image(EvalReport *report, const EvalRow *row, int index, SlbError *err)
{
    cJSON *image = cJSON_CreateObject();
    if (!image) return no_memory(err);
    cJSON_AddItemToArray(report->images[index], image);
    bool ok = cli_json_text(image, "name", row->name) && add_scores(report, image, row, index);
    return ok ? SLB_OK : no_memory(err);
}

static SlbStatus end_result(EvalReport *report, const EvalRow *mean, int index, SlbError *err)
{
    cJSON *result = report->result[index];
    const EvalCounts *c = &report->counts;
    if (!add_scores(report, result, mean, index) ||
        !cJSON_AddNumberToObject(result, "psnr_images", (double)c->psnr) ||
        !cJSON_AddNumberToObject(result, "ssim_images", (double)c->ssim) ||
        !cJSON_AddNumberToObject(result, "equal_images", (double)c->equal))
        return no_memory(err);
    cJSON *images = report->images[index];
    report->images[index] = NULL;
    if (cJSON_AddItemToObject(result, "images", images)) return SLB_OK;
    cJSON_Delete(images);
    return no_memory(err);
}

/* -- the table -- */

enum { NAME_COLUMN = 24 };

static const char *kind_of(const EvalModel *model)
{
    return model->packed ? "integer kernels" : "float";
}

static void print_model(const EvalModel *model)
{
    printf("model: ");
    cli_print_clean(model->name);
    printf(", %s\n", kind_of(model));
}

static void begin_table(const EvalReport *report, const char *set, int scale)
{
    const EvalModels *models = report->models;
    cli_print_clean(set);
    printf(", scale %d, protocol %s%s%s", scale, report->protocol,
           report->lr ? ", published small pictures" : "", models->count == 1 ? ", " : "");
    if (models->count == 0)
        puts(", model: none");
    else if (models->count == 1)
        print_model(&models->item[0]);
    else
        putchar('\n');
    for (int i = 0; models->count > 1 && i < models->count; i++) {
        printf("[%d] ", i + 1);
        print_model(&models->item[i]);
    }
    printf("%-*s", NAME_COLUMN, "");
    for (int i = 0; i < models->count; i++) {
        char head[24] = "PSNR";
        if (models->count > 1) snprintf(head, sizeof head, "[%d] PSNR", i + 1);
        printf("%9s %7s  ", head, "SSIM");
    }
    printf("%12s %7s", "bicubic PSNR", "SSIM");
    if (models->count == 1) printf("%9s", "gain dB");
    putchar('\n');
}

/* A number in `width` columns, "-" where there is none. */
static void print_number(int width, double value)
{
    if (isnan(value))
        printf("%*s", width, "-");
    else
        printf("%*.4f", width, value);
}

static void print_row(const EvalReport *report, const char *name, const EvalRow *row)
{
    cli_print_column(name, NAME_COLUMN);
    for (int i = 0; i < report->models->count; i++) {
        print_number(9, row->model[i].psnr);
        print_number(8, row->model[i].ssim);
        printf("  ");
    }
    print_number(12, row->bicubic.psnr);
    print_number(8, row->bicubic.ssim);
    if (report->models->count == 1) print_number(9, row->model[0].psnr - row->bicubic.psnr);
    putchar('\n');
    fflush(stdout);
}

static void put_note(const char *what, const EvalCounts *counts, size_t counted, size_t equal,
                     char text[EVAL_NOTE_BYTES])
{
    size_t small = counts->pictures - counted - equal;
    text[0] = 0;
    if (counted == counts->pictures) return;
    int used = snprintf(text, EVAL_NOTE_BYTES, "mean of %s: %zu of %zu picture%s;", what, counted,
                        counts->pictures, counts->pictures == 1 ? "" : "s");
    if (equal)
        used += snprintf(text + used, EVAL_NOTE_BYTES - (size_t)used, " %zu equal%s", equal,
                         small ? "," : "");
    if (small) snprintf(text + used, EVAL_NOTE_BYTES - (size_t)used, " %zu too small", small);
}

void eval_psnr_note(const EvalCounts *counts, char text[EVAL_NOTE_BYTES])
{
    put_note("PSNR", counts, counts->psnr, counts->equal, text);
}

void eval_ssim_note(const EvalCounts *counts, char text[EVAL_NOTE_BYTES])
{
    put_note("SSIM", counts, counts->ssim, 0, text);
}

static void print_notes(const EvalCounts *counts)
{
    char psnr[EVAL_NOTE_BYTES], ssim[EVAL_NOTE_BYTES];
    eval_psnr_note(counts, psnr);
    eval_ssim_note(counts, ssim);
    if (*psnr) puts(psnr);
    if (*ssim) puts(ssim);
}

/* -- both -- */

SlbStatus eval_report_begin(EvalReport *report, const char *set, int scale, SlbError *err)
{
    report->sum = (EvalRow){0};
    report->counts = (EvalCounts){0};
    if (report->json) return begin_json(report, set, scale, err);
    begin_table(report, set, scale);
    return SLB_OK;
}

static const SlbScore *score_of(const EvalRow *row, int index)
{
    return index < 0 ? &row->bicubic : &row->model[index];
}

/* Adds the row to the sums, and counts it, where all of its figures of a kind are numbers. */
static void add_row(EvalReport *report, const EvalRow *row)
{
    bool psnr = true, ssim = true, equal = false;
    for (int i = -1; i < report->models->count; i++) {
        const SlbScore *score = score_of(row, i);
        psnr = psnr && isfinite(score->psnr);
        ssim = ssim && isfinite(score->ssim);
        equal = equal || isinf(score->psnr);
    }
    for (int i = -1; i < report->models->count; i++) {
        SlbScore *sum = i < 0 ? &report->sum.bicubic : &report->sum.model[i];
        if (psnr) sum->psnr += score_of(row, i)->psnr;
        if (ssim) sum->ssim += score_of(row, i)->ssim;
    }
    report->counts.pictures++;
    report->counts.psnr += psnr;
    report->counts.ssim += ssim;
    report->counts.equal += equal;
}

SlbStatus eval_report_row(EvalReport *report, const EvalRow *row, SlbError *err)
{
    add_row(report, row);
    if (!report->json) {
        print_row(report, row->name, row);
        return SLB_OK;
    }
    SlbStatus s = SLB_OK;
    for (int i = 0; s == SLB_OK && i < result_count(report); i++)
        s = add_image(report, row, i, err);
    return s;
}

/* Where no picture counts, the mean is 0 / 0, NAN. */
static SlbScore mean_of(const EvalReport *report, int index)
{
    const SlbScore *sum = score_of(&report->sum, index);
    const EvalCounts *c = &report->counts;
    return (SlbScore){sum->psnr / (double)c->psnr, sum->ssim / (double)c->ssim};
}

SlbStatus eval_report_end(EvalReport *report, EvalRow *mean, SlbError *err)
{
    *mean = (EvalRow){.name = "mean", .bicubic = mean_of(report, -1)};
    for (int i = 0; i < report->models->count; i++) mean->model[i] = mean_of(report, i);
    if (!report->json) {
        print_row(report, mean->name, mean);
        print_notes(&report->counts);
        return SLB_OK;
    }
    SlbStatus s = SLB_OK;
    for (int i = 0; s == SLB_OK && i < result_count(report); i++)
        s = end_result(report, mean, i, err);
    return s;
}

SlbStatus eval_report_finish(EvalReport *report, SlbError *err)
{
    if (!report->json) return SLB_OK;
    return cli_json_report(report->root, err);
}

void eval_report_free(EvalReport *report)
{
    for (int i = 0; i < EVAL_MODELS; i++) cJSON_Delete(report->images[i]);
    cJSON_Delete(report->root);
    *report = (EvalReport){0};
}
