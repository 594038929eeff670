/* Gradients against finite differences: of the engine, for every layer type of a graph and every
 * CPU level this machine has, and of the weight search methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kern/tensor.h"
#include "train/engine.h"
#include "train/layer.h"

enum { WIDTH = 7, HEIGHT = 5 };

/* Every form of every node: 3x3 and 1x1, with and without ReLU, a source with several readers (a
 * sum, a convolution), the sum of wide tensors, the sum with the input, odd numbers of channels. */
static const char odd_net[] = "input y bicubic\n"
                              "conv 20 3x3 full relu\n"
                              "name skip\n"
                              "conv 20 3x3 low norm relu\n"
                              "conv 20 1x1 low norm\n"
                              "add skip\n"
                              "conv 17 3x3 low norm relu\n"
                              "conv 1 3x3 full\n"
                              "add input\n";

/* Wider: the shapes between which the kernels' tiles leave remainders, a sum of the input itself.
 */
static const char wide_net[] = "input y bicubic\n"
                               "add input\n"
                               "conv 32 3x3 full relu\n"
                               "conv 64 3x3 low norm relu\n"
                               "conv 80 1x1 low norm relu\n"
                               "conv 96 3x3 low norm relu\n"
                               "conv 1 3x3 full\n"
                               "add input\n";

/* Networks that enlarge: three channels in and out, two resolutions more, leaky ReLU, a shuffle
 * that two read, one of few channels, one behind a ReLU. */
static const char large_net[] = "input rgb\n"
                                "conv 16 3x3 full\n"
                                "name skip\n"
                                "conv 20 3x3 low norm relu\n"
                                "conv 16 3x3 low norm\n"
                                "add skip\n"
                                "lrelu\n"
                                "conv 64 3x3 low norm relu\n"
                                "shuffle 2\n"
                                "name half\n"
                                "conv 16 3x3 full\n"
                                "add half\n"
                                "conv 12 3x3 full\n"
                                "shuffle 2\n"
                                "name end\n"
                                "lrelu\n"
                                "add end\n";

typedef struct Setup {
    SlbGraph *graph;
    SlbEngine *engine;
    SlbWeights *weights;
    SlbSlot *slot;
    SlbGrads *grads;
    float *weight[8], *bias[8];
    size_t size[8];
    int outputs[8], taps[8], convs;
    size_t samples; /* of the output */
    float in[WIDTH * HEIGHT * 3], target[WIDTH * HEIGHT * 3 * 16];
} Setup;

static void fill(float *values, size_t count, uint64_t stream, double scale)
{
    SlbRng rng = slb_rng(7, stream, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)(scale * slb_rng_normal(&rng));
}

/* Steps of codes that clip a few of the values. */
static float step_of(const SlbGraph *graph, int conv, int act_bits)
{
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].op == SLB_OP_CONV && graph->nodes[i].conv == conv) {
            SlbCodes codes = slb_codes(act_bits, graph->nodes[graph->nodes[i].source[0]].positive);
            return 2.0f / (float)(codes.most - codes.zero);
        }
    return 0;
}

