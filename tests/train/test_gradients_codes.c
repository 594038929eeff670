/* Gradients through activation codes, against derivatives that are written down here. */
#include "kern/tensor.h"
#include "train/gradients.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantizer),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
