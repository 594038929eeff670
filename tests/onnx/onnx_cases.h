/* Models exported to ONNX, run by another program and compared with slbsr's own plans. The program
 * is called with MODEL.onnx INPUT OUTPUT CHANNELS HEIGHT WIDTH; INPUT and OUTPUT are raw floats,
 * [height][width][channels]. */
#ifndef TESTS_ONNX_CASES_H
#define TESTS_ONNX_CASES_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "img/codec.h"
#include "img/protocol.h"
#include "infer/builtin.h"
#include "infer/onnx_export.h"
#include "infer/plan.h"

enum { WIDTH = 61, HEIGHT = 47 }; /* of the input */

typedef struct OnnxCase {
    const char *name;
    const char *model;         /* built in; NULL: random weights for `net` */
    const char *net;           /* the text of a network, or the name of one */
    int weight_bits, act_bits; /* of random weights */
    bool use_float;
    double largest; /* difference allowed, of 255 */
    double share;   /* of the samples that may differ when rounded to 8 bits */
} OnnxCase;

/* In floats only the order of sums differs: 0.00003 of 255 was measured. With codes, a value of a
 * float layer that lies on the border between two of them may go to either side, and what it
 * reaches changes a little: with VDSR, 0 to 2 % of the samples round differently, by 0.7 of 255 at
 * most. Random networks with many float sums, or of few bits, shake more. */
#define FLOAT_TOLERANCE .largest = 0.005, .share = 0.001
#define CODE_TOLERANCE .largest = 1.0, .share = 0.05
#define RANDOM_TOLERANCE .largest = 2.0, .share = 0.3
#define FEW_BITS_TOLERANCE .largest = 255.0, .share = 0.02

/* Codes with a sign and without, made by low layers and others, read once and twice. */
static const char all_layers[] =
    "input y\nconv 8 3x3 full relu\nname a\nconv 12 1x1 low norm relu\n"
    "conv 8 3x3 low\nadd a\nlrelu\nconv 8 3x3 low\nconv 8 1x1 low\n"
    "shuffle 2\nname b\nconv 2 3x3 low relu\nadd b\nconv 1 3x3 full\n";

static const OnnxCase onnx_cases[] = {
    {.name = "vdsr-w32", .model = "vdsr-w32", FLOAT_TOLERANCE},
    {.name = "vdsr-w2", .model = "vdsr-w2", CODE_TOLERANCE},
    {.name = "vdsr-w1", .model = "vdsr-w1", CODE_TOLERANCE},
    {.name = "vdsr-w2 as floats", .model = "vdsr-w2", .use_float = true, FLOAT_TOLERANCE},
    {.name = "srresnet-x2",
     .net = "srresnet-x2",
     .weight_bits = 32,
     .act_bits = 32,
     FLOAT_TOLERANCE},
    {.name = "srresnet-x2, 2/8",
     .net = "srresnet-x2",
     .weight_bits = 2,
     .act_bits = 8,
     RANDOM_TOLERANCE},
    {.name = "all layers, 4/8",
     .net = all_layers,
     .weight_bits = 4,
     .act_bits = 8,
     RANDOM_TOLERANCE},
    {.name = "all layers, 2/4",
     .net = all_layers,
     .weight_bits = 2,
     .act_bits = 4,
     FEW_BITS_TOLERANCE},
    {.name = "all layers, 1/2",
     .net = all_layers,
     .weight_bits = 1,
     .act_bits = 2,
     FEW_BITS_TOLERANCE},
    {.name = "all layers, 1/1",
     .net = all_layers,
     .weight_bits = 1,
     .act_bits = 1,
     FEW_BITS_TOLERANCE},
};
enum { ONNX_CASES = sizeof onnx_cases / sizeof *onnx_cases };

static char onnx_folder[64];

/* A file in the folder of this process. */
static const char *onnx_path(const char *name)
{
    static char path[4][128];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", onnx_folder, name);
    return p;
}

static void fill_random(SlbModel *m)
{
    SlbRng rng = slb_rng(11, 0, 0);
    for (int i = 0; i < m->graph->conv_count; i++) {
        SlbConvParams *c = &m->conv[i];
        float size = 0.7f / sqrtf((float)(c->in_channels * c->kernel * c->kernel));
        for (size_t k = 0; k < slb_conv_weights(c); k++) {
            if (c->bits == 32)
                c->weight[k] = size * (float)slb_rng_normal(&rng);
            else
                c->level[k] = (uint8_t)slb_rng_below(&rng, 1u << c->bits);
        }
        for (int o = 0; o < c->out_channels; o++) {
            c->bias[o] = 0.1f * (float)slb_rng_normal(&rng);
            if (c->bits < 32) c->scale[o] = size * (float)(slb_rng_uniform(&rng) * 2.5 - 0.5);
        }
        if (c->bits < 32) {
            c->scale[0] = 0.0f; /* a channel that is its bias */
            if (m->act_bits < 32) c->in_step = 1.5f / (float)(1 << m->act_bits);
        }
    }
}

static SlbModel *open_case(const OnnxCase *c)
{
    SlbError err = {0};
    SlbModel *m = NULL;
    SlbGraph *g = NULL;
    if (c->model) {
        assert_int_equal(slb_model_open(c->model, NULL, &m, &err), SLB_OK);
        return m;
    }
    SlbStatus s = strchr(c->net, '\n') ? slb_graph_parse(c->net, strlen(c->net), "t", &g, &err)
                                       : slb_graph_open(c->net, &g, &err);
    assert_int_equal(s, SLB_OK);
    assert_int_equal(slb_model_create(g, c->weight_bits, &m, &err), SLB_OK);
    slb_graph_free(g);
    m->act_bits = c->act_bits;
    fill_random(m);
    return m;
}