static void setup(Setup *s, const char *net_text, SlbPrecision precision, int act_bits, SlbCpu cpu)
{
    SlbError err = {0};
    memset(s, 0, sizeof *s);
    assert_int_equal(slb_graph_parse(net_text, strlen(net_text), "test", &s->graph, &err), SLB_OK);
    assert_int_equal(
        slb_engine_create(
            s->graph,
            &(SlbEngineForm){.precision = precision, .act_bits = act_bits, .normalize = true}, &cpu,
            &s->engine, &err),
        SLB_OK);
    assert_int_equal(slb_weights_create(s->engine, &s->weights, &err), SLB_OK);
    assert_int_equal(slb_slot_create(s->engine, WIDTH, HEIGHT, true, &s->slot, &err), SLB_OK);
    assert_int_equal(slb_grads_create(s->engine, &s->grads, &err), SLB_OK);
    for (int i = 0; i < s->graph->node_count; i++) {
        const SlbNode *n = &s->graph->nodes[i];
        if (n->op != SLB_OP_CONV) continue;
        int inputs = s->graph->nodes[n->source[0]].channels;
        size_t fan_in = (size_t)(inputs * n->kernel * n->kernel);
        s->outputs[n->conv] = n->channels;
        s->taps[n->conv] = n->kernel * n->kernel;
        s->size[n->conv] = fan_in * (size_t)n->channels;
        s->weight[n->conv] = slb_alloc(s->size[n->conv], sizeof(float));
        s->bias[n->conv] = slb_alloc((size_t)n->channels, sizeof(float));
        fill(s->weight[n->conv], s->size[n->conv], 10 + (uint64_t)n->conv,
             sqrt(2.0 / (double)fan_in));
        fill(s->bias[n->conv], (size_t)n->channels, 30 + (uint64_t)n->conv, 0.2);
        s->convs++;
        if (act_bits < 32 && n->low)
            slb_weights_set_step(s->weights, s->engine, n->conv,
                                 step_of(s->graph, n->conv, act_bits));
    }
    size_t scale = (size_t)s->graph->scale, channels = (size_t)s->graph->nodes[0].channels;
    s->samples = WIDTH * HEIGHT * scale * scale * channels;
    fill(s->in, WIDTH * HEIGHT * channels, 1, 1.0);
    fill(s->target, s->samples, 2, 1.0);
}

static void teardown(Setup *s)
{
    for (int c = 0; c < s->convs; c++) {
        slb_free(s->weight[c]);
        slb_free(s->bias[c]);
    }
    slb_grads_free(s->grads);
    slb_slot_free(s->slot);
    slb_weights_free(s->weights);
    slb_engine_free(s->engine);
    slb_graph_free(s->graph);
}

static double pass(Setup *s, SlbLoss loss)
{
    for (int c = 0; c < s->convs; c++)
        slb_weights_set(s->weights, s->engine, c, s->weight[c], s->bias[c]);
    slb_grads_zero(s->grads);
    slb_forward(s->engine, s->weights, s->slot, s->in, WIDTH, HEIGHT);
    const SlbAim aim = {.loss = loss, .samples = (double)s->samples, .target = s->target};
    return slb_backward(s->engine, s->weights, s->slot, &aim, s->grads);
}

/* (f(x + h) - f(x - h)) / 2h for one parameter. */
static double difference(Setup *s, float *value, SlbLoss loss, float h)
{
    float kept = *value;
    *value = kept + h;
    double up = pass(s, loss);
    *value = kept - h;
    double down = pass(s, loss);
    *value = kept;
    return (up - down) / (2.0 * (double)h);
}

/* Compares a sample of one array's gradients as vectors: |a - b| against |b|. Steps over a kink of
 * a ReLU or of the L1 loss make single values differ, so a few outliers must not decide. */
static double mismatch(Setup *s, float *values, const float *grad, size_t count, SlbLoss loss)
{
    double error = 0, norm = 0;
    size_t stride = count / 40 + 1;
    for (size_t i = 0; i < count; i += stride) {
        double numeric = difference(s, &values[i], loss, 1e-3f);
        double d = (double)grad[i] - numeric;
        error += d * d;
        norm += numeric * numeric;
    }
    return sqrt(error / fmax(norm, 1e-12));
}

static void check_level(const char *net_text, SlbCpuLevel level, SlbLoss loss, double tolerance)
{
    Setup s;
    setup(&s, net_text, SLB_FLOAT32, 32, (SlbCpu){.level = level});
    for (int c = 0; c < s.convs; c++) {
        float *grad = slb_alloc(s.size[c], sizeof *grad);
        float *bias_grad = slb_alloc((size_t)s.outputs[c], sizeof *bias_grad);
        pass(&s, loss);
        slb_grads_get(s.grads, s.engine, c, grad, bias_grad);
        double w = mismatch(&s, s.weight[c], grad, s.size[c], loss);
        double b = mismatch(&s, s.bias[c], bias_grad, (size_t)s.outputs[c], loss);
        if (!(w <= tolerance && b <= tolerance))
            fail_msg("level %s conv %d: weights off by %g, biases by %g (of 1)",
                     slb_cpu_level_name(level), c, w, b);
        slb_free(grad);
        slb_free(bias_grad);
    }
    teardown(&s);
}

