/* Passes over trained values: against double, and the same bytes on every CPU level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "kern/search.h"

enum { COUNT = 203, MOST = 16 }; /* no multiple of any block */

static void fill(float *x, size_t count, uint64_t stream, double scale)
{
    SlbRng rng = slb_rng(11, stream, 0);
    for (size_t i = 0; i < count; i++) x[i] = (float)(scale * slb_rng_normal(&rng));
}

/* The mean level of weight j and, with dweight, the gradients of its logits. */
static double softmax(const float *logit, int levels, double sharpness, double dweight,
                      double *slope)
{
    double largest = -INFINITY, sum = 0, mean = 0;
    for (int k = 0; k < levels; k++) largest = fmax(largest, (double)logit[k]);
    for (int k = 0; k < levels; k++) {
        double e = exp(sharpness * ((double)logit[k] - largest));
        slope[k] = e;
        sum += e;
        mean += e * (2.0 * k / (levels - 1) - 1.0);
    }
    mean /= sum;
    for (int k = 0; k < levels; k++)
        slope[k] *= sharpness / sum * (2.0 * k / (levels - 1) - 1.0 - mean) * dweight;
    return mean;
}

static void check_soft(const SlbSearchOps *ops, int levels, float sharpness)
{
    float logit[COUNT * MOST], weight[COUNT], dweight[COUNT], p[COUNT * MOST], again[COUNT];
    double slope[MOST];
    fill(logit, COUNT * MOST, 1, 1.0);
    fill(dweight, COUNT, 2, 1.0);
    ops->soft(logit, COUNT, levels, sharpness, weight, p);
    ops->soft(logit, COUNT, levels, sharpness, again, NULL);
    assert_memory_equal(weight, again, sizeof weight);
    ops->slopes(weight, dweight, COUNT, levels, sharpness, p);
    for (int j = 0; j < COUNT; j++) {
        double w =
            softmax(logit + j * levels, levels, (double)sharpness, (double)dweight[j], slope);
        assert_true(fabs(w - (double)weight[j]) < 1e-5);
        for (int k = 0; k < levels; k++)
            assert_true(fabs(slope[k] - (double)p[j * levels + k]) < 1e-5 * (double)sharpness);
    }
}

static void check_level(const SlbSearchOps *ops)
{
    float logit[COUNT], weight[COUNT];
    fill(logit, COUNT, 3, 1.0);
    for (float sharpness = 1.0f; sharpness < 100.0f; sharpness *= 9.0f) {
        check_soft(ops, 2, sharpness);
        check_soft(ops, 4, sharpness);
        check_soft(ops, 16, sharpness);
        ops->signs(logit, COUNT, sharpness, weight);
        for (int j = 0; j < COUNT; j++)
            assert_true(fabs((double)weight[j] - tanh(0.5 * (double)sharpness * (double)logit[j])) <
                        1e-6);
    }
}

typedef struct Moved {
    float value[COUNT], grad[COUNT], moment1[COUNT], moment2[COUNT], weight[COUNT], p[COUNT * 4];
    double squares;
} Moved;

static void run(const SlbSearchOps *ops, Moved *m)
{
    float logit[COUNT * 4];
    memset(m, 0, sizeof *m);
    fill(logit, COUNT * 4, 4, 2.0);
    fill(m->value, COUNT, 5, 1.0);
    fill(m->grad, COUNT, 6, 1e-3);
    fill(m->moment1, COUNT, 7, 1e-3);
    for (int j = 0; j < COUNT; j++) m->moment2[j] = m->moment1[j] * m->moment1[j];
    m->squares = ops->squares(m->grad, COUNT);
    ops->soft(logit, COUNT, 4, 3.0f, m->weight, m->p);
    ops->slopes(m->weight, m->moment1, COUNT, 4, 3.0f, m->p);
    const SlbAdamStep step = {.factor = 0.5f, .size = 1e-2f, .unbias = 3.0f};
    ops->adam(&step, COUNT, m->value, m->grad, m->moment1, m->moment2);
}

static void check_adam(void)
{
    Moved before, after;
    memset(&before, 0, sizeof before);
    fill(before.value, COUNT, 5, 1.0);
    fill(before.grad, COUNT, 6, 1e-3);
    fill(before.moment1, COUNT, 7, 1e-3);
    run(&slb_search_c, &after);
    double squares = 0;
    for (int j = 0; j < COUNT; j++) {
        double g = 0.5 * (double)before.grad[j], m = (double)before.moment1[j];
        double v = 0.999 * m * m + 0.001 * g * g;
        m = 0.9 * m + 0.1 * g;
        double value = (double)before.value[j] - 1e-2 * m / (sqrt(3.0 * v) + 1e-8);
        squares += (double)before.grad[j] * (double)before.grad[j];
        assert_true(fabs(value - (double)after.value[j]) < 1e-6 && after.grad[j] == 0.0f);
    }
    assert_true(fabs(after.squares - squares) < 1e-9 * squares);
}

static void test_levels(void **state)
{
    (void)state;
    Moved first, more;
    check_adam();
    run(&slb_search_c, &first);
    for (int l = 0; l < SLB_CPU_LEVELS; l++) {
        if (!slb_cpu_has((SlbCpuLevel)l)) continue;
        check_level(slb_search_ops((SlbCpuLevel)l));
        run(slb_search_ops((SlbCpuLevel)l), &more);
        assert_memory_equal(&first, &more, sizeof first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
