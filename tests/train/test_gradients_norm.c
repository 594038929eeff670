/* Gradients through batch normalization against finite differences; threads, bf16. */
#include "train/gradients.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_norm_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