static void test_engine_mse(void **state)
{
    (void)state;
    for (int l = 0; l < SLB_CPU_LEVELS; l++)
        if (slb_cpu_has((SlbCpuLevel)l)) {
            check_level(odd_net, (SlbCpuLevel)l, SLB_LOSS_MSE, 0.01);
            check_level(wide_net, (SlbCpuLevel)l, SLB_LOSS_MSE, 0.12); /* more kinks */
            check_level(large_net, (SlbCpuLevel)l, SLB_LOSS_MSE, 0.05);
        }
}

static void test_engine_l1(void **state)
{
    (void)state;
    check_level(odd_net, SLB_CPU_C, SLB_LOSS_L1, 0.05);
}

/* q(x, step) in double, and its derivatives by differences of what the backward pass takes it for:
 * step (code + G(x / step) - G(u)), where code and u are those of the place itself, and G is the
 * clipping or, with one bit and a sign, the parabolas. */
static double surrogate(double u, SlbCodes codes)
{
    double low = -codes.zero, high = codes.most - codes.zero;
    if (!codes.sign) return fmin(fmax(u, low), high);
    return fabs(u) >= 1 ? copysign(1, u) : 2 * u - copysign(u * u, u);
}

static double reference(double x, double step, SlbCodes codes, double *slope, double *along)
{
    const double h = 1e-6;
    double u = x / step, code = codes.sign ? (x >= 0 ? 1 : -1) : rint(surrogate(u, codes));
    double base = code - surrogate(u, codes);
    *slope = step * (surrogate((x + h) / step, codes) - surrogate((x - h) / step, codes)) / (2 * h);
    double up = (step + h) * (base + surrogate(x / (step + h), codes));
    double down = (step - h) * (base + surrogate(x / (step - h), codes));
    *along = (up - down) / (2 * h);
    return step * code;
}

static void check_quantizer(const SlbTensorOps *ops, int bits, bool positive)
{
    enum { COUNT = 1003 };
    SlbCodes codes = slb_codes(bits, positive);
    float step = 2.0f / (float)(codes.most - codes.zero);
    SlbQuantizer q = slb_quantizer(codes, step);
    float x[COUNT], out[COUNT], grad[COUNT], half_value[COUNT];
    SlbBf16 half[COUNT], half_out[COUNT], half_grad[COUNT];
    double sum = 0, size = 0;
    fill(x, COUNT, 70, 1.0);
    fill(grad, COUNT, 71, 1.0);
    ops->to_bf16(x, COUNT, half);
    for (int i = 0; i < COUNT; i++) { /* none at a tie, where float32 may decide otherwise */
        double u = (double)slb_from_bf16(half[i]) / (double)step;
        if (fabs(u - floor(u) - 0.5) < 1e-4) half[i] = slb_to_bf16(0.2f * step);
    }
    ops->to_f32(half, COUNT, x); /* the same values for both */
    ops->to_bf16(grad, COUNT, half_grad);
    ops->to_f32(half_grad, COUNT, grad);
    ops->quantize_f32(x, &q, COUNT, out);
    ops->quantize_bf16(half, &q, COUNT, half_out);
    ops->to_f32(half_out, COUNT, half_value);
    float kept[COUNT];
    memcpy(kept, grad, sizeof kept);
    float along = ops->straight_f32(x, &q, COUNT, grad);
    float half_along = ops->straight_bf16(half, &q, COUNT, half_grad);
    assert_true(along == half_along);
    for (int i = 0; i < COUNT; i++) {
        double slope, mine, value = reference((double)x[i], (double)step, codes, &slope, &mine);
        sum += (double)kept[i] * mine;
        size += fabs((double)kept[i] * mine);
        assert_true(fabs((double)out[i] - value) <= 1e-6 &&
                    fabs((double)half_value[i] - value) <= 4e-3 * fabs(value));
        double wanted = (double)kept[i] * slope, g = (double)grad[i];
        double h = (double)slb_from_bf16(half_grad[i]);
        if (!(fabs(g - wanted) <= 1e-3 && fabs(h - wanted) <= 1e-3 + 4e-3 * fabs(wanted)))
            fail_msg("%d bits, x %g: gradient %g and in bf16 %g, wanted %g", bits, (double)x[i], g,
                     h, wanted);
    }
    assert_true(fabs((double)along - sum) <= 1e-3 * size);
}

