/* Plans against naive references: float ones in double precision, packed ones in the integers of
 * quant/requant.h; and the same bytes whatever the strips, threads and levels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "infer/plan.h"
#include "unit/plan_reference.h"

/* A plain chain, with 1x1 and odd numbers of channels; and one with skips, whose first tensor is
 * read both as floats and as codes, whose inner full layer writes codes, and whose low layers write
 * floats. */
static const char chain_net[] = "input y bicubic\nconv 8 3x3 full relu\nconv 20 3x3 low norm relu\n"
                                "conv 17 1x1 low norm relu\nconv 5 3x3 low relu\nconv 1 3x3 full\n"
                                "add input\n";
static const char skip_net[] = "input y bicubic\nconv 12 3x3 full relu\nname a\n"
                               "conv 12 3x3 low norm\nadd a\nconv 6 3x3 full relu\n"
                               "conv 6 3x3 low norm relu\nname b\nconv 6 1x1 low norm relu\nadd b\n"
                               "add b\nconv 1 1x1 full\nadd input\n";
/* One channel everywhere, low layers too. */
static const char thin_net[] = "input y bicubic\nconv 1 3x3 full relu\nconv 1 3x3 low norm relu\n"
                               "conv 1 3x3 low norm\n";

static const Size sizes[] = {{1, 1}, {2, 3}, {1, 40}, {37, 1}, {7, 5}, {33, 17}, {43, 97}};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Weights that keep activations near 1; biases that bring some of them below 0. */
static void fill_conv(SlbConvParams *c, SlbRng *rng)
{
    float gain = (float)sqrt(2.0 / (c->in_channels * c->kernel * c->kernel));
    for (size_t k = 0; k < weight_count(c); k++) {
        if (c->bits == 32)
            c->weight[k] = gain * (float)slb_rng_normal(rng);
        else
            c->level[k] = (uint8_t)slb_rng_below(rng, 1u << c->bits);
    }
    for (int o = 0; o < c->out_channels; o++) {
        c->bias[o] = 0.2f * (float)slb_rng_normal(rng) + 0.2f;
        if (c->bits < 32) c->scale[o] = gain * (float)(0.5 + slb_rng_uniform(rng));
    }
    if (c->bits < 32) {
        c->in_step = 0.007f + 0.003f * (float)slb_rng_uniform(rng);
        if (c->out_channels > 1) c->scale[0] = -c->scale[0]; /* allowed */
    }
}

static SlbModel *random_model(const char *net, int weight_bits)
{
    SlbError err = {0};
    SlbGraph *g = NULL;
    SlbModel *m = NULL;
    assert_int_equal(slb_graph_parse(net, strlen(net), "t", &g, &err), SLB_OK);
    assert_int_equal(slb_model_create(g, weight_bits, &m, &err), SLB_OK);
    slb_graph_free(g);
    SlbRng rng = slb_rng(11, (uint64_t)weight_bits, 0);
    for (int i = 0; i < m->graph->conv_count; i++) fill_conv(&m->conv[i], &rng);
    m->act_bits = weight_bits == 32 ? 32 : 8;
    return m;
}

static float *random_plane(Size z)
{
    size_t n = (size_t)z.width * z.height;
    float *plane = slb_alloc(n, sizeof *plane);
    assert_non_null(plane);
    SlbRng rng = slb_rng(5, z.width, z.height);
    for (size_t i = 0; i < n; i++) plane[i] = (float)(1.2 * slb_rng_uniform(&rng) - 0.1);
    return plane;
}

/* -- plans -- */

static float *run(const SlbModel *m, SlbPlanOptions options, Size z, const float *in)
{
    SlbError err = {0};
    SlbPlan *plan = NULL;
    float *out = slb_alloc((size_t)z.width * z.height, sizeof *out);
    memset(out, 0xff, (size_t)z.width * z.height * sizeof *out);
    if (slb_plan_create(m, &options, &plan, &err) != SLB_OK) fail_msg("%s", err.message);
    assert_int_equal(slb_plan_threads(plan), options.threads);
    if (slb_plan_run(plan, in, out, z.width, z.height, NULL, NULL, &err) != SLB_OK)
        fail_msg("%s", err.message);
    slb_plan_free(plan);
    return out;
}

