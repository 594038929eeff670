#include <math.h>

#include "base/mem.h"
#include "img/metric.h"
#include "unit/picture.h"

enum { W = 29, H = 23 };

static void fill(double *plane, uint32_t seed, double from, double to)
{
    for (int i = 0; i < W * H; i++)
        plane[i] = from + (to - from) * (next_random(&seed) >> 8) / (double)(1 << 24);
}

static void test_psnr_of_a_known_error(void **state)
{
    double a[W * H], b[W * H];
    (void)state;
    fill(a, 1, 0, 200);
    for (int i = 0; i < W * H; i++) b[i] = a[i] + (i % 2 ? 5 : -5);
    assert_true(fabs(slb_psnr(a, b, W, H, 0) - 20 * log10(51)) < 1e-9);
    assert_true(isinf(slb_psnr(a, a, W, H, 0)));
    for (int i = 0; i < W * H; i++) b[i] = 255 - (a[i] = 0);
    assert_true(slb_psnr(a, b, W, H, 0) == 0);
}

static void test_psnr_leaves_the_border_out(void **state)
{
    double a[W * H], b[W * H];
    (void)state;
    fill(a, 2, 0, 255);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int border = x < 3 || y < 3 || x >= W - 3 || y >= H - 3;
            b[y * W + x] = a[y * W + x] + (border ? 100 : 1);
        }
    assert_true(fabs(slb_psnr(a, b, W, H, 3) - 20 * log10(255)) < 1e-9);
    assert_true(slb_psnr(a, b, W, H, 2) < 30);
    assert_true(isfinite(slb_psnr(a, b, W, H, 11))); /* one row is left */
    assert_true(isnan(slb_psnr(a, b, W, H, 12)));
    assert_true(isnan(slb_psnr(a, b, W, H, UINT32_MAX)));
}

/* The definition of Wang et al., window by window; central moments, not E[x^2] - E[x]^2. */
static double ssim_by_definition(const double *a, const double *b, int shave)
{
    double window[11][11], sum = 0, all = 0, n = 0;
    for (int i = 0; i < 121; i++) {
        int dy = i / 11 - 5, dx = i % 11 - 5;
        all += window[i / 11][i % 11] = exp(-(dx * dx + dy * dy) / (2 * 1.5 * 1.5));
    }
    for (int y = shave + 5; y < H - shave - 5; y++)
        for (int x = shave + 5; x < W - shave - 5; x++, n++) {
            double ma = 0, mb = 0, va = 0, vb = 0, cov = 0;
            for (int i = 0; i < 121; i++) {
                int at = (y + i / 11 - 5) * W + x + i % 11 - 5;
                ma += window[i / 11][i % 11] / all * a[at];
                mb += window[i / 11][i % 11] / all * b[at];
            }
            for (int i = 0; i < 121; i++) {
                int at = (y + i / 11 - 5) * W + x + i % 11 - 5;
                double w = window[i / 11][i % 11] / all;
                va += w * (a[at] - ma) * (a[at] - ma);
                vb += w * (b[at] - mb) * (b[at] - mb);
                cov += w * (a[at] - ma) * (b[at] - mb);
            }
            const double c1 = 6.5025, c2 = 58.5225; /* (0.01 * 255)^2, (0.03 * 255)^2 */
            sum +=
                (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
        }
    return sum / n;
}

static void test_ssim_follows_definition(void **state)
{
    double a[W * H], b[W * H], ssim;
    SlbError err = {0};
    (void)state;
    fill(a, 3, 0, 255);
    fill(b, 4, -30, 30);
    for (int i = 0; i < W * H; i++) b[i] += a[i];
    for (int shave = 0; shave <= 6; shave += 2) { /* with 6, one row of windows is left */
        assert_ok(slb_ssim(a, b, W, H, (uint32_t)shave, &ssim, &err), &err);
        assert_true(fabs(ssim - ssim_by_definition(a, b, shave)) < 1e-9);
        assert_true(ssim > 0.5 && ssim < 0.999);
    }
    assert_ok(slb_ssim(a, a, W, H, 2, &ssim, &err), &err);
    assert_true(fabs(ssim - 1) < 1e-12);
}

static void test_ssim_of_what_is_too_small(void **state)
{
    double a[W * H], ssim = 0;
    SlbError err = {0};
    (void)state;
    fill(a, 3, 0, 255);
    assert_ok(slb_ssim(a, a, 11, 11, 0, &ssim, &err), &err);
    assert_true(fabs(ssim - 1) < 1e-12);
    assert_ok(slb_ssim(a, a, 10, 40, 0, &ssim, &err), &err);
    assert_true(isnan(ssim));
    assert_ok(slb_ssim(a, a, W, H, 7, &ssim, &err), &err);
    assert_true(isnan(ssim));
    assert_ok(slb_ssim(a, a, W, H, UINT32_MAX, &ssim, &err), &err);
    assert_true(isnan(ssim));
}

static void test_ssim_out_of_memory(void **state)
{
    double a[W * H], ssim;
    SlbError err = {0};
    (void)state;
    fill(a, 3, 0, 255);
    slb_mem_fail_at(1);
    SlbStatus status = slb_ssim(a, a, W, H, 0, &ssim, &err);
    slb_mem_fail_at(0);
    assert_int_equal(status, SLB_E_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_psnr_of_a_known_error),
        cmocka_unit_test(test_psnr_leaves_the_border_out),
        cmocka_unit_test(test_ssim_follows_definition),
        cmocka_unit_test(test_ssim_of_what_is_too_small),
        cmocka_unit_test(test_ssim_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