static void test_quantizer(void **state)
{
    (void)state;
    static const int bits[] = {8, 4, 2, 1};
    for (int l = 0; l < SLB_CPU_LEVELS; l++)
        for (size_t b = 0; slb_cpu_has((SlbCpuLevel)l) && b < sizeof bits / sizeof *bits; b++) {
            check_quantizer(slb_tensor_ops((SlbCpuLevel)l), bits[b], true);
            check_quantizer(slb_tensor_ops((SlbCpuLevel)l), bits[b], false);
        }
}

/* out = x + b1 + w1 q(w0 x + b0), one channel, whose gradients can be written down: codes between
 * two layers, behind a ReLU or not, with another reader of the same tensor. */
static void check_codes(const char *net_text, int bits, bool relu, bool shared)
{
    Setup s;
    setup(&s, net_text, SLB_FLOAT32, bits, (SlbCpu){.level = SLB_CPU_C});
    double step = (double)step_of(s.graph, 1, bits), wanted[5] = {0}, loss = 0;
    double w0 = (double)s.weight[0][0], b0 = (double)s.bias[0][0];
    double w1 = (double)s.weight[1][0], b1 = (double)s.bias[1][0];
    for (size_t i = 0; i < s.samples; i++) {
        double x = (double)s.in[i], h = w0 * x + b0, slope, along;
        bool open = !relu || h > 0;
        h = open ? h : 0;
        double q = reference(h, step, slb_codes(bits, relu), &slope, &along);
        double d = x + b1 + w1 * q + (shared ? h : 0) - (double)s.target[i];
        double g = 2 * d / (double)s.samples, back = open ? g * (w1 * slope + shared) : 0;
        loss += d * d / (double)s.samples;
        wanted[0] += back * x;
        wanted[1] += back;
        wanted[2] += g * q;
        wanted[3] += g;
        wanted[4] += g * w1 * along;
    }
    double got = pass(&s, SLB_LOSS_MSE);
    float grad[5];
    for (int c = 0; c < 2; c++) slb_grads_get(s.grads, s.engine, c, &grad[2 * c], &grad[2 * c + 1]);
    grad[4] = slb_grads_step(s.grads, 1);
    assert_true(fabs(got - loss) <= 1e-5 * loss && slb_grads_step(s.grads, 0) == 0);
    for (int i = 0; i < 5; i++)
        if (!(fabs((double)grad[i] - wanted[i]) <= 1e-4 + 1e-4 * fabs(wanted[i])))
            fail_msg("%d bits, relu %d: gradient %d is %g, wanted %g", bits, relu, i,
                     (double)grad[i], wanted[i]);
    teardown(&s);
}

static void test_codes(void **state)
{
    (void)state;
    static const int bits[] = {8, 4, 2, 1};
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
        check_codes("input y bicubic\nconv 1 1x1 full\nconv 1 1x1 low\nadd input\n", bits[b], false,
                    false);
        check_codes("input y bicubic\nconv 1 1x1 full relu\nconv 1 1x1 low\nadd input\n", bits[b],
                    true, false);
        check_codes("input y bicubic\nconv 1 1x1 full relu\nname h\nconv 1 1x1 low\nadd h\n"
                    "add input\n",
                    bits[b], true, true);
    }
}

