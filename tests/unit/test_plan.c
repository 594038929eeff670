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

/* Low layers that read tensors which can be negative: the input, a conv without relu, a sum. */
static const char signed_net[] = "input y bicubic\nconv 6 3x3 low norm\nname a\n"
                                 "conv 17 3x3 full\nlrelu\nconv 6 3x3 low norm relu\n"
                                 "conv 6 3x3 low norm\nadd a\nname b\nconv 6 1x1 low norm\n"
                                 "add b\nconv 1 3x3 full\nadd input\n";
/* The form of SRResNet, at RGB, enlarging in one go by 2; by 3, with a low layer behind the
 * shuffle and a last one that is low; and by 2 and 2, with skips at every resolution. */
static const char twice_net[] = "input rgb\nconv 16 3x3 full\nname head\nrepeat 2\nname block\n"
                                "conv 16 3x3 low norm relu\nconv 16 3x3 low norm\nadd block\nend\n"
                                "conv 16 3x3 low norm\nadd head\nconv 20 3x3 low norm\nshuffle 2\n"
                                "conv 3 3x3 full\n";
static const char thrice_net[] = "input y\nconv 5 3x3 low norm\nlrelu\nconv 45 3x3 low norm relu\n"
                                 "shuffle 3\nconv 4 3x3 low norm\nconv 1 3x3 low norm\n";
static const char fourfold_net[] = "input rgb\nconv 8 3x3 full relu\nname a\nconv 8 3x3 low norm\n"
                                   "add a\nconv 16 1x1 full\nshuffle 2\nname b\n"
                                   "conv 4 3x3 low norm\nlrelu\nadd b\nconv 12 3x3 low norm\n"
                                   "shuffle 2\nname c\nconv 3 3x3 full\nadd c\n";
/* Two branches from the input, of which one has to wait for the other. */
static const char branch_net[] = "input rgb\nconv 12 3x3 full\nshuffle 2\nname base\nfrom input\n"
                                 "conv 10 3x3 full relu\nname head\nconv 10 3x3 low norm relu\n"
                                 "conv 10 3x3 low norm\nadd head\nconv 12 3x3 full\nshuffle 2\n"
                                 "add base\n";
/* Sums that go from skip to skip, of which the first and a later one are wanted again at the end;
 * then elementwise layers of different channels side by side. */
static const char ladder_net[] =
    "input y bicubic\nconv 12 3x3 full\nname head\nrepeat 2\nname skip\n"
    "conv 12 3x3 low norm\nlrelu\nadd skip\nend\nname late\nrepeat 2\n"
    "name skip\nconv 12 1x1 low norm\nadd skip\nend\nadd head\nname sum\n"
    "conv 1 1x1 full\nadd input\nname thin\nfrom sum\nlrelu\nadd late\n"
    "lrelu\nconv 1 1x1 full\nadd thin\nlrelu\nadd thin\n";
static const char *const nets[] = {branch_net, chain_net,  skip_net,     thin_net,  signed_net,
                                   twice_net,  thrice_net, fourfold_net, ladder_net};
enum { NETS = sizeof nets / sizeof *nets };

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

static SlbModel *random_model(const char *net, int weight_bits, int act_bits)
{
    SlbError err = {0};
    SlbGraph *g = NULL;
    SlbModel *m = NULL;
    assert_int_equal(slb_graph_parse(net, strlen(net), "t", &g, &err), SLB_OK);
    assert_int_equal(slb_model_create(g, weight_bits, &m, &err), SLB_OK);
    slb_graph_free(g);
    SlbRng rng = slb_rng(11, (uint64_t)weight_bits, 0);
    for (int i = 0; i < m->graph->conv_count; i++) {
        fill_conv(&m->conv[i], &rng);
        if (act_bits < 8) m->conv[i].in_step *= 100.0f / (float)(1 << act_bits);
    }
    m->act_bits = act_bits;
    return m;
}

/* Inputs: as many floats as any network reads. */
static float *random_plane(Size z)
{
    size_t n = 3 * (size_t)z.width * z.height;
    float *plane = slb_alloc(n, sizeof *plane);
    assert_non_null(plane);
    SlbRng rng = slb_rng(5, z.width, z.height);
    for (size_t i = 0; i < n; i++) plane[i] = (float)(1.2 * slb_rng_uniform(&rng) - 0.1);
    return plane;
}

