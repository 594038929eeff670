#include "cli/eval_report.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

/* Rounded to 1e-6: digits beyond that differ between compilers. JSON has no infinity and no NaN. */
static bool add_number(cJSON *object, const char *key, double value)
{
    return isfinite(value) ? cJSON_AddNumberToObject(object, key, round(value * 1e6) / 1e6) != NULL
                           : cJSON_AddNullToObject(object, key) != NULL;
}

static bool add_scores(cJSON *object, const EvalRow *row)
{
    return add_number(object, "psnr", row->model.psnr) &&
           add_number(object, "ssim", row->model.ssim) &&
           add_number(object, "bicubic_psnr", row->bicubic.psnr) &&
           add_number(object, "bicubic_ssim", row->bicubic.ssim);
}

static SlbStatus no_memory(SlbError *err)
{
    return slb_fail_memory(err, "report");
}

static SlbStatus begin_json(EvalReport *report, const char *set, int scale, SlbError *err)
{
    if (!report->root) {
        report->root = cJSON_CreateObject();
        if (!report->root || !cJSON_AddArrayToObject(report->root, "results"))
            return no_memory(err);
    }
    cJSON *result = cJSON_CreateObject();
    if (!result) return no_memory(err);
    cJSON_AddItemToArray(cJSON_GetObjectItem(report->root, "results"), result);
    report->result = result;
    /* Pictures wait in an array of their own, so that the means come before them. */
    report->images = cJSON_CreateArray();
    bool ok = report->images && cJSON_AddStringToObject(result, "set", set) &&
              cJSON_AddNumberToObject(result, "scale", scale) &&
              cJSON_AddStringToObject(result, "protocol", report->protocol) &&
              (report->model ? cJSON_AddStringToObject(result, "model", report->model)
                             : cJSON_AddNullToObject(result, "model")) &&
              (!report->model || cJSON_AddBoolToObject(result, "packed", report->packed));
    return ok ? SLB_OK : no_memory(err);
}

enum { NAME_COLUMN = 24 };

static void begin_table(const EvalReport *report, const char *set, int scale)
{
    const char *kind = report->packed ? ", integer kernels" : ", float";
    printf("%s, scale %d, protocol %s, model: %s%s\n", set, scale, report->protocol,
           report->model ? report->model : "none", report->model ? kind : "");
    printf("%-*s", NAME_COLUMN, "");
    if (report->model) printf("%9s %7s  ", "PSNR", "SSIM");
    printf("%12s %7s", "bicubic PSNR", "SSIM");
    if (report->model) printf("%9s", "gain dB");
    putchar('\n');
}

SlbStatus eval_report_begin(EvalReport *report, const char *set, int scale, SlbError *err)
{
    report->sum = (EvalRow){0};
    report->rows = 0;
    if (report->json) return begin_json(report, set, scale, err);
    begin_table(report, set, scale);
    return SLB_OK;
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
    printf("%-*s", NAME_COLUMN, name);
    if (report->model) {
        print_number(9, row->model.psnr);
        print_number(8, row->model.ssim);
        printf("  ");
    }
    print_number(12, row->bicubic.psnr);
    print_number(8, row->bicubic.ssim);
    if (report->model) print_number(9, row->model.psnr - row->bicubic.psnr);
    putchar('\n');
    fflush(stdout);
}

SlbStatus eval_report_row(EvalReport *report, const EvalRow *row, SlbError *err)
{
    report->sum.model.psnr += row->model.psnr;
    report->sum.model.ssim += row->model.ssim;
    report->sum.bicubic.psnr += row->bicubic.psnr;
    report->sum.bicubic.ssim += row->bicubic.ssim;
    report->rows++;
    if (!report->json) {
        print_row(report, row->name, row);
        return SLB_OK;
    }
    cJSON *image = cJSON_CreateObject();
    if (!image) return no_memory(err);
    cJSON_AddItemToArray(report->images, image);
    bool ok = cJSON_AddStringToObject(image, "name", row->name) && add_scores(image, row);
    return ok ? SLB_OK : no_memory(err);
}

SlbStatus eval_report_end(EvalReport *report, SlbError *err)
{
    double n = (double)report->rows; /* no rows: every mean is 0 / 0, NAN */
    const EvalRow *sum = &report->sum;
    EvalRow mean = {
        .model = {sum->model.psnr / n, sum->model.ssim / n},
        .bicubic = {sum->bicubic.psnr / n, sum->bicubic.ssim / n},
    };
    if (!report->json) {
        print_row(report, "mean", &mean);
        return SLB_OK;
    }
    if (!add_scores(report->result, &mean)) return no_memory(err);
    cJSON *images = report->images;
    report->images = NULL;
    if (cJSON_AddItemToObject(report->result, "images", images)) return SLB_OK;
    cJSON_Delete(images);
    return no_memory(err);
}

SlbStatus eval_report_finish(EvalReport *report, SlbError *err)
{
    if (!report->json) return SLB_OK;
    char *text = cJSON_Print(report->root);
    if (!text) return no_memory(err);
    puts(text);
    cJSON_free(text);
    return SLB_OK;
}

void eval_report_free(EvalReport *report)
{
    cJSON_Delete(report->images);
    cJSON_Delete(report->root);
    report->images = report->root = report->result = NULL;
}