/* Batch normalization: with ReLU behind it and without, read by a sum, of a tensor that the input
 * of a skip reads too, with codes behind it. */
static const char norm_net[] = "input y bicubic\n"
                               "conv 20 3x3 full relu\n"
                               "name skip\n"
                               "conv 20 3x3 low norm sbn relu\n"
                               "conv 20 3x3 low norm sbn\n"
                               "add skip\n"
                               "conv 1 3x3 full\n"
                               "add input\n";

enum { PICTURES = 5, PARTS = 2 };

typedef struct Norms {
    Setup s;
    SlbBatch batch;
    SlbMoments *moments;
    SlbGrads *part[PARTS];
    float gamma[2][20], beta[2][20];
    float in[PICTURES * WIDTH * HEIGHT], target[PICTURES * WIDTH * HEIGHT];
} Norms;

static void norms_setup(Norms *n, SlbPrecision precision, SlbCpu cpu, int threads)
{
    setup(&n->s, norm_net, precision, 32, cpu);
    n->batch = (SlbBatch){.count = PICTURES, .width = WIDTH, .height = HEIGHT, .threads = threads};
    n->batch.slot = slb_calloc(PICTURES, sizeof *n->batch.slot);
    for (int i = 0; i < PICTURES; i++)
        assert_int_equal(slb_slot_create(n->s.engine, WIDTH, HEIGHT, true, &n->batch.slot[i], NULL),
                         SLB_OK);
    assert_int_equal(slb_moments_create(n->s.engine, PICTURES, &n->moments, NULL), SLB_OK);
    for (int p = 0; p < PARTS; p++)
        assert_int_equal(slb_grads_create(n->s.engine, &n->part[p], NULL), SLB_OK);
    for (int k = 0; k < 2; k++) {
        fill(n->gamma[k], 20, 80 + (uint64_t)k, 1.0);
        fill(n->beta[k], 20, 82 + (uint64_t)k, 0.3);
    }
    fill(n->in, PICTURES * WIDTH * HEIGHT, 84, 1.0);
    fill(n->target, PICTURES * WIDTH * HEIGHT, 85, 1.0);
}

static void norms_teardown(Norms *n)
{
    for (int p = 0; p < PARTS; p++) slb_grads_free(n->part[p]);
    for (int i = 0; i < PICTURES; i++) slb_slot_free(n->batch.slot[i]);
    slb_free(n->batch.slot);
    slb_moments_free(n->moments);
    teardown(&n->s);
}

static double norms_pass(Norms *n)
{
    Setup *s = &n->s;
    for (int c = 0; c < s->convs; c++)
        slb_weights_set(s->weights, s->engine, c, s->weight[c], s->bias[c]);
    for (int k = 0; k < 2; k++) slb_weights_set_norm(s->weights, 1 + k, n->gamma[k], n->beta[k]);
    for (int p = 0; p < PARTS; p++) slb_grads_zero(n->part[p]);
    slb_batch_forward(s->engine, s->weights, &n->batch, n->in, false, n->moments);
    const SlbAim aim = {
        .loss = SLB_LOSS_MSE, .samples = PICTURES * WIDTH * HEIGHT, .target = n->target};
    double loss =
        slb_batch_backward(s->engine, s->weights, &n->batch, &aim, n->moments, n->part, PARTS);
    for (int c = 0; c < s->convs; c++) {
        size_t count;
        float *sum = slb_grads_conv(n->part[0], c, &count);
        for (int p = 1; p < PARTS; p++)
            for (size_t i = 0; i < count; i++) sum[i] += slb_grads_conv(n->part[p], c, &count)[i];
    }
    return loss;
}

