/* The same bytes on every machine, for any width of strips and any threads: outputs of packed
 * networks by their hashes, which are written down here. All that goes in is made of whole numbers
 * and exact fractions, so that no C library has a say. tests/cross runs this on older and other
 * processors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "infer/plan.h"

enum { WIDTH = 37, HEIGHT = 29 };

/* VDSR in small; SRResNet in small, and with leaky ReLU around skips of single layers. */
static const char vdsr[] = "input y bicubic\nconv 32 3x3 full relu\nrepeat 4\n"
                           "conv 32 3x3 low norm relu\nend\nconv 1 3x3 full\nadd input\n";
static const char srresnet[] =
    "input rgb\nconv 24 3x3 full\nname head\nrepeat 3\nname block\nconv 24 3x3 low norm relu\n"
    "conv 24 3x3 low norm\nadd block\nend\nconv 24 3x3 low norm\nadd head\n"
    "conv 96 3x3 low norm\nshuffle 2\nconv 3 3x3 full\n";
static const char e2fif[] = "input y\nconv 64 3x3 full\nrepeat 4\nname x\nconv 64 3x3 low norm\n"
                            "add x\nlrelu\nend\nconv 9 3x3 full\nshuffle 3\n";

static const struct {
    const char *net;
    int weight_bits, act_bits;
    uint64_t hash;
} cases[] = {
    {vdsr, 1, 8, 0x05ee0e2a7a334421},     {vdsr, 2, 8, 0xc11728b0581c17af},
    {vdsr, 4, 8, 0x55bc8b24801b70a4},     {vdsr, 1, 1, 0x5a308386bce928c5},
    {srresnet, 2, 8, 0x23335af221b702b3}, {srresnet, 4, 4, 0xb7e5e49db70c4723},
    {srresnet, 2, 2, 0x447b891bf5c1252f}, {srresnet, 1, 1, 0xed53473a062603f1},
    {e2fif, 1, 1, 0x06608a9dcf8c8c82},    {e2fif, 1, 8, 0x062a5199569d535c},
};
enum { CASES = sizeof cases / sizeof *cases };

/* FNV-1a. */
static uint64_t hash_of(const float *values, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int b = 0; b < 32; b += 8) hash = (hash ^ (bits >> b & 255)) * 0x100000001b3;
    }
    return hash;
}

/* A multiple of 1 / 1024 in -1..1. */
static float fraction(SlbRng *rng)
{
    return ((float)slb_rng_below(rng, 2049) - 1024.0f) / 1024.0f;
}

static SlbModel *make_model(const char *net, int weight_bits, int act_bits)
{
    SlbGraph *graph = NULL;
    SlbModel *m = NULL;
    SlbRng rng = slb_rng(1, (uint64_t)weight_bits, (uint64_t)act_bits);
    assert_int_equal(slb_graph_parse(net, strlen(net), "t", &graph, NULL), SLB_OK);
    assert_int_equal(slb_model_create(graph, weight_bits, &m, NULL), SLB_OK);
    slb_graph_free(graph);
    m->act_bits = act_bits;
    for (int i = 0; i < m->graph->conv_count; i++) {
        SlbConvParams *c = &m->conv[i];
        int inputs = c->in_channels * c->kernel * c->kernel;
        float gain = inputs < 16 ? 0.5f : inputs < 300 ? 0.125f : 0.0625f;
        for (int k = 0; k < c->out_channels * inputs; k++)
            if (c->bits == 32)
                c->weight[k] = gain * fraction(&rng);
            else
                c->level[k] = (uint8_t)slb_rng_below(&rng, 1u << c->bits);
        for (int o = 0; o < c->out_channels; o++) {
            c->bias[o] = 0.125f * fraction(&rng);
            if (c->bits < 32) c->scale[o] = gain * (1.0f + 0.5f * fraction(&rng));
        }
        c->in_step = 1.5f / (float)(1 << act_bits);
    }
    return m;
}

/* Ways to cut the picture: strips narrower than a vector of any kernel, of odd widths, of the whole
 * picture, and as the program chooses them; more threads than strips, and fewer. */
static const struct {
    uint32_t strip_px;
    int threads;
} cuts[] = {{16, 2}, {1, 3}, {5, 1}, {7, 7}, {WIDTH, 2}, {0, 1}};
enum { CUTS = sizeof cuts / sizeof *cuts };

static uint64_t run(const SlbModel *m, SlbCpuLevel level, int cut, const float *in)
{
    SlbPlan *plan = NULL;
    const SlbPlanOptions options = {.packed = true,
                                    .level = level,
                                    .threads = cuts[cut].threads,
                                    .strip_px = cuts[cut].strip_px};
    assert_int_equal(slb_plan_create(m, &options, &plan, NULL), SLB_OK);
    size_t scale = (size_t)slb_plan_scale(plan);
    size_t count = WIDTH * HEIGHT * scale * scale * (size_t)slb_plan_channels(plan);
    float *out = slb_alloc(count, sizeof *out);
    assert_int_equal(slb_plan_run(plan, in, out, WIDTH, HEIGHT, NULL, NULL, NULL), SLB_OK);
    uint64_t hash = hash_of(out, count);
    float low = out[0], high = out[0]; /* a hash of the same number all over would say little */
    for (size_t i = 0; i < count; i++) {
        if (out[i] < low) low = out[i];
        if (out[i] > high) high = out[i];
    }
    assert_true(high - low > 0.05f);
    slb_free(out);
    slb_plan_free(plan);
    return hash;
}

static void test_hashes(void **state)
{
    (void)state;
    float in[WIDTH * HEIGHT * 3];
    SlbRng rng = slb_rng(2, 0, 0);
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) in[i] = (float)slb_rng_below(&rng, 256) / 256.0f;
    int wrong = 0;
    for (int i = 0; i < CASES; i++) {
        SlbModel *m = make_model(cases[i].net, cases[i].weight_bits, cases[i].act_bits);
        for (int k = 0; k < SLB_CPU_LEVELS * CUTS; k++) {
            SlbCpuLevel level = (SlbCpuLevel)(k / CUTS);
            int cut = k % CUTS;
            if (!slb_cpu_has(level)) continue;
            uint64_t hash = run(m, level, cut, in);
            if (hash == cases[i].hash) continue;
            wrong++;
            print_message("case %d, %s, strips of %u pixels, %d threads: 0x%016llx\n", i,
                          slb_cpu_level_name(level), cuts[cut].strip_px, cuts[cut].threads,
                          (unsigned long long)hash);
        }
        slb_model_free(m);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hashes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
