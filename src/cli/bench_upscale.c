#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/bench.h"
#include "cli/json_line.h"
#include "cli/message.h"
#include "infer/builtin.h"
#include "infer/plan.h"
#include "kern/conv_xnor.h"

/* One result: a table row or an element of "upscale". `size`: side of the output. */
static void tell(const BenchOptions *how, const char *name, const char *run, double seconds,
                 int size, double macs, double peak)
{
    double pixels = (double)size * size, rate = 2.0 * macs * pixels / seconds;
    if (!how->json) {
        cli_print_column(name, 16);
        printf(" %-7s %9.1f ms %8.2f Mpixel/s %8.1f GOP/s", run, seconds * 1e3,
               pixels / seconds / 1e6, rate / 1e9);
        if (peak > 0) printf("  %3.0f %% of peak", 100.0 * rate / peak);
        putchar('\n');
        return;
    }
    cJSON *row = cJSON_CreateObject();
    cli_json_text(row, "model", name);
    cJSON_AddStringToObject(row, "run", run);
    cJSON_AddNumberToObject(row, "size", size);
    cJSON_AddNumberToObject(row, "ms", seconds * 1e3);
    cJSON_AddNumberToObject(row, "mpixel_per_s", pixels / seconds / 1e6);
    cJSON_AddNumberToObject(row, "gops", rate / 1e9);
    if (peak > 0) cJSON_AddNumberToObject(row, "share_of_peak", rate / peak);
    cJSON_AddItemToArray(cJSON_GetObjectItem(how->json, "upscale"), row);
}

/* `side`: of the square input, in pixels. */
static SlbStatus time_plan(const BenchOptions *how, const SlbPlan *plan, uint32_t side,
                           double *seconds, SlbError *err)
{
    double taken[BENCH_MAX_REPEATS];
    size_t scale = (size_t)slb_plan_scale(plan);
    size_t count = (size_t)side * side * (size_t)slb_plan_channels(plan);
    float *in = slb_alloc(count, (1 + scale * scale) * sizeof *in);
    if (!in) return slb_fail_memory(err, "the picture to measure with");
    SlbRng rng = slb_rng(1, 0, 0);
    for (size_t i = 0; i < count; i++) in[i] = (float)slb_rng_uniform(&rng);
    SlbStatus s = SLB_OK;
    for (int i = -1; s == SLB_OK && i < how->repeats; i++) { /* one to warm up */
        double start = slb_seconds();
        s = slb_plan_run(plan, in, in + count, side, side, NULL, NULL, err);
        if (i >= 0) taken[i] = slb_seconds() - start;
    }
    slb_free(in);
    if (s == SLB_OK) *seconds = bench_median(taken, how->repeats);
    return s;
}

static SlbStatus one_run(const BenchOptions *how, const char *name, const SlbModel *model,
                         bool packed, SlbError *err)
{
    const SlbPlanOptions options = {
        .packed = packed, .level = how->cpu.level, .threads = how->threads};
    SlbPlan *plan;
    double seconds = 0;
    bool counts =
        slb_xnor_serves(how->cpu.level, model->weight_bits, model->act_bits, true); /* bits */
    SlbStatus s = slb_plan_create(model, &options, &plan, err);
    if (s != SLB_OK) return s;
    int scale = slb_plan_scale(plan), side = (how->size + scale - 1) / scale;
    s = time_plan(how, plan, (uint32_t)side, &seconds, err);
    slb_plan_free(plan);
    if (s == SLB_OK)
        tell(how, name, packed ? "packed" : "float", seconds, side * scale,
             bench_macs(model->graph),
             how->peak[!packed  ? SLB_PEAK_F32
                       : counts ? SLB_PEAK_BITS
                                : SLB_PEAK_INT8]);
    return s;
}

static SlbStatus one_model(const BenchOptions *how, const char *name, SlbError *err)
{
    SlbModel *model;
    SlbStatus s = slb_model_open(name, NULL, &model, err);
    if (s != SLB_OK) return s;
    if (model->act_bits < 32) s = one_run(how, name, model, true, err);
    if (s == SLB_OK) s = one_run(how, name, model, false, err);
    slb_model_free(model);
    return s;
}

SlbStatus bench_upscale(const BenchOptions *how, const char *name, SlbError *err)
{
    size_t count;
    const SlbBuiltin *models = slb_builtins(&count);
    SlbStatus s = SLB_OK;
    if (how->json) cJSON_AddArrayToObject(how->json, "upscale");
    if (name) return one_model(how, name, err);
    for (size_t i = 0; s == SLB_OK && i < count; i++) s = one_model(how, models[i].name, err);
    return s;
}