static void check_norm_values(Norms *n, float *value, const float *grad, size_t count,
                              const char *what)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i += count / 40 + 1) {
        const float h = 1e-3f;
        float kept = value[i];
        value[i] = kept + h;
        double up = norms_pass(n);
        value[i] = kept - h;
        double down = norms_pass(n);
        value[i] = kept;
        double numeric = (up - down) / (2.0 * (double)h), d = (double)grad[i] - numeric;
        error += d * d;
        norm += numeric * numeric;
    }
    if (!(sqrt(error / norm) <= 0.02)) fail_msg("%s: off by %g (of 1)", what, sqrt(error / norm));
}

static void test_norm(void **state)
{
    (void)state;
    Norms *n = slb_calloc(1, sizeof *n);
    norms_setup(n, SLB_FLOAT32, (SlbCpu){.level = SLB_CPU_C}, 1);
    float grad[20 * 20 * 9], gamma[20], bias[20];
    for (int c = 0; c < n->s.convs; c++) {
        norms_pass(n);
        slb_grads_get(n->part[0], n->s.engine, c, grad, bias);
        bool norm = c == 1 || c == 2;
        if (norm) slb_grads_gamma(n->part[0], n->s.engine, c, gamma);
        check_norm_values(n, n->s.weight[c], grad, n->s.size[c], "weights");
        check_norm_values(n, norm ? n->beta[c - 1] : n->s.bias[c], bias, (size_t)n->s.outputs[c],
                          "biases");
        if (norm) check_norm_values(n, n->gamma[c - 1], gamma, 20, "scales");
    }
    /* A scale of the weights is normalized away. */
    double loss = norms_pass(n);
    for (size_t i = 0; i < n->s.size[1]; i++) n->s.weight[1][i] *= 3.0f;
    assert_true(fabs(norms_pass(n) - loss) < 1e-3 * loss);
    norms_teardown(n);
    slb_free(n);
}

/* The same bytes for any number of threads; bf16 near float32. */
static void test_norm_threads(void **state)
{
    (void)state;
    SlbCpu cpu;
    Norms *n[3];
    double loss[3];
    float grad[3][20 * 20 * 9], bias[3][20];
    bool half = slb_cpu_detect(&cpu) && cpu.bf16;
    for (int i = 0; i < (half ? 3 : 2); i++) {
        n[i] = slb_calloc(1, sizeof *n[i]);
        norms_setup(n[i], i == 2 ? SLB_BFLOAT16 : SLB_FLOAT32, cpu, 1 + 2 * i);
        loss[i] = norms_pass(n[i]);
        slb_grads_get(n[i]->part[0], n[i]->s.engine, 1, grad[i], bias[i]);
        norms_teardown(n[i]);
        slb_free(n[i]);
    }
    assert_true(loss[0] == loss[1]);
    assert_memory_equal(grad[0], grad[1], sizeof grad[0]);
    if (!half) return;
    assert_true(fabs(loss[2] - loss[0]) < 0.02 * loss[0]);
    double error = 0, norm = 0;
    for (int i = 0; i < 20 * 20 * 9; i++) {
        error += pow((double)(grad[2][i] - grad[0][i]), 2);
        norm += pow((double)grad[0][i], 2);
    }
    assert_true(error < 0.05 * norm);
}

/* A teacher's output is a second target: the loss is the mean of both, as is the gradient. */
static void test_teacher(void **state)
{
    (void)state;
    for (int l = SLB_LOSS_MSE; l <= SLB_LOSS_L1; l++) {
        Setup s;
        const double share = 0.3;
        float grad[3][20 * 9], bias[3][20], teacher[WIDTH * HEIGHT];
        double loss[3];
        setup(&s, odd_net, SLB_FLOAT32, 32, (SlbCpu){.level = SLB_CPU_C});
        fill(teacher, WIDTH * HEIGHT, 90, 1.0);
        pass(&s, SLB_LOSS_MSE);
        SlbAim aim[3];
        for (int i = 0; i < 3; i++) {
            aim[i] = (SlbAim){.loss = (SlbLoss)l,
                              .samples = (double)s.samples,
                              .target = i == 1 ? teacher : s.target,
                              .teacher = i == 2 ? teacher : NULL,
                              .teacher_share = share};
            slb_grads_zero(s.grads);
            loss[i] = slb_backward(s.engine, s.weights, s.slot, &aim[i], s.grads);
            slb_grads_get(s.grads, s.engine, 0, grad[i], bias[i]);
        }
        assert_true(fabs(loss[2] - (1 - share) * loss[0] - share * loss[1]) < 1e-6 * loss[2]);
        for (int k = 0; k < 20; k++) {
            double wanted = (1 - share) * (double)bias[0][k] + share * (double)bias[1][k];
            assert_true(fabs((double)bias[2][k] - wanted) < 1e-5);
        }
        teardown(&s);
    }
}

