/* Gradients against finite differences: of the engine, for every layer type of a graph and every
 * CPU level this machine has; bf16 against float32. */
#include "train/gradients.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_teacher),
        cmocka_unit_test(test_engine_mse),
        cmocka_unit_test(test_engine_l1),
        cmocka_unit_test(test_engine_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