/* A corner of a picture, made smaller and larger again where the network wants that: what networks
 * see in use. */
static float *make_input(int channels)
{
    SlbError err = {0};
    SlbImage image = {0};
    SlbLumaPair pair;
    float *in = slb_alloc((size_t)WIDTH * HEIGHT * (size_t)channels, sizeof *in);
    assert_non_null(in);
    assert_int_equal(slb_image_load(SLBSR_SOURCE_DIR "/data/hr/coffee.png", NULL, &image, &err),
                     SLB_OK);
    assert_int_equal(slb_luma_pair(&image, 2, "coffee", &pair, &err), SLB_OK);
    assert_true(image.info.depth == 8 && image.info.channels == 3 && pair.width >= WIDTH + 60);
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH; x++) {
            size_t at = y * WIDTH + x, from = (y + 40) * pair.width + x + 60;
            const unsigned char *rgb = image.data + (y + 40) * image.stride_bytes + (x + 60) * 3;
            if (channels == 1)
                in[at] = (float)(pair.bicubic[from] / 255.0);
            else
                for (size_t c = 0; c < 3; c++) in[at * 3 + c] = (float)rgb[c] / 255.0f;
        }
    slb_luma_pair_free(&pair);
    slb_image_free(&image);
    return in;
}

static void run_plan(const OnnxCase *c, const SlbModel *m, const float *in, float *out)
{
    SlbError err = {0};
    SlbCpu cpu;
    SlbPlan *plan;
    assert_true(slb_cpu_detect(&cpu));
    SlbPlanOptions options = {.level = cpu.level,
                              .threads = slb_cpu_count(),
                              .packed = m->act_bits < 32 && !c->use_float};
    if (slb_plan_create(m, &options, &plan, &err) != SLB_OK) fail_msg("%s", err.message);
    assert_int_equal(slb_plan_run(plan, in, out, WIDTH, HEIGHT, NULL, NULL, &err), SLB_OK);
    slb_plan_free(plan);
}

static void write_raw(const char *path, const float *values, size_t count)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(values, sizeof *values, count, f), count);
    assert_int_equal(fclose(f), 0);
}

static void run_other(const char *program, int channels, float *out, size_t count)
{
    char command[1024];
    unsigned char *data;
    size_t bytes;
    SlbError err = {0};
    snprintf(command, sizeof command, "%s %s %s %s %d %d %d", program, onnx_path("model.onnx"),
             onnx_path("in"), onnx_path("out"), channels, HEIGHT, WIDTH);
    if (system(command) != 0) fail_msg("failed: %s", command);
    assert_int_equal(slb_read_file(onnx_path("out"), 1 << 28, SLB_E_INPUT, &data, &bytes, &err),
                     SLB_OK);
    assert_int_equal(bytes, count * sizeof *out);
    memcpy(out, data, bytes);
    slb_free(data);
}

static void compare_samples(const OnnxCase *c, const float *want, const float *got, size_t count)
{
    double largest = 0.0, low = INFINITY, high = -INFINITY;
    size_t differ = 0;
    for (size_t i = 0; i < count; i++) {
        double a = (double)want[i] * 255.0, b = (double)got[i] * 255.0;
        if (!(fabs(a - b) <= largest)) largest = fabs(a - b);
        differ += rint(a) != rint(b);
        if (a < low) low = a;
        if (a > high) high = a;
    }
    double share = (double)differ / (double)count;
    print_message("%s: %.0f to %.0f, largest difference %.5f of 255, %.3f %% of the samples round "
                  "differently\n",
                  c->name, low, high, largest, 100.0 * share);
    assert_true(high - low > 50.0); /* a flat result would prove nothing */
    if (!(largest <= c->largest && share <= c->share)) fail_msg("%s: too far apart", c->name);
}

static void run_case(const OnnxCase *c, const char *program)
{
    SlbError err = {0};
    SlbModel *m = open_case(c);
    int channels = m->graph->nodes[0].channels, scale = m->graph->scale;
    size_t in_count = (size_t)WIDTH * HEIGHT * (size_t)channels;
    size_t count = in_count * (size_t)(scale * scale);
    float *in = make_input(channels), *want = slb_alloc(count, sizeof *want),
          *got = slb_alloc(count, sizeof *got);
    assert_true(want && got);
    SlbOnnxOptions how = {.use_float = c->use_float, .overwrite = true};
    if (slb_export_onnx(m, &how, onnx_path("model.onnx"), &err) != SLB_OK)
        fail_msg("%s", err.message);
    write_raw(onnx_path("in"), in, in_count);
    run_plan(c, m, in, want);
    run_other(program, channels, got, count);
    compare_samples(c, want, got, count);
    slb_free(in);
    slb_free(want);
    slb_free(got);
    slb_model_free(m);
}

/* All cases by `program`. */
static void run_onnx_cases(const char *program)
{
    snprintf(onnx_folder, sizeof onnx_folder, "/tmp/slbsr_test_onnx_%ld", (long)getpid());
    char command[128];
    snprintf(command, sizeof command, "mkdir %s", onnx_folder);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < ONNX_CASES; i++) run_case(&onnx_cases[i], program);
    snprintf(command, sizeof command, "rm -r %s", onnx_folder);
    assert_int_equal(system(command), 0);
}

#endif