/* Strips and threads must not show. */
static void check_divisions(const SlbModel *m, SlbPlanOptions options, Size z, const float *in,
                            const float *expected)
{
    static const uint32_t strips[] = {1, 7, 16, 64, 0};
    static const int threads[] = {1, 2, 3, 7};
    for (int s = 0; s < 5; s++)
        for (int t = 0; t < 4; t++) {
            bool large = z.width * z.height > 1000;
            if (large && (strips[s] == 1 || (s + t) % 2)) continue; /* slow */
            options.strip_px = strips[s];
            options.threads = threads[t];
            float *out = run(m, options, z, in);
            assert_memory_equal(out, expected, (size_t)z.width * z.height * sizeof *out);
            slb_free(out);
        }
}

static void check_float(const char *net, int weight_bits)
{
    SlbModel *m = random_model(net, weight_bits);
    for (int i = 0; i < SIZES; i++) {
        Size z = sizes[i];
        float *in = random_plane(z), *expected = reference_float(m, z, in);
        for (int level = 0; level < SLB_CPU_LEVELS; level++) {
            if (!slb_cpu_has((SlbCpuLevel)level)) continue;
            SlbPlanOptions options = {.level = (SlbCpuLevel)level, .threads = 1};
            float *out = run(m, options, z, in);
            for (size_t p = 0; p < (size_t)z.width * z.height; p++)
                assert_float_equal(out[p], expected[p], 2e-5);
            if (level == SLB_CPU_C || i == SIZES - 2) check_divisions(m, options, z, in, out);
            slb_free(out);
        }
        slb_free(in);
        slb_free(expected);
    }
    slb_model_free(m);
}

static void test_float(void **state)
{
    (void)state;
    check_float(chain_net, 32);
    check_float(skip_net, 32);
    check_float(thin_net, 32);
    check_float(chain_net, 2); /* low-bit weights run in float */
}

/* Equal outputs everywhere would make the comparisons worthless. */
static void assert_lively(const float *plane, size_t count)
{
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        low = fminf(low, plane[i]);
        high = fmaxf(high, plane[i]);
    }
    if (!(high - low > 0.1f)) fail_msg("outputs from %g to %g only", (double)low, (double)high);
}

static void check_packed(const char *net, int weight_bits)
{
    SlbModel *m = random_model(net, weight_bits);
    for (int i = 0; i < SIZES; i++) {
        Size z = sizes[i];
        float *in = random_plane(z), *expected = reference_packed(m, z, in);
        if (i == SIZES - 1) assert_lively(expected, (size_t)z.width * z.height);
        for (int level = 0; level < SLB_CPU_LEVELS; level++) {
            if (!slb_cpu_has((SlbCpuLevel)level)) continue;
            SlbPlanOptions options = {.packed = true, .level = (SlbCpuLevel)level, .threads = 1};
            float *out = run(m, options, z, in);
            assert_memory_equal(out, expected, (size_t)z.width * z.height * sizeof *out);
            if (level == SLB_CPU_C) check_divisions(m, options, z, in, expected);
            slb_free(out);
        }
        slb_free(in);
        slb_free(expected);
    }
    slb_model_free(m);
}

/* skip_net's second low layer follows an inner full layer; its first has no relu and feeds an add
 * only. */
static void test_packed(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 4; bits *= 2) {
        check_packed(chain_net, bits);
        check_packed(skip_net, bits);
        check_packed(thin_net, bits);
    }
}

/* The packed network is the float one but for the rounding of activations. */
static void test_packed_is_near_float(void **state)
{
    (void)state;
    Size z = {40, 30};
    SlbModel *m = random_model(chain_net, 2);
    for (int i = 0; i < m->graph->conv_count; i++)
        if (m->conv[i].bits < 32) m->conv[i].in_step = 0.02f; /* nothing saturates */
    float *in = random_plane(z);
    float *exact = run(m, (SlbPlanOptions){.threads = 1}, z, in);
    float *packed = run(m, (SlbPlanOptions){.packed = true, .threads = 1}, z, in);
    double error = 0.0;
    for (size_t p = 0; p < (size_t)z.width * z.height; p++)
        error += pow((double)exact[p] - (double)packed[p], 2.0);
    error = sqrt(error / ((double)z.width * z.height));
    assert_true(error > 1e-5 && error < 0.03);
    slb_free(in);
    slb_free(exact);
    slb_free(packed);
    slb_model_free(m);
}

static void refused(const SlbModel *m, SlbPlanOptions options, SlbStatus status)
{
    SlbError err = {0};
    SlbPlan *plan = NULL;
    assert_int_equal(slb_plan_create(m, &options, &plan, &err), status);
    assert_null(plan);
    assert_int_equal(err.status, status);
    assert_true(strlen(err.message) > 0);
}