/* -- plans -- */

static size_t outputs(const SlbModel *m, Size z)
{
    return elements(&m->graph->nodes[m->graph->node_count - 1], z);
}

static SlbPlan *make_plan(const SlbModel *m, SlbPlanOptions options)
{
    SlbError err = {0};
    SlbPlan *plan = NULL;
    if (slb_plan_create(m, &options, &plan, &err) != SLB_OK) fail_msg("%s", err.message);
    assert_int_equal(slb_plan_threads(plan), options.threads);
    assert_int_equal(slb_plan_channels(plan), m->graph->nodes[0].channels);
    assert_int_equal(slb_plan_scale(plan), m->graph->scale);
    return plan;
}

static float *run(const SlbModel *m, SlbPlanOptions options, Size z, const float *in)
{
    SlbError err = {0};
    SlbPlan *plan = make_plan(m, options);
    float *out = slb_alloc(outputs(m, z), sizeof *out);
    memset(out, 0xff, outputs(m, z) * sizeof *out);
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
            bool large = z.width * z.height > 500;
            if (large && (strips[s] == 1 || (s + t) % 3)) continue; /* slow */
            options.strip_px = strips[s];
            options.threads = threads[t];
            float *out = run(m, options, z, in);
            assert_memory_equal(out, expected, outputs(m, z) * sizeof *out);
            slb_free(out);
        }
}

/* Nor must the windows that a picture streams by in. What lies outside them is not there: the
 * window of the input is a copy in memory of its own (AddressSanitizer sees its ends). */
static void check_windows(const SlbModel *m, SlbPlanOptions options, Size z, const float *in,
                          const float *expected)
{
    static const uint32_t heights[] = {1, 5, 16};
    SlbPlan *plan = make_plan(m, options);
    SlbError err = {0};
    size_t in_row = (size_t)z.width * (size_t)slb_plan_channels(plan);
    size_t scale = (size_t)slb_plan_scale(plan), out_row = in_row * scale;
    uint32_t rows = z.height * (uint32_t)scale;
    for (int h = 0; h < 3; h++)
        for (uint32_t y = 0; y < rows; y += heights[h]) {
            SlbRows made = {y, rows - y < heights[h] ? rows - y : heights[h]};
            SlbRows read = slb_plan_reads(plan, z.height, made);
            float *part = slb_alloc(read.count * in_row, sizeof *part);
            float *out = slb_alloc(made.count * out_row, sizeof *out);
            memcpy(part, in + read.first * in_row, read.count * in_row * sizeof *part);
            if (slb_plan_run_rows(plan, z.width, z.height, part, read, out, made, NULL, NULL,
                                  &err) != SLB_OK)
                fail_msg("%s", err.message);
            assert_memory_equal(out, expected + y * out_row, made.count * out_row * sizeof *out);
            slb_free(part);
            slb_free(out);
        }
    slb_plan_free(plan);
}

