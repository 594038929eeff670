/* Rows in, rows out: the same bytes as a plain reckoning over the whole picture, for any band and
 * any pieces that rows are pushed and pulled in, in the memory that is allowed. */
#include "unit/upscaling.h"

static void check_bands(const SlbPlan *plan, const SlbImage *in, SlbUpscaleOptions options,
                        const SlbImage *want)
{
    static const uint32_t bands[] = {1, 5, 16, 31, 1000}, pieces[] = {64, 1, 3, 7, 64};
    for (size_t b = 0; b < sizeof bands / sizeof *bands; b++) {
        options.band_rows = bands[b];
        SlbImage out = stream(plan, in, &options, pieces[b]);
        assert_same_picture(&out, want);
        slb_image_free(&out);
    }
}

static void test_any_band_gives_the_bytes_of_the_whole_picture(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        SlbPlan *plan = make_plan(bicubic_net, threads);
        for (uint32_t scale = 2; scale <= 4; scale++)
            for (int channels = 1; channels <= 3; channels += 2) {
                SlbImage in = noise(13, 17, channels, channels == 1 ? 16 : 8, scale);
                SlbImage want = reckon(plan, &in, scale);
                check_bands(plan, &in, to_size(&in, 13 * scale, 17 * scale), &want);
                slb_image_free(&want);
                slb_image_free(&in);
            }
        slb_plan_free(plan);
    }
}

/* Mirror images of mirror images. */
static void test_bands_of_tiny_pictures(void **state)
{
    (void)state;
    static const char *const nets[] = {bicubic_net, y_net, rgb_net};
    for (int n = 0; n < 3; n++) {
        SlbPlan *plan = make_plan(nets[n], 2);
        for (uint32_t height = 1; height <= 18; height++) {
            SlbImage in = noise(1 + height % 5, height, 3, 8, height);
            for (uint32_t of = 2; of <= 7; of++) { /* twice as high, and what is not exact */
                SlbUpscaleOptions options = to_size(&in, 2 * in.info.width, height * of / 2 + 1);
                SlbImage want = stream(plan, &in, &options, 1000);
                check_bands(plan, &in, options, &want);
                slb_image_free(&want);
            }
            slb_image_free(&in);
        }
        slb_plan_free(plan);
    }
}

/* Every kind of work at once: sizes that no network gives, alpha through the network, wrapping. */
static void test_any_band_gives_the_same_bytes_at_any_size(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{29, 40}, {13, 17}, {9, 60}, {8, 9}, {100, 2}, {26, 34}};
    static const char *const nets[] = {bicubic_net, y_net, rgb_net};
    for (int n = 0; n < 3; n++) {
        SlbPlan *plan = make_plan(nets[n], 2);
        for (int s = 0; s < 6; s++)
            for (unsigned wrap = 0; wrap <= (SLB_WRAP_X | SLB_WRAP_Y); wrap++) {
                int channels = 1 + (int)(((unsigned)s + wrap) % 4);
                SlbImage in = noise(13, 17, channels, 8, wrap + 1);
                SlbUpscaleOptions options = to_size(&in, sizes[s][0], sizes[s][1]);
                options.alpha = s % 2 ? SLB_ALPHA_NET : SLB_ALPHA_RESIZE;
                options.wrap = wrap;
                SlbImage want = stream(plan, &in, &options, 1000);
                check_bands(plan, &in, options, &want);
                slb_image_free(&want);
                slb_image_free(&in);
            }
        slb_plan_free(plan);
    }
}

static void test_memory_is_kept_to(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbUpscaler *up;
    SlbPlan *plan = make_plan(bicubic_net, 2);
    SlbImageInfo in = {1000, 5000, 3, 8};
    SlbUpscaleOptions options = {.out = {2000, 10000, 3, 8}};
    assert_ok(slb_upscaler_create(plan, &in, &options, &up, &err), &err);
    assert_true(slb_upscaler_bytes(up) <= 128 << 20);
    assert_true(slb_upscaler_bytes(up) > 50 << 20);
    slb_upscaler_free(up);
    options.max_bytes = 8 << 20;
    assert_ok(slb_upscaler_create(plan, &in, &options, &up, &err), &err);
    assert_true(slb_upscaler_bytes(up) <= 8 << 20);
    assert_true(slb_upscaler_wants(up) < 200);
    slb_upscaler_free(up);
    options.max_bytes = 100000;
    assert_int_equal(slb_upscaler_create(plan, &in, &options, &up, &err), SLB_E_MEMORY);
    assert_non_null(strstr(err.message, "5 MiB are needed"));
    slb_plan_free(plan);
}

/* Bands are more than a row high however wide the picture is and however many threads there are:
 * each reads the network's reach beyond its own rows. */
static void test_bands_of_wide_pictures(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbPlan *plan = make_plan(bicubic_net, 64);
    SlbImageInfo in = {200000, 3000, 3, 8};
    SlbUpscaleOptions options = {.out = {400000, 6000, 3, 8}, .band_rows = 1};
    uint64_t row, usual;
    assert_ok(slb_upscaler_check(plan, &in, &options, &row, &err), &err);
    assert_true(row > SLB_BAND_BYTES); /* threads and axes alone */
    options.band_rows = 0;
    assert_ok(slb_upscaler_check(plan, &in, &options, &usual, &err), &err);
    assert_true(usual > row + SLB_BAND_BYTES / 2 && usual <= 3 * row);
    slb_plan_free(plan);
}

/* More inputs for an output than an axis is made for are refused before anything is reckoned. */
static void test_extreme_shrinking_is_refused(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbPlan *plan = make_plan(bicubic_net, 1);
    for (int i = 0; i < 4; i++) {
        uint32_t side = i % 2 ? 25000000 : 2000000000; /* the former times 2 alone is too much */
        SlbImageInfo in = {side, 1, 1, 8};
        SlbUpscaleOptions options = {.out = {1, i % 2 ? 2 : 1, 1, 8},
                                     .max_bytes = i < 2 ? 0 : (uint64_t)1 << 30};
        uint64_t bytes;
        assert_int_equal(slb_upscaler_check(plan, &in, &options, &bytes, &err), SLB_E_USAGE);
        assert_non_null(strstr(err.message, "cannot become 1"));
    }
    slb_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_band_gives_the_bytes_of_the_whole_picture),
        cmocka_unit_test(test_any_band_gives_the_same_bytes_at_any_size),
        cmocka_unit_test(test_bands_of_tiny_pictures),
        cmocka_unit_test(test_memory_is_kept_to),
        cmocka_unit_test(test_bands_of_wide_pictures),
        cmocka_unit_test(test_extreme_shrinking_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