/* bf16 and mixed precision against float32: the direction of every layer's gradient must agree, and
 * of the part of every input channel. */
static void compare_half(const char *net_text, SlbPrecision precision, int act_bits,
                         const SlbCpu *cpu)
{
    Setup exact, half;
    setup(&exact, net_text, SLB_FLOAT32, act_bits, *cpu);
    setup(&half, net_text, precision, act_bits, *cpu);
    double a = pass(&exact, SLB_LOSS_MSE), b = pass(&half, SLB_LOSS_MSE);
    assert_true(fabs(a - b) < 0.02 * a);
    for (int c = 0; c < exact.convs; c++) {
        size_t inputs = exact.size[c] / (size_t)(exact.outputs[c] * exact.taps[c]);
        float *grad = slb_alloc(exact.size[c], 2 * sizeof *grad), bias[2][128];
        float *other = grad + exact.size[c];
        slb_grads_get(exact.grads, exact.engine, c, grad, bias[0]);
        slb_grads_get(half.grads, half.engine, c, other, bias[1]);
        double whole = 0;
        for (size_t i = 0; i < exact.size[c]; i++) whole += (double)grad[i] * (double)grad[i];
        for (size_t k = 0; k < inputs; k++) {
            double norm = 0, error = 0;
            for (size_t i = 0; i < exact.size[c]; i++) {
                if (i / (size_t)exact.taps[c] % inputs != k) continue;
                double d = (double)grad[i] - (double)other[i];
                norm += (double)grad[i] * (double)grad[i];
                error += d * d;
            }
            if (!(error <= 0.15 * norm + 0.02 * whole / (double)inputs))
                fail_msg("conv %d input %zu: off by %g of %g", c, k, sqrt(error), sqrt(norm));
        }
        slb_free(grad);
    }
    teardown(&exact);
    teardown(&half);
}

static void test_engine_bf16(void **state)
{
    (void)state;
    SlbCpu cpu;
    SlbEngine *engine;
    SlbGraph *graph;
    if (!slb_cpu_detect(&cpu) || !cpu.bf16) {
        print_message("skipped: no AVX512-BF16 and no AMX here\n");
        skip();
    }
    static const SlbPrecision precisions[] = {SLB_BFLOAT16, SLB_MIXED};
    for (int i = 0; i < 2; i++) {
        compare_half(odd_net, precisions[i], 32, &cpu);
        compare_half(wide_net, precisions[i], 32, &cpu);
        compare_half(large_net, precisions[i], 32, &cpu);
        compare_half(odd_net, precisions[i], 8, &cpu);
        compare_half(large_net, precisions[i], 8, &cpu);
    }
    static const char too_wide[] = "input y bicubic\nconv 592 1x1 full relu\n"
                                   "conv 1 3x3 full\nadd input\n";
    assert_int_equal(slb_graph_parse(too_wide, strlen(too_wide), "test", &graph, NULL), SLB_OK);
    assert_int_equal(slb_engine_create(graph,
                                       &(SlbEngineForm){.precision = SLB_BFLOAT16, .act_bits = 32},
                                       &cpu, &engine, NULL),
                     SLB_E_UNBUILT);
    slb_graph_free(graph);
}

