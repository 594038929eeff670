/* PSNR and SSIM of the models inside the program, held to tests/golden/psnr.csv: 0.01 dB and
 * 0.0005. Rows for sets that are not at hand are left out, and said so. To record them anew:
 * SLBSR_RECORD=tests/golden/psnr.csv test_psnr */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/io.h"
#include "base/mem.h"
#include "img/codec.h"
#include "img/color.h"
#include "img/metric.h"
#include "img/protocol.h"
#include "img/resize.h"
#include "infer/builtin.h"
#include "infer/plan.h"
#include "infer/upscale.h"

static const char golden[] = SLBSR_SOURCE_DIR "/tests/golden/psnr.csv";

typedef struct Set {
    const char *name, *folder;
} Set;

static const Set sets[] = {
    {"data", SLBSR_SOURCE_DIR "/data/hr"},
    {"Set5", SLBSR_SHARED_DATA "/eval/Set5/HR"},
};
enum { SETS = sizeof sets / sizeof *sets };

static SlbPlan *plan_of(const char *name, bool packed)
{
    SlbModel *model;
    SlbPlan *plan;
    SlbCpu cpu;
    SlbError err = {0};
    slb_cpu_detect(&cpu);
    const SlbPlanOptions options = {.packed = packed, .level = cpu.level, .threads = 2};
    if (slb_model_open(name, NULL, &model, &err) != SLB_OK) fail_msg("%s", err.message);
    if (slb_plan_create(model, &options, &plan, &err) != SLB_OK) fail_msg("%s", err.message);
    slb_model_free(model);
    return plan;
}

static SlbScore score_picture(const SlbPlan *plan, const char *path, int scale)
{
    SlbImage image = {0};
    SlbLumaPair pair;
    SlbScore score;
    SlbError err = {0};
    if (slb_image_load(path, NULL, &image, &err) != SLB_OK) fail_msg("%s", err.message);
    assert_int_equal(slb_luma_pair(&image, scale, path, &pair, &err), SLB_OK);
    size_t n = (size_t)pair.width * pair.height;
    float *in = slb_alloc(n, 2 * sizeof *in), *out = in + n;
    for (size_t i = 0; i < n; i++) in[i] = (float)(pair.bicubic[i] / 255.0);
    assert_int_equal(slb_plan_run(plan, in, out, pair.width, pair.height, NULL, NULL, &err),
                     SLB_OK);
    for (size_t i = 0; i < n; i++) pair.bicubic[i] = 255.0 * (double)out[i];
    assert_int_equal(slb_luma_score(&pair, pair.bicubic, scale, 1, &score, &err), SLB_OK);
    slb_free(in);
    slb_luma_pair_free(&pair);
    slb_image_free(&image);
    return score;
}

/* Networks that enlarge by themselves: the RGB protocol. */
static SlbScore score_picture_rgb(const SlbPlan *plan, const char *path, int scale)
{
    SlbImage hr = {0}, lr = {0}, out = {0};
    SlbScore score = {0};
    if (slb_image_load(path, NULL, &hr, NULL) != SLB_OK) fail_msg("%s: cannot be read", path);
    hr.info.width -= hr.info.width % (uint32_t)scale;
    hr.info.height -= hr.info.height % (uint32_t)scale;
    uint32_t width = hr.info.width, height = hr.info.height;
    double *truth = slb_alloc((size_t)width * height, 2 * sizeof *truth);
    double *luma = truth + (size_t)width * height;
    assert_int_equal(slb_resize_image(&hr, 1, (uint32_t)scale, SLB_EDGE_MIRROR, &lr, NULL), SLB_OK);
    assert_int_equal(slb_upscale(plan, &lr, scale, NULL, NULL, &out, NULL), SLB_OK);
    slb_luma(&hr, truth);
    slb_luma(&out, luma);
    score.psnr = slb_psnr(truth, luma, width, height, (uint32_t)scale);
    assert_int_equal(slb_ssim(truth, luma, width, height, (uint32_t)scale, &score.ssim, NULL),
                     SLB_OK);
    slb_free(truth);
    slb_image_free(&hr);
    slb_image_free(&lr);
    slb_image_free(&out);
    return score;
}

