#include <math.h>

#include "img/color.h"
#include "unit/picture.h"

static void put(SlbImage *image, uint32_t x, const uint32_t samples[])
{
    for (int c = 0; c < image->info.channels; c++) {
        size_t i = (size_t)x * (size_t)image->info.channels + (size_t)c;
        if (image->info.depth == 8)
            image->data[i] = (uint8_t)samples[c];
        else
            ((uint16_t *)(void *)image->data)[i] = (uint16_t)samples[c];
    }
}

/* rgb2ycbcr of uint8 at the corners of the cube, worked out by hand from the three weights. */
static void test_luma_of_the_corners(void **state)
{
    static const struct {
        uint32_t rgb[4];
        uint8_t y;
    } corner[] = {{{0, 0, 0, 9}, 16},      {{255, 255, 255, 9}, 235}, {{255, 0, 0, 9}, 81},
                  {{0, 255, 0, 9}, 145},   {{0, 0, 255, 9}, 41},      {{255, 255, 0, 9}, 210},
                  {{0, 255, 255, 9}, 170}, {{255, 0, 255, 9}, 106},   {{128, 128, 128, 9}, 126}};
    enum { N = sizeof corner / sizeof *corner };
    (void)state;
    for (int channels = 3; channels <= 4; channels++) {
        SlbImage image = noise(N, 1, channels, 8, 1);
        uint8_t y[N];
        for (uint32_t i = 0; i < N; i++) put(&image, i, corner[i].rgb);
        slb_luma_u8(&image, y);
        for (uint32_t i = 0; i < N; i++) assert_int_equal(y[i], corner[i].y);
        slb_image_free(&image);
    }
}

static void test_luma_of_all_samples(void **state)
{
    SlbImage image = noise(37, 5, 3, 8, 4), part = image;
    double y[37 * 5];
    uint8_t whole[37 * 5];
    (void)state;
    part.info.width = 30; /* rows apart from each other */
    slb_luma(&part, y);
    slb_luma_u8(&part, whole);
    for (uint32_t i = 0; i < 30 * 5; i++) {
        double r = sample_of(&image, i % 30, i / 30, 0), g = sample_of(&image, i % 30, i / 30, 1),
               b = sample_of(&image, i % 30, i / 30, 2), back[3];
        double expected = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255;
        slb_rgb_to_ycbcr(r, g, b, back);
        assert_true(fabs(y[i] - expected) < 1e-11);
        assert_true(fabs(back[0] - expected) < 1e-11);
        assert_int_equal(whole[i], (int)floor(expected + 0.5));
    }
    slb_image_free(&image);
}

static void test_sixteen_bits_are_the_same_colours(void **state)
{
    SlbImage narrow = noise(21, 4, 3, 8, 8), wide = noise(21, 4, 3, 16, 1);
    double a[84], b[84];
    (void)state;
    for (size_t i = 0; i < 4 * slb_row_bytes(&narrow.info); i++)
        ((uint16_t *)(void *)wide.data)[i] = (uint16_t)(narrow.data[i] * 257);
    slb_luma(&narrow, a);
    slb_luma(&wide, b);
    for (int i = 0; i < 84; i++) assert_true(fabs(a[i] - b[i]) < 1e-11);
    slb_image_free(&narrow);
    slb_image_free(&wide);
}

static void test_grey_is_luma_already(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 2; channels++) {
        SlbImage image = noise(3, 1, channels, 8, 1), wide = noise(3, 1, channels, 16, 1);
        uint8_t y[3];
        double exact[3];
        for (uint32_t x = 0; x < 3; x++) put(&image, x, (const uint32_t[]){x * 127, 3});
        slb_luma_u8(&image, y);
        for (int x = 0; x < 3; x++) assert_int_equal(y[x], x * 127);
        for (uint32_t x = 0; x < 3; x++) put(&wide, x, (const uint32_t[]){x * 32767, 3});
        slb_luma(&wide, exact);
        slb_luma_u8(&wide, y);
        for (int x = 0; x < 3; x++) assert_true(fabs(exact[x] - x * 32767 / 257.0) < 1e-12);
        assert_int_equal(y[2], 255); /* 254.996 */
        slb_image_free(&image);
        slb_image_free(&wide);
    }
}

static void test_there_and_back(void **state)
{
    uint32_t seed = 5;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        double rgb[3], ycbcr[3], back[3];
        for (int c = 0; c < 3; c++) rgb[c] = (next_random(&seed) >> 8) % 25600 / 100.0;
        slb_rgb_to_ycbcr(rgb[0], rgb[1], rgb[2], ycbcr);
        slb_ycbcr_to_rgb(ycbcr, back);
        for (int c = 0; c < 3; c++) assert_true(fabs(back[c] - rgb[c]) < 1e-9);
    }
    double grey[3], red[3], blue[3];
    slb_rgb_to_ycbcr(77, 77, 77, grey);
    assert_true(fabs(grey[1] - 128) < 1e-9 && fabs(grey[2] - 128) < 1e-9);
    slb_rgb_to_ycbcr(255, 0, 0, red);
    slb_rgb_to_ycbcr(0, 0, 255, blue);
    assert_true(fabs(red[2] - 240) < 1e-9 && fabs(blue[1] - 240) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_luma_of_the_corners),
        cmocka_unit_test(test_luma_of_all_samples),
        cmocka_unit_test(test_sixteen_bits_are_the_same_colours),
        cmocka_unit_test(test_grey_is_luma_already),
        cmocka_unit_test(test_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