/* f = sum_i g_i W_i(parameters): its gradient by the method against differences. */
static double functional(const SlbLayer *layer, double sharpness, const float *g, float *w)
{
    double sum = 0;
    layer->method->weights(layer, sharpness, false, w);
    for (size_t i = 0; i < slb_layer_weights(layer); i++) sum += (double)g[i] * (double)w[i];
    return sum;
}

static void check_param(SlbLayer *layer, SlbParam *param, double sharpness, const float *g,
                        float *w)
{
    const float h = 2e-3f;
    double largest = 0;
    for (size_t i = 0; i < param->size; i++) largest = fmax(largest, fabs((double)param->grad[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < param->size; i++) {
        float kept = param->value[i];
        param->value[i] = kept + h;
        double up = functional(layer, sharpness, g, w);
        param->value[i] = kept - h;
        double down = functional(layer, sharpness, g, w);
        param->value[i] = kept;
        double numeric = (up - down) / (2.0 * (double)h);
        if (!(fabs(numeric - (double)param->grad[i]) <= 0.01 * largest))
            fail_msg("bits %d, T %g, value %zu: %g, by differences %g", layer->bits, sharpness, i,
                     (double)param->grad[i], numeric);
    }
}

static void test_methods(void **state)
{
    (void)state;
    static const int bits[] = {32, 1, 2, 4};
    const SlbNode node = {.op = SLB_OP_CONV, .channels = 3, .kernel = 3, .low = true, .norm = true};
    for (size_t k = 0; k < sizeof bits / sizeof *bits; k++)
        for (double sharpness = 1.0; sharpness < 5.0; sharpness *= 3.0) {
            SlbLayer layer;
            SlbError err;
            float start[3 * 2 * 9], g[3 * 2 * 9], w[3 * 2 * 9];
            fill(start, 54, 50, 0.1);
            fill(g, 54, 51, 1.0);
            assert_int_equal(
                slb_layer_create(&layer, &node, 2,
                                 &(SlbLayerForm){.method = &slb_method_slb, .weight_bits = bits[k]},
                                 &err),
                SLB_OK);
            layer.method->init(&layer, start);
            layer.method->backward(&layer, sharpness, false, g);
            check_param(&layer, &layer.param[SLB_PARAM_WEIGHT], sharpness, g, w);
            if (layer.method->scaled)
                check_param(&layer, &layer.param[SLB_PARAM_SCALE], sharpness, g, w);
            slb_layer_free(&layer);
        }
}

/* At T = 1 the effective weights are those it started from, but for the tails. */
static void test_smooth_start(void **state)
{
    (void)state;
    static const int bits[] = {1, 2, 4};
    const SlbNode node = {.op = SLB_OP_CONV, .channels = 8, .kernel = 3, .low = true, .norm = true};
    enum { COUNT = 8 * 8 * 9 };
    float start[COUNT], w[COUNT];
    fill(start, COUNT, 60, 0.05);
    for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
        SlbLayer layer;
        SlbError err;
        double error = 0, norm = 0;
        assert_int_equal(
            slb_layer_create(&layer, &node, 8,
                             &(SlbLayerForm){.method = &slb_method_slb, .weight_bits = bits[k]},
                             &err),
            SLB_OK);
        layer.method->init(&layer, start);
        layer.method->weights(&layer, 1.0, false, w);
        for (int i = 0; i < COUNT; i++) {
            error += pow((double)(w[i] - start[i]), 2);
            norm += pow((double)start[i], 2);
        }
        assert_true(error < 0.04 * norm);
        slb_layer_free(&layer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_teacher),      cmocka_unit_test(test_norm),
        cmocka_unit_test(test_norm_threads), cmocka_unit_test(test_quantizer),
        cmocka_unit_test(test_codes),        cmocka_unit_test(test_engine_mse),
        cmocka_unit_test(test_engine_l1),    cmocka_unit_test(test_engine_bf16),
        cmocka_unit_test(test_methods),      cmocka_unit_test(test_smooth_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