static SlbScore score_set(const SlbPlan *plan, const char *folder, int scale)
{
    char **names;
    size_t count;
    SlbScore mean = {0};
    assert_int_equal(slb_list_folder(folder, slb_read_extensions, &names, &count, NULL), SLB_OK);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        SlbScore one = slb_plan_scale(plan) > 1 ? score_picture_rgb(plan, names[i], scale)
                                                : score_picture(plan, names[i], scale);
        mean.psnr += one.psnr / (double)count;
        mean.ssim += one.ssim / (double)count;
    }
    slb_free_names(names, count);
    return mean;
}

static const char *folder_of(const char *set)
{
    for (int i = 0; i < SETS; i++)
        if (strcmp(sets[i].name, set) == 0)
            return access(sets[i].folder, R_OK) ? NULL : sets[i].folder;
    fail_msg("%s: no such set", set);
    return NULL;
}

static void test_golden(void **state)
{
    (void)state;
    FILE *file = fopen(golden, "r");
    char set[32], model[64], run[16], line[256];
    int scale, rows = 0, wrong = 0;
    double psnr, ssim;
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file)); /* the header */
    while (fgets(line, sizeof line, file)) {
        int fields = sscanf(line, "%31[^,],%63[^,],%15[^,],%d,%lf,%lf", set, model, run, &scale,
                            &psnr, &ssim);
        assert_int_equal(fields, 6);
        const char *folder = folder_of(set);
        rows += folder != NULL;
        if (!folder) {
            print_message("left out, the set is not at hand: %s", line);
            continue;
        }
        SlbPlan *plan = plan_of(model, strcmp(run, "packed") == 0);
        SlbScore score = score_set(plan, folder, scale);
        slb_plan_free(plan);
        if (fabs(score.psnr - psnr) <= 0.01 && fabs(score.ssim - ssim) <= 0.0005) continue;
        wrong++;
        print_error("%s %s %s x%d: %.4f dB %.5f, recorded %.4f %.5f\n", set, model, run, scale,
                    score.psnr, score.ssim, psnr, ssim);
    }
    fclose(file);
    assert_true(rows > 0);
    assert_int_equal(wrong, 0);
}

/* No model goes without rows. */
static void test_all_models_are_there(void **state)
{
    (void)state;
    unsigned char *text;
    size_t bytes, count;
    const SlbBuiltin *models = slb_builtins(&count);
    assert_int_equal(slb_read_file(golden, 1 << 20, SLB_E_INPUT, &text, &bytes, NULL), SLB_OK);
    for (size_t m = 0; m < count; m++)
        for (int i = 0; i < SETS; i++) {
            char row[128];
            snprintf(row, sizeof row, "\n%s,%s,", sets[i].name, models[m].name);
            if (!strstr((const char *)text, row))
                fail_msg("%s has no row for %s on %s: record it", golden, models[m].name,
                         sets[i].name);
        }
    slb_free(text);
}

/* All models on all sets at hand, as rows of the golden file. */
static int record(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file) return 1;
    size_t count;
    const SlbBuiltin *models = slb_builtins(&count);
    fprintf(file, "set,model,run,scale,psnr,ssim\n");
    for (int s = 0; s < SETS; s++)
        for (size_t m = 0; m < count; m++) {
            const char *folder = folder_of(sets[s].name);
            SlbModel *model = NULL;
            if (slb_model_open(models[m].name, NULL, &model, NULL) != SLB_OK) continue;
            bool packed = model->act_bits < 32;
            slb_model_free(model);
            SlbPlan *plan = folder ? plan_of(models[m].name, packed) : NULL;
            for (int scale = 2; folder && scale <= 4; scale++) {
                if (slb_plan_scale(plan) > 1 && slb_plan_scale(plan) != scale) continue;
                SlbScore score = score_set(plan, folder, scale);
                fprintf(file, "%s,%s,%s,%d,%.4f,%.5f\n", sets[s].name, models[m].name,
                        packed ? "packed" : "float", scale, score.psnr, score.ssim);
            }
            slb_plan_free(plan);
        }
    return fclose(file) != 0;
}

int main(void)
{
    const char *path = getenv("SLBSR_RECORD");
    if (path) {
        return record(path);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_all_models_are_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