static void test_refused(void **state)
{
    (void)state;
    SlbPlanOptions packed = {.packed = true, .threads = 1};
    SlbModel *m = random_model(chain_net, 32);
    refused(m, packed, SLB_E_MODEL);
    refused(m, (SlbPlanOptions){.threads = 0}, SLB_E_USAGE);
    for (int level = 0; level < SLB_CPU_LEVELS; level++)
        if (!slb_cpu_has((SlbCpuLevel)level))
            refused(m, (SlbPlanOptions){.threads = 1, .level = (SlbCpuLevel)level}, SLB_E_USAGE);
    slb_model_free(m);
    m = random_model(chain_net, 2);
    m->act_bits = 32;
    refused(m, packed, SLB_E_MODEL);
    slb_model_free(m);
    static const char *const nets[] = {
        "input y bicubic\nconv 4 3x3 low relu\nconv 1 3x3 full\n",
        "input y bicubic\nconv 4 3x3 full\nconv 1 3x3 low\n",
        "input y bicubic\nconv 4 3x3 full relu\nname a\nconv 4 3x3 full\nadd a\nconv 1 3x3 low\n",
    };
    for (int i = 0; i < 3; i++) {
        m = random_model(nets[i], 1);
        refused(m, packed, SLB_E_MODEL);
        slb_model_free(m);
    }
}

typedef struct Reports {
    uint64_t last, total;
    int calls, cancel_at;
} Reports;

static int note(void *user, uint64_t done, uint64_t total)
{
    Reports *r = user;
    assert_true(done >= r->last && done <= total);
    r->last = done;
    r->total = total;
    return ++r->calls == r->cancel_at;
}

static void test_progress(void **state)
{
    (void)state;
    Size z = {50, 100};
    SlbModel *m = random_model(skip_net, 2);
    float *in = random_plane(z), *out = random_plane(z);
    SlbPlanOptions options = {.packed = true, .threads = 3, .strip_px = 20};
    SlbError err = {0};
    SlbPlan *plan = NULL;
    assert_int_equal(slb_plan_create(m, &options, &plan, &err), SLB_OK);
    Reports all = {0}, some = {.cancel_at = 4};
    assert_int_equal(slb_plan_run(plan, in, out, z.width, z.height, note, &all, &err), SLB_OK);
    assert_int_equal(all.total, 50 * 100);
    assert_int_equal(all.last, all.total);
    assert_true(all.calls > 10);
    assert_int_equal(slb_plan_run(plan, in, out, z.width, z.height, note, &some, &err),
                     SLB_PARTIAL);
    assert_int_equal(some.calls, 4);
    slb_plan_free(plan);
    slb_free(in);
    slb_free(out);
    slb_model_free(m);
}

/* Every allocation fails once: SLB_E_MEMORY, and no leak (AddressSanitizer tells). */
static void test_out_of_memory(void **state)
{
    (void)state;
    Size z = {5, 4};
    SlbModel *m = random_model(skip_net, 2);
    float *in = random_plane(z), *out = random_plane(z);
    SlbPlanOptions options = {.packed = true, .threads = 2};
    SlbStatus s = SLB_E_MEMORY;
    long failures = -1;
    for (long n = 1; s == SLB_E_MEMORY; n++, failures++) {
        SlbError err = {0};
        SlbPlan *plan = NULL;
        slb_mem_fail_at(n);
        s = slb_plan_create(m, &options, &plan, &err);
        if (s == SLB_OK) s = slb_plan_run(plan, in, out, z.width, z.height, NULL, NULL, &err);
        assert_true(s == SLB_OK || s == SLB_E_MEMORY);
        slb_mem_fail_at(0);
        slb_plan_free(plan);
    }
    assert_true(failures > 10);
    slb_free(in);
    slb_free(out);
    slb_model_free(m);
}

static void test_kernel_names(void **state)
{
    (void)state;
    SlbModel *m = random_model(chain_net, 1);
    SlbPlanOptions options = {.packed = true, .threads = 1};
    SlbError err = {0};
    SlbPlan *plan = NULL;
    assert_int_equal(slb_plan_create(m, &options, &plan, &err), SLB_OK);
    assert_string_equal(slb_plan_kernel(plan, 0), "float c, fixed order");
    assert_string_equal(slb_plan_kernel(plan, 1), "packed c");
    assert_string_equal(slb_plan_kernel(plan, 4), "float c, fixed order");
    slb_plan_free(plan);
    options.packed = false;
    assert_int_equal(slb_plan_create(m, &options, &plan, &err), SLB_OK);
    assert_string_equal(slb_plan_kernel(plan, 1), "float c");
    slb_plan_free(plan);
    slb_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_packed_is_near_float),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_kernel_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
