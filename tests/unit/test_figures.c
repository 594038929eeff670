/* What model files say of themselves, read back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/figures.h"

/* What programs that live in a country of decimal commas have. */
double strtod(const char *restrict text, char **restrict end)
{
    (void)text;
    (void)end;
    fail_msg("a number is read in the manner of the country");
    return 0.0;
}

static void test_psnr_and_bicubic_by_scale(void **state)
{
    (void)state;
    const char *text = "validation: x2 37.8592 dB (bicubic 35.7109), x4 31.2764 dB";
    SlbFigure f = {0};
    assert_true(slb_figures_find(text, 2, &f));
    assert_true(f.psnr == 37.8592 && f.bicubic == 35.7109);
    assert_true(slb_figures_gain(text, 2) == 37.8592 - 35.7109);
    assert_true(slb_figures_find(text, 4, &f));
    assert_true(f.psnr == 31.2764 && isnan(f.bicubic));
    assert_true(slb_figures_gain(text, 4) == 0.0);
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    const int scales[] = {2, 4};
    const double psnr[] = {37.8592, 31.2764}, bicubic[] = {35.7109, 28.1};
    char text[256], little[20];
    SlbFigure f;
    slb_figures_write(scales, 2, psnr, bicubic, text, sizeof text);
    for (int i = 0; i < 2; i++) {
        assert_true(slb_figures_find(text, scales[i], &f));
        assert_true(f.psnr == psnr[i] && f.bicubic == bicubic[i]);
    }
    slb_figures_write(scales, 2, psnr, bicubic, little, sizeof little);
    assert_string_equal(little, "validation: x2 37.8");
}

static void test_what_is_not_told_is_not_found(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",           "x3",          "x3 ",        "x33 30 dB",
        "max3 30 dB", "x3 30.1",     "x3 none dB", "x3 nan dB",
        "x3 inf dB",  "x 3 30 dB",   "3 30.1 dB",  "best on x2 38 dB",
        "x3 . dB",    "x3 1.2.3 dB", "x3 30,1 dB", "x3 1234567890123456 dB",
    };
    SlbFigure f = {1.0, 2.0};
    assert_false(slb_figures_find(NULL, 3, &f));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(slb_figures_find(texts[i], 3, &f));
    assert_true(f.psnr == 1.0 && f.bicubic == 2.0);
    assert_true(slb_figures_find("x3 on one set, x3 30.5 dB (bicubic no)", 3, &f));
    assert_true(f.psnr == 30.5 && isnan(f.bicubic));
}

static void test_one_scale_serves_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(slb_scales_serve("2,3,4", 3), SLB_SERVES_TRAINED);
    assert_int_equal(slb_scales_serve("2,4", 3), SLB_SERVES_UNTOLD);
    assert_int_equal(slb_scales_serve("2", 2), SLB_SERVES_TRAINED);
    assert_int_equal(slb_scales_serve("2", 4), SLB_SERVES_NOT);
    assert_int_equal(slb_scales_serve("", 4), SLB_SERVES_UNTOLD);
    assert_int_equal(slb_scales_serve(NULL, 4), SLB_SERVES_UNTOLD);
    assert_true(SLB_SERVES_TRAINED > SLB_SERVES_UNTOLD && SLB_SERVES_UNTOLD > SLB_SERVES_NOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_psnr_and_bicubic_by_scale),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_what_is_not_told_is_not_found),
        cmocka_unit_test(test_one_scale_serves_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
