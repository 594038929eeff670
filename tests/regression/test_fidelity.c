/* What no upscaler may do, by every built-in model at every scale that it was trained for, and by
 * the resize alone: move the picture, tint white, or make a pattern of an even area. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "infer/builtin.h"
#include "infer/upscale.h"
#include "net/figures.h"
#include "unit/picture.h"

enum { SIDE = 36, BORDER = 12 }; /* pixels of the small picture */

/* Smooth, not symmetric; x and y in pixels, whole numbers being centres. And how fast it changes.
 */
static double smooth(double x, double y)
{
    return 130 + 40 * sin(x * 0.31 + 0.4) + 30 * cos(y * 0.27 - x * 0.05) + 20 * sin(y * 0.19);
}

static void slope(double x, double y, double *dx, double *dy)
{
    *dx = 40 * 0.31 * cos(x * 0.31 + 0.4) + 30 * 0.05 * sin(y * 0.27 - x * 0.05);
    *dy = -30 * 0.27 * sin(y * 0.27 - x * 0.05) + 20 * 0.19 * cos(y * 0.19);
}

/* How far the picture in `out` is from where it should be, in pixels of `out`, by least squares. */
static void measure_shift(const SlbImage *out, double *shift_x, double *shift_y)
{
    double scale = (double)out->info.width / SIDE, a = 0, b = 0, c = 0, p = 0, q = 0;
    uint32_t first = (uint32_t)(BORDER * scale), end = (uint32_t)((SIDE - BORDER) * scale);
    for (uint32_t y = first; y < end; y++)
        for (uint32_t x = first; x < end; x++) {
            double u = (x + 0.5) / scale - 0.5, v = (y + 0.5) / scale - 0.5, dx, dy;
            double error = sample_of(out, x, y, 0) / 257.0 - smooth(u, v);
            slope(u, v, &dx, &dy);
            a += dx * dx, b += dx * dy, c += dy * dy;
            p -= error * dx, q -= error * dy;
        }
    double det = a * c - b * b;
    *shift_x = (p * c - q * b) / det * scale;
    *shift_y = (q * a - p * b) / det * scale;
}

static SlbImage upscaled(const SlbPlan *plan, const SlbImage *in, uint32_t side)
{
    SlbError err = {0};
    SlbImage out;
    SlbUpscaleOptions options = {.out = in->info};
    options.out.width = options.out.height = side;
    assert_ok(slb_upscale_image(plan, in, &options, false, &out, &err), &err);
    return out;
}

static void check_shift(const SlbPlan *plan, const char *name, uint32_t side, double most)
{
    SlbImage in = noise(SIDE, SIDE, 1, 16, 1);
    for (uint32_t y = 0; y < SIDE; y++)
        for (uint32_t x = 0; x < SIDE; x++)
            ((uint16_t *)(void *)in.data)[y * SIDE + x] = (uint16_t)lrint(smooth(x, y) * 257);
    SlbImage out = upscaled(plan, &in, side);
    double x, y;
    measure_shift(&out, &x, &y);
    if (!(fabs(x) < most && fabs(y) < most))
        fail_msg("%s to %u: moved by (%.4f, %.4f) pixels", name, side, x, y);
    slb_image_free(&out);
    slb_image_free(&in);
}

/* Flat is flat, to `most`, where the network does not see zeros beyond the picture, and nearly so
 * elsewhere: it gets to see 8 pixels of the mirrored picture before them. */
static void check_flat(const SlbPlan *plan, const char *name, uint32_t side, int value, int most)
{
    SlbImage in = noise(SIDE, SIDE, 3, 8, 1);
    memset(in.data, value, in.stride_bytes * SIDE);
    SlbImage out = upscaled(plan, &in, side);
    uint32_t border = side * BORDER / SIDE;
    for (uint32_t y = 0; y < side; y++)
        for (uint32_t x = 0; x < side; x++)
            for (int c = 0; c < 3; c++) {
                bool inside = x >= border && y >= border && x + border < side && y + border < side;
                int off = abs((int)sample_of(&out, x, y, c) - value);
                if (off > (inside ? most : 3))
                    fail_msg("%s to %u: %d became %d at (%u, %u)", name, side, value,
                             (int)sample_of(&out, x, y, c), x, y);
            }
    slb_image_free(&out);
    slb_image_free(&in);
}

static void check_plan(const SlbPlan *plan, const char *name, uint32_t side, double shift, int off)
{
    check_shift(plan, name, side, shift);
    check_flat(plan, name, side, 255, off);
    check_flat(plan, name, side, 0, off);
}

static SlbPlan *plan_of(const SlbModel *model)
{
    SlbError err = {0};
    SlbCpu cpu;
    SlbPlan *plan;
    (void)slb_cpu_detect(&cpu);
    SlbPlanOptions options = {.packed = model->act_bits < 32, .level = cpu.level, .threads = 2};
    assert_ok(slb_plan_create(model, &options, &plan, &err), &err);
    return plan;
}

/* A hundredth of a pixel of the small picture: networks are not quite symmetric. */
static void test_every_model(void **state)
{
    (void)state;
    SlbError err = {0};
    size_t count, runs = 0;
    const SlbBuiltin *models = slb_builtins(&count);
    for (size_t i = 0; i < count; i++) {
        SlbModel *model;
        assert_ok(slb_model_open(models[i].name, NULL, &model, &err), &err);
        SlbPlan *plan = plan_of(model);
        for (int scale = 2; scale <= SLB_MAX_SCALE; scale++) {
            if (slb_scales_serve(model->scales, scale) != SLB_SERVES_TRAINED) continue;
            check_plan(plan, models[i].name, SIDE * (uint32_t)scale, 0.01 * scale, 1);
            runs++;
        }
        slb_plan_free(plan);
        slb_model_free(model);
    }
    assert_true(runs >= 3);
}

/* Sizes that the network does not give, and those that are no larger: one resize behind or alone.
 */
static void test_resizes(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbModel *model;
    assert_ok(slb_model_open("vdsr-w1", NULL, &model, &err), &err);
    SlbPlan *plan = plan_of(model);
    static const uint32_t sides[] = {54, 90, 35, 27, 18};
    for (int i = 0; i < 5; i++) check_plan(plan, "resize", sides[i], 0.01 * sides[i] / SIDE, 0);
    slb_plan_free(plan);
    slb_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_model),
        cmocka_unit_test(test_resizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
