/* The acceptance test of the float forward pass: the published VDSR weights on Set5 must give the
 * published figures. x3 alone, some seconds; x2 and x4 too when SLBSR_LONG_TESTS is set. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/folder.h"
#include "base/mem.h"
#include "img/codec.h"
#include "img/protocol.h"
#include "infer/plan.h"

static const char weights[] = SLBSR_SHARED_DATA "/../ref/vdsr_official.safetensors";
static const char folder[] = SLBSR_SHARED_DATA "/eval/Set5/HR";

/* Mean PSNR and SSIM of the five pictures; bicubic and network. */
typedef struct Figures {
    double bicubic[2], network[2];
} Figures;

static const struct {
    int scale;
    Figures figures;
} expected[] = {
    {3, {{30.3922, 0.8682}, {33.6583, 0.9213}}},
    {2, {{33.6614, 0.9299}, {37.5269, 0.9587}}},
    {4, {{28.4207, 0.8104}, {31.3430, 0.8838}}},
};

static SlbPlan *official_plan(SlbCpuLevel level)
{
    SlbError err = {0};
    SlbGraph *net = NULL;
    SlbModel *model = NULL;
    SlbPlan *plan = NULL;
    SlbPlanOptions options = {.level = level, .threads = slb_cpu_count()};
    assert_int_equal(slb_graph_open("vdsr", &net, &err), SLB_OK);
    assert_int_equal(slb_model_load(weights, net, &model, &err), SLB_OK);
    assert_int_equal(slb_plan_create(model, &options, &plan, &err), SLB_OK);
    slb_model_free(model);
    slb_graph_free(net);
    return plan;
}

/* Scores the network's output for the bicubic picture of `pair`. */
static SlbScore network_score(const SlbPlan *plan, const SlbLumaPair *pair, int scale)
{
    SlbError err = {0};
    size_t n = (size_t)pair->width * pair->height;
    float *in = slb_alloc(n, sizeof *in), *out = slb_alloc(n, sizeof *out);
    double *plane = slb_alloc(n, sizeof *plane);
    assert_true(in && out && plane);
    for (size_t i = 0; i < n; i++) in[i] = (float)(pair->bicubic[i] / 255.0);
    assert_int_equal(slb_plan_run(plan, in, out, pair->width, pair->height, NULL, NULL, &err),
                     SLB_OK);
    for (size_t i = 0; i < n; i++) plane[i] = (double)out[i] * 255.0;
    SlbScore score;
    assert_int_equal(slb_luma_score(pair, plane, scale, 1, &score, &err), SLB_OK);
    slb_free(in);
    slb_free(out);
    slb_free(plane);
    return score;
}

static Figures measure(const SlbPlan *plan, char **names, size_t count, int scale)
{
    SlbError err = {0};
    Figures mean = {0};
    for (size_t i = 0; i < count; i++) {
        SlbImage image = {0};
        SlbLumaPair pair;
        SlbScore b;
        assert_int_equal(slb_image_load(names[i], NULL, &image, &err), SLB_OK);
        assert_int_equal(slb_luma_pair(&image, scale, names[i], &pair, &err), SLB_OK);
        assert_int_equal(slb_luma_score(&pair, pair.bicubic, scale, 1, &b, &err), SLB_OK);
        SlbScore n = network_score(plan, &pair, scale);
        mean.bicubic[0] += b.psnr / (double)count;
        mean.bicubic[1] += b.ssim / (double)count;
        mean.network[0] += n.psnr / (double)count;
        mean.network[1] += n.ssim / (double)count;
        slb_luma_pair_free(&pair);
        slb_image_free(&image);
    }
    return mean;
}

static void test_published_weights_give_the_published_figures(void **state)
{
    (void)state;
    if (access(weights, R_OK) != 0 || access(folder, R_OK) != 0) {
        print_message("skipped: %s or %s is missing\n", weights, folder);
        exit(77); /* ctest: skipped */
    }
    SlbError err = {0};
    char **names;
    size_t count;
    assert_int_equal(slb_list_folder(folder, slb_read_extensions, &names, &count, &err), SLB_OK);
    assert_int_equal(count, 5);
    SlbCpu cpu;
    assert_true(slb_cpu_detect(&cpu));
    SlbPlan *plan = official_plan(cpu.level);
    size_t scales = getenv("SLBSR_LONG_TESTS") ? 3 : 1;
    for (size_t i = 0; i < scales; i++) {
        Figures f = measure(plan, names, count, expected[i].scale), e = expected[i].figures;
        print_message("x%d: bicubic %.4f %.4f, network %.4f %.4f (%s)\n", expected[i].scale,
                      f.bicubic[0], f.bicubic[1], f.network[0], f.network[1],
                      slb_cpu_level_name(cpu.level));
        assert_true(fabs(f.bicubic[0] - e.bicubic[0]) < 0.0005);
        assert_true(fabs(f.bicubic[1] - e.bicubic[1]) < 0.0001);
        assert_true(fabs(f.network[0] - e.network[0]) < 0.0005);
        assert_true(fabs(f.network[1] - e.network[1]) < 0.0001);
    }
    slb_plan_free(plan);
    slb_free_names(names, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_weights_give_the_published_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