static void check_float(const char *net, int weight_bits)
{
    SlbModel *m = random_model(net, weight_bits, 32);
    for (int i = 0; i < SIZES; i++) {
        Size z = sizes[i];
        float *in = random_plane(z), *expected = reference_float(m, z, in);
        for (int level = 0; level < SLB_CPU_LEVELS; level++) {
            if (!slb_cpu_has((SlbCpuLevel)level)) continue;
            SlbPlanOptions options = {.level = (SlbCpuLevel)level, .threads = 1};
            float *out = run(m, options, z, in);
            for (size_t p = 0; p < outputs(m, z); p++)
                assert_float_equal(out[p], expected[p], 2e-5f * fmaxf(1.0f, fabsf(expected[p])));
            if (level == SLB_CPU_C || i == SIZES - 2) check_divisions(m, options, z, in, out);
            if (i == SIZES - 2) check_windows(m, options, z, in, out);
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
    for (int n = 0; n < NETS; n++) check_float(nets[n], 32);
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

static void check_packed(const char *net, int weight_bits, int act_bits)
{
    SlbModel *m = random_model(net, weight_bits, act_bits);
    for (int i = 0; i < SIZES; i++) {
        Size z = sizes[i];
        float *in = random_plane(z), *expected = reference_packed(m, z, in);
        if (i == SIZES - 1) assert_lively(expected, outputs(m, z));
        for (int level = 0; level < SLB_CPU_LEVELS; level++) {
            if (!slb_cpu_has((SlbCpuLevel)level)) continue;
            SlbPlanOptions options = {.packed = true, .level = (SlbCpuLevel)level, .threads = 1};
            float *out = run(m, options, z, in);
            assert_memory_equal(out, expected, outputs(m, z) * sizeof *out);
            bool thorough = level == SLB_CPU_C && act_bits % 8 < 2; /* 8 and 1 */
            if (thorough) check_divisions(m, options, z, in, expected);
            if (thorough && i < SIZES - 1) check_windows(m, options, z, in, expected);
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
    for (int n = 0; n < NETS; n++)
        for (int bits = 1; bits <= 4; bits *= 2) check_packed(nets[n], bits, 8);
}

static void test_packed_few_bits(void **state)
{
    (void)state;
    for (int n = 0; n < NETS; n++)
        for (int bits = 1; bits <= 4; bits *= 2) check_packed(nets[n], bits > 2 ? 1 : bits, bits);
    check_packed(signed_net, 2, 1);
}

/* The packed network is the float one but for the rounding of activations. */
static void test_packed_is_near_float(void **state)
{
    (void)state;
    Size z = {40, 30};
    SlbModel *m = random_model(chain_net, 2, 8);
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
    SlbModel *m = random_model(chain_net, 32, 32);
    refused(m, packed, SLB_E_MODEL);
    refused(m, (SlbPlanOptions){.threads = 0}, SLB_E_USAGE);
    for (int level = 0; level < SLB_CPU_LEVELS; level++)
        if (!slb_cpu_has((SlbCpuLevel)level))
            refused(m, (SlbPlanOptions){.threads = 1, .level = (SlbCpuLevel)level}, SLB_E_USAGE);
    slb_model_free(m);
    m = random_model(chain_net, 2, 8);
    m->act_bits = 32;
    refused(m, packed, SLB_E_MODEL);
    slb_model_free(m);
}

/* Windows that lack rows, and rows that the output has not. */
static void test_refused_rows(void **state)
{
    (void)state;
    Size z = {5, 40};
    SlbModel *m = random_model(twice_net, 2, 8);
    SlbPlan *plan = make_plan(m, (SlbPlanOptions){.packed = true, .threads = 1});
    float *in = random_plane(z), *out = slb_alloc(outputs(m, z), sizeof *out);
    SlbRows made = {31, 3}, read = slb_plan_reads(plan, z.height, made);
    assert_int_equal(read.first, 15 - 8); /* 7 convs, and half of one behind the shuffle */
    assert_int_equal(read.first + read.count, 17 + 8);
    static const struct {
        int first, count, out_first;
        SlbStatus status;
    } cases[] = {{0, 0, 0, SLB_OK},       {0, 1, 0, SLB_OK},
                 {1, -1, 0, SLB_E_USAGE}, {0, -1, 0, SLB_E_USAGE},
                 {-7, 0, 0, SLB_E_USAGE}, {0, 0, 80 - 31 - 2, SLB_E_USAGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SlbError err = {0};
        SlbRows rows = {read.first + (uint32_t)cases[i].first,
                        read.count + (uint32_t)cases[i].count};
        SlbRows to = {made.first + (uint32_t)cases[i].out_first, made.count};
        assert_int_equal(
            slb_plan_run_rows(plan, z.width, z.height, in, rows, out, to, NULL, NULL, &err),
            cases[i].status);
    }
    slb_plan_free(plan);
    slb_free(in);
    slb_free(out);
    slb_model_free(m);
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
    SlbModel *m = random_model(skip_net, 2, 8);
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
    SlbModel *m = random_model(skip_net, 2, 8);
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
    SlbModel *m = random_model(chain_net, 1, 8);
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
    m = random_model(signed_net, 1, 1); /* conv03 reads what a relu made */
    plan = make_plan(m, (SlbPlanOptions){.packed = true, .threads = 1});
    assert_string_equal(slb_plan_kernel(plan, 2), "xnor c");
    assert_string_equal(slb_plan_kernel(plan, 3), "packed c");
    slb_plan_free(plan);
    slb_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float),           cmocka_unit_test(test_packed),
        cmocka_unit_test(test_packed_few_bits), cmocka_unit_test(test_packed_is_near_float),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_refused_rows),
        cmocka_unit_test(test_progress),        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_kernel_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
