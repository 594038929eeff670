#include <math.h>

#include "base/folder.h"
#include "base/mem.h"
#include "img/codec.h"
#include "img/protocol.h"
#include "unit/picture.h"

/* Bicubic by the VDSR protocol over all PNG files of a folder. */
static SlbScore mean_bicubic(const char *folder, int scale, size_t expected_count)
{
    char **names;
    size_t count;
    SlbScore mean = {0, 0};
    SlbError err = {0};
    assert_ok(slb_list_folder(folder, "png", &names, &count, &err), &err);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++) {
        SlbImage hr;
        SlbLumaPair pair;
        SlbScore score;
        assert_ok(slb_image_load(names[i], NULL, &hr, &err), &err);
        assert_ok(slb_luma_pair(&hr, scale, names[i], &pair, &err), &err);
        assert_ok(slb_luma_score(&pair, pair.bicubic, scale, 1, &score, &err), &err);
        mean.psnr += score.psnr / (double)count;
        mean.ssim += score.ssim / (double)count;
        slb_luma_pair_free(&pair);
        slb_image_free(&hr);
    }
    slb_free_names(names, count);
    return mean;
}

static void check_mean(const char *folder, int scale, size_t count, const char *expected)
{
    char text[64];
    SlbScore mean = mean_bicubic(folder, scale, count);
    snprintf(text, sizeof text, "x%d %.4f/%.4f", scale, mean.psnr, mean.ssim);
    assert_string_equal(text, expected);
}

/* The figures of the published tables, two digits further. */
static void test_set5(void **state)
{
    static const char folder[] = SLBSR_SHARED_DATA "/eval/Set5/HR";
    (void)state;
    need_shared_data();
    check_mean(folder, 2, 5, "x2 33.6614/0.9299");
    check_mean(folder, 3, 5, "x3 30.3922/0.8682");
    check_mean(folder, 4, 5, "x4 28.4207/0.8104");
}

/* The same on the pictures that are always there; figures of the code that passed test_set5. */
static void test_own_pictures(void **state)
{
    static const char folder[] = SLBSR_SOURCE_DIR "/data/hr";
    (void)state;
    check_mean(folder, 2, 3, "x2 31.9002/0.9093");
    check_mean(folder, 3, 3, "x3 29.3222/0.8437");
    check_mean(folder, 4, 3, "x4 27.7779/0.7905");
}

static void test_pair_is_cropped_and_whole(void **state)
{
    SlbImage hr = noise(32, 23, 3, 8, 3);
    SlbLumaPair pair;
    SlbError err = {0};
    (void)state;
    for (int scale = 1; scale <= 4; scale++) {
        assert_ok(slb_luma_pair(&hr, scale, "noise", &pair, &err), &err);
        assert_int_equal(pair.width, 32 / scale * scale);
        assert_int_equal(pair.height, 23 / scale * scale);
        for (uint32_t i = 0; i < pair.width * pair.height; i++) {
            uint32_t x = i % pair.width, y = i / pair.width;
            double luma =
                16 + (65.481 * sample_of(&hr, x, y, 0) + 128.553 * sample_of(&hr, x, y, 1) +
                      24.966 * sample_of(&hr, x, y, 2)) /
                         255;
            assert_true(pair.truth[i] == floor(luma + 0.5));
            if (scale == 1) assert_true(fabs(pair.bicubic[i] - pair.truth[i]) < 1e-9);
        }
        slb_luma_pair_free(&pair);
        assert_null(pair.truth);
    }
    slb_image_free(&hr);
}

static void test_too_small_a_picture(void **state)
{
    SlbImage hr = noise(40, 2, 1, 8, 3);
    SlbLumaPair pair;
    SlbError err = {0};
    (void)state;
    assert_int_equal(slb_luma_pair(&hr, 3, "flat.png", &pair, &err), SLB_E_INPUT);
    assert_non_null(strstr(err.message, "flat.png"));
    assert_int_equal(slb_luma_pair(&hr, 0, "flat.png", &pair, &err), SLB_E_USAGE);
    assert_int_equal(slb_luma_pair(&hr, -2, "flat.png", &pair, &err), SLB_E_USAGE);
    slb_image_free(&hr);
}

/* The network's output is rounded and clipped before it is scored; no NaN ever helps. */
static void test_score_rounds_and_clips(void **state)
{
    enum { SIDE = 24 };
    SlbImage hr = noise(SIDE, SIDE, 1, 8, 3);
    SlbLumaPair pair;
    SlbScore score;
    SlbError err = {0};
    double plane[SIDE * SIDE];
    (void)state;
    memset(hr.data, 255, SIDE * SIDE / 2);
    memset(hr.data + SIDE * SIDE / 2, 0, SIDE * SIDE / 2);
    assert_ok(slb_luma_pair(&hr, 2, "noise", &pair, &err), &err);
    for (int i = 0; i < SIDE * SIDE; i++) plane[i] = pair.truth[i] > 0 ? 300 : -0.49;
    assert_ok(slb_luma_score(&pair, plane, 2, 1, &score, &err), &err);
    assert_true(isinf(score.psnr));
    assert_true(fabs(score.ssim - 1) < 1e-9);
    plane[SIDE * SIDE / 2 + SIDE / 2] = 0.5; /* rounds to 1: one error of 1 in 20 * 20 samples */
    assert_ok(slb_luma_score(&pair, plane, 2, 0, &score, &err), &err);
    assert_true(fabs(score.psnr - 10 * log10(255.0 * 255 * 400)) < 1e-9);
    assert_true(isnan(score.ssim));
    for (int i = 0; i < SIDE * SIDE; i++) plane[i] = NAN;
    assert_ok(slb_luma_score(&pair, plane, 2, 0, &score, &err), &err);
    assert_true(score.psnr < 10);
    slb_luma_pair_free(&pair);
    slb_image_free(&hr);
}

static void test_out_of_memory(void **state)
{
    SlbImage hr = noise(20, 20, 3, 8, 5);
    SlbLumaPair pair;
    (void)state;
    long n = 1;
    for (;; n++) {
        SlbError err = {0};
        slb_mem_fail_at(n);
        SlbStatus status = slb_luma_pair(&hr, 2, "noise", &pair, &err);
        slb_mem_fail_at(0);
        if (status == SLB_OK) break;
        assert_int_equal(status, SLB_E_MEMORY);
        assert_null(pair.truth);
    }
    assert_true(n > 8);
    slb_luma_pair_free(&pair);
    slb_image_free(&hr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set5),
        cmocka_unit_test(test_own_pictures),
        cmocka_unit_test(test_pair_is_cropped_and_whole),
        cmocka_unit_test(test_too_small_a_picture),
        cmocka_unit_test(test_score_rounds_and_clips),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
