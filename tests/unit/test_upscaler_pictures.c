/* What an upscaler makes of pictures: any size, borders, alpha, grey through networks of colours,
 * pictures that wrap around, the mean of eight. */
#include "unit/upscaling.h"

/* ---- Size ---- */

static void check_size(SlbWantedSize wanted, uint32_t width, uint32_t height)
{
    SlbError err = {0};
    SlbImageInfo in = {300, 200, 3, 8}, out = in;
    assert_ok(slb_wanted_size(&wanted, &in, &out, &err), &err);
    assert_int_equal(out.width, width);
    assert_int_equal(out.height, height);
}

static void test_sizes(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbImageInfo in = {300, 1, 3, 8}, out = in;
    check_size((SlbWantedSize){.scale = 2}, 600, 400);
    check_size((SlbWantedSize){.scale = 1.3345}, 400, 267);
    check_size((SlbWantedSize){.scale = 0.001}, 1, 1);
    check_size((SlbWantedSize){.width = 450}, 450, 300);
    check_size((SlbWantedSize){.height = 50}, 75, 50);
    check_size((SlbWantedSize){.width = 450, .height = 50}, 450, 50);
    check_size((SlbWantedSize){.width = 450, .height = 50, .fit = true}, 75, 50);
    check_size((SlbWantedSize){.width = 450, .height = 5000, .fit = true}, 450, 300);
    SlbWantedSize none = {0}, negative = {.scale = -1}, huge = {.height = 1 << 30};
    assert_int_equal(slb_wanted_size(&none, &in, &out, &err), SLB_E_USAGE);
    assert_int_equal(slb_wanted_size(&negative, &in, &out, &err), SLB_E_USAGE);
    assert_int_equal(slb_wanted_size(&huge, &in, &out, &err), SLB_E_INPUT);
}

static void test_the_network_enlarges_as_little_as_is_enough(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        int factor;
    } cases[] = {{10, 10, 1}, {4, 3, 1},  {11, 10, 2}, {3, 20, 2},
                 {10, 21, 3}, {31, 7, 4}, {90, 90, 4}};
    SlbImageInfo in = {10, 10, 1, 8};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SlbImageInfo out = {cases[i].width, cases[i].height, 1, 8};
        assert_int_equal(slb_upscale_factor(&in, &out), cases[i].factor);
    }
}

/* Of a picture whose sides change places: what no network that tells them apart has seen changes
 * places too, borders included, but for the rounding of sums in another order. */
static void test_borders_are_alike_on_all_sides(void **state)
{
    (void)state;
    static const char pointwise[] = "input y bicubic\nconv 3 1x1 full relu\nconv 1 1x1 full\n";
    static const uint32_t sizes[][2] = {{60, 40}, {75, 50}, {37, 61}, {60, 4}, {3, 40}, {120, 5}};
    const char *const nets[] = {pointwise, y_net};
    SlbError err = {0};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        const uint32_t *size = sizes[i / 2];
        SlbPlan *plan = make_plan(nets[i % 2], 1);
        SlbImage in = noise(30, 20, 2, 8, 5), turned_in = noise(30, 20, 2, 8, 5);
        assert_ok(slb_image_orient(&turned_in, 5, &err), &err);
        SlbUpscaleOptions to = to_size(&in, size[0], size[1]);
        SlbUpscaleOptions turned_to = to_size(&turned_in, size[1], size[0]);
        SlbImage out = stream(plan, &in, &to, 100);
        SlbImage turned_out = stream(plan, &turned_in, &turned_to, 100);
        int first = i % 2 ? 1 : 0; /* alpha alone, or grey too */
        for (uint32_t y = 0; y < size[1]; y++)
            for (uint32_t x = 0; x < size[0]; x++)
                for (int c = first; c < 2; c++)
                    assert_in_range(sample_of(&out, x, y, c) + 1 - sample_of(&turned_out, y, x, c),
                                    0, 2);
        slb_image_free(&out);
        slb_image_free(&turned_out);
        slb_image_free(&in);
        slb_image_free(&turned_in);
        slb_plan_free(plan);
    }
}

static void test_its_own_size_is_a_copy(void **state)
{
    (void)state;
    SlbPlan *plan = make_plan(bicubic_net, 2);
    for (int channels = 1; channels <= 4; channels++)
        for (int depth = 8; depth <= 16; depth += 8) {
            SlbImage in = noise(21, 9, channels, depth, 3);
            SlbUpscaleOptions options = to_size(&in, 21, 9);
            SlbImage out = stream(plan, &in, &options, 4);
            assert_same_picture(&out, &in);
            slb_image_free(&out);
            slb_image_free(&in);
        }
    slb_plan_free(plan);
}

/* ---- Alpha ---- */

/* A red square on nothing, and garbage where nothing shows. */
static SlbImage red_square(void)
{
    SlbImage in = noise(24, 24, 4, 8, 77);
    for (size_t y = 0; y < 24; y++)
        for (size_t x = 0; x < 24; x++) {
            unsigned char *p = in.data + y * in.stride_bytes + 4 * x;
            bool inside = x >= 8 && x < 16 && y >= 8 && y < 16;
            p[3] = inside ? 255 : 0;
            if (inside) memcpy(p, (const unsigned char[]){255, 0, 0}, 3);
        }
    return in;
}

static void test_hidden_colours_do_not_bleed(void **state)
{
    (void)state;
    SlbPlan *plan = make_plan(bicubic_net, 2);
    SlbImage in = red_square();
    SlbUpscaleOptions options = to_size(&in, 23, 23); /* no network: exact */
    SlbImage out = stream(plan, &in, &options, 100);
    int partly = 0;
    for (uint32_t y = 0; y < 23; y++)
        for (uint32_t x = 0; x < 23; x++) {
            uint32_t alpha = sample_of(&out, x, y, 3);
            partly += alpha > 0 && alpha < 255;
            assert_int_equal(sample_of(&out, x, y, 0), alpha ? 255 : 0);
            assert_int_equal(sample_of(&out, x, y, 1), 0);
            assert_int_equal(sample_of(&out, x, y, 2), 0);
        }
    assert_true(partly > 20);
    slb_image_free(&out);
    slb_image_free(&in);
    slb_plan_free(plan);
}

static void test_alpha_goes_as_it_is_asked_to(void **state)
{
    (void)state;
    SlbPlan *plan = make_plan(bicubic_net, 2);
    SlbImage in = red_square(), grey = noise(24, 24, 1, 8, 5);
    for (size_t i = 0; i < 24 * 24; i++) grey.data[i] = in.data[4 * i + 3];
    SlbUpscaleOptions options = to_size(&in, 48, 48);
    options.alpha = SLB_ALPHA_NET; /* as the grey picture of alpha */
    SlbImage out = stream(plan, &in, &options, 100), want = reckon(plan, &grey, 2);
    for (uint32_t y = 0; y < 48; y++)
        for (uint32_t x = 0; x < 48; x++)
            assert_int_equal(sample_of(&out, x, y, 3), sample_of(&want, x, y, 0));
    slb_image_free(&out);
    slb_image_free(&want);
    options.alpha = SLB_ALPHA_DROP; /* as the picture without it */
    options.out.channels = 3;
    SlbImage rgb = noise(24, 24, 3, 8, 5);
    for (size_t i = 0; i < 24 * 24; i++) memcpy(rgb.data + 3 * i, in.data + 4 * i, 3);
    out = stream(plan, &in, &options, 100);
    want = reckon(plan, &rgb, 2);
    assert_same_picture(&out, &want);
    slb_image_free(&out);
    slb_image_free(&want);
    slb_image_free(&rgb);
    slb_image_free(&grey);
    slb_image_free(&in);
    slb_plan_free(plan);
}

static void test_transparency_is_put_on_the_background(void **state)
{
    (void)state;
    SlbPlan *plan = make_plan(bicubic_net, 2);
    SlbImage in = red_square();
    SlbUpscaleOptions options = to_size(&in, 24, 24);
    options.out.channels = 3;
    memcpy(options.background, (const uint8_t[]){10, 200, 30}, 3);
    in.data[3] = 51; /* a fifth */
    memcpy(in.data, (const unsigned char[]){100, 100, 0}, 3);
    SlbImage out = stream(plan, &in, &options, 7);
    static const unsigned char corner[] = {28, 180, 24}, outside[] = {10, 200, 30},
                               inside[] = {255, 0, 0};
    assert_memory_equal(out.data, corner, 3);
    assert_memory_equal(out.data + 3, outside, 3);
    assert_memory_equal(out.data + 12 * out.stride_bytes + 36, inside, 3);
    slb_image_free(&out);
    slb_image_free(&in);
    slb_plan_free(plan);
}

static void test_a_background_brings_colours_to_grey(void **state)
{
    (void)state;
    SlbPlan *plan = make_plan(bicubic_net, 2);
    SlbImage in = noise(24, 24, 2, 8, 5);
    SlbUpscaleOptions options = to_size(&in, 24, 24);
    memcpy(options.background, (const uint8_t[]){10, 200, 30}, 3);
    memcpy(in.data, (const unsigned char[]){100, 51, 250, 0, 70, 255}, 6); /* a fifth, none, all */
    options.out.channels = 3;
    SlbImage out = stream(plan, &in, &options, 7);
    assert_memory_equal(out.data, ((const unsigned char[]){28, 180, 44, 10, 200, 30, 70, 70, 70}),
                        9);
    slb_image_free(&out);
    options.out.channels = 1; /* its brightness */
    out = stream(plan, &in, &options, 7);
    assert_memory_equal(out.data, ((const unsigned char[]){119, 124, 70}), 3);
    slb_image_free(&out);
    slb_image_free(&in);
    slb_plan_free(plan);
}

/* ---- Networks that enlarge by themselves ---- */

enum { WIDE = 11 + 2 * BEYOND, HIGH = 7 + 2 * BEYOND };

/* What rgb_net makes of a picture of 11 x 7 pixels that it sees continued: value i % 3 of pixel i /
 * 3 of 33 x 21. */
static void run_continued(const SlbPlan *plan, const SlbImage *in, float out[77 * 27])
{
    SlbError err = {0};
    float *net = slb_alloc(WIDE * HIGH, 30 * sizeof *net), *result = net + WIDE * HIGH * 3;
    SlbImage wide = continued(in);
    int channels = in->info.channels;
    double peak = in->info.depth == 8 ? 255 : 65535;
    for (uint32_t i = 0; i < WIDE * HIGH * 3; i++) {
        int c = channels == 1 ? 0 : (int)(i % 3);
        net[i] = (float)(sample_of(&wide, i / 3 % WIDE, i / 3 / WIDE, c) / peak);
    }
    assert_ok(slb_plan_run(plan, net, result, WIDE, HIGH, NULL, NULL, &err), &err);
    for (uint32_t y = 0; y < 21; y++)
        memcpy(out + y * 99, result + ((y + 3 * BEYOND) * 3 * WIDE + 3 * BEYOND) * 3,
               99 * sizeof *out);
    slb_image_free(&wide);
    slb_free(net);
}

static void test_grey_stays_grey_through_rgb(void **state)
{
    (void)state;
    SlbPlan *plan = make_plan(rgb_net, 2);
    SlbImage in = noise(11, 7, 1, 8, 2);
    SlbUpscaleOptions options = to_size(&in, 33, 21);
    SlbImage out = stream(plan, &in, &options, 3);
    float net_out[77 * 27];
    run_continued(plan, &in, net_out);
    for (uint32_t i = 0; i < 33 * 21; i++) {
        double mean = ((double)net_out[3 * i] + net_out[3 * i + 1] + net_out[3 * i + 2]) / 3;
        assert_int_equal(out.data[i], floor(fmin(fmax(mean, 0), 1) * 255 + 0.5));
    }
    slb_image_free(&out);
    slb_image_free(&in);
    slb_plan_free(plan);
}

static void test_rgb_goes_through_as_it_is(void **state)
{
    (void)state;
    SlbPlan *plan = make_plan(rgb_net, 2);
    for (int depth = 8; depth <= 16; depth += 8) {
        SlbImage in = noise(11, 7, 3, depth, 2);
        SlbUpscaleOptions options = to_size(&in, 33, 21);
        SlbImage out = stream(plan, &in, &options, 3);
        float net_out[77 * 27];
        double peak = depth == 8 ? 255 : 65535;
        run_continued(plan, &in, net_out);
        for (uint32_t i = 0; i < 77 * 27; i++) {
            double want = floor(fmin(fmax((double)net_out[i], 0), 1) * peak + 0.5);
            double is = sample_of(&out, i / 3 % 33, i / 99, (int)(i % 3));
            assert_true(fabs(is - want) <= (depth == 8 ? 0 : 1));
        }
        slb_image_free(&out);
        slb_image_free(&in);
    }
    slb_plan_free(plan);
}

/* ---- Pictures without borders ---- */

static SlbImage shifted(const SlbImage *in, uint32_t dx, uint32_t dy)
{
    SlbImage out = noise(in->info.width, in->info.height, in->info.channels, 8, 1);
    size_t pixel = (size_t)in->info.channels;
    for (uint32_t y = 0; y < in->info.height; y++)
        for (uint32_t x = 0; x < in->info.width; x++)
            memcpy(out.data + (y + dy) % in->info.height * out.stride_bytes +
                       (x + dx) % in->info.width * pixel,
                   in->data + y * in->stride_bytes + x * pixel, pixel);
    return out;
}

/* A texture moved around its own ends gives a result moved likewise. */
static void test_a_wrapped_picture_has_no_borders(void **state)
{
    (void)state;
    static const char *const nets[] = {bicubic_net, y_net};
    for (int n = 0; n < 2; n++)
        for (uint32_t size = 12; size <= 48; size += 12) { /* times 1/2, 1, 3/2, 2 */
            SlbPlan *plan = make_plan(nets[n], 2);
            SlbImage in = noise(24, 24, 3, 8, 11), moved = shifted(&in, 10, 4);
            SlbUpscaleOptions options = to_size(&in, size, size);
            options.wrap = SLB_WRAP_X | SLB_WRAP_Y;
            SlbImage a = stream(plan, &in, &options, 100), b = stream(plan, &moved, &options, 100);
            SlbImage want = shifted(&a, 10 * size / 24, 4 * size / 24);
            assert_same_picture(&b, &want);
            options.wrap = SLB_WRAP_X; /* then a move up and down shows */
            slb_image_free(&b);
            b = stream(plan, &moved, &options, 100);
            if (size != 24) assert_memory_not_equal(b.data, want.data, b.stride_bytes);
            slb_image_free(&a);
            slb_image_free(&b);
            slb_image_free(&want);
            slb_image_free(&in);
            slb_image_free(&moved);
            slb_plan_free(plan);
        }
}

static void test_the_mean_of_eight_does_not_turn(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbPlan *plan = make_plan(bicubic_net, 2);
    SlbImage in = noise(9, 6, 3, 8, 11), turned = noise(6, 9, 3, 8, 1);
    for (uint32_t y = 0; y < 9; y++)
        for (uint32_t x = 0; x < 6; x++)
            memcpy(turned.data + y * turned.stride_bytes + 3 * x,
                   in.data + x * in.stride_bytes + 3 * (8 - y), 3);
    SlbImage a, b, once;
    SlbUpscaleOptions options = to_size(&in, 27, 15), other = to_size(&turned, 15, 27);
    assert_ok(slb_upscale_image(plan, &in, &options, true, &a, &err), &err);
    assert_ok(slb_upscale_image(plan, &turned, &other, true, &b, &err), &err);
    assert_ok(slb_upscale_image(plan, &in, &options, false, &once, &err), &err);
    for (uint32_t y = 0; y < 27; y++)
        for (uint32_t x = 0; x < 15; x++)
            for (int c = 0; c < 3; c++)
                assert_int_equal(sample_of(&b, x, y, c), sample_of(&a, 26 - y, x, c));
    assert_memory_not_equal(a.data, once.data, a.stride_bytes * 15);
    slb_image_free(&a);
    slb_image_free(&b);
    slb_image_free(&once);
    slb_image_free(&turned);
    slb_image_free(&in);
    slb_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_the_network_enlarges_as_little_as_is_enough),
        cmocka_unit_test(test_borders_are_alike_on_all_sides),
        cmocka_unit_test(test_its_own_size_is_a_copy),
        cmocka_unit_test(test_hidden_colours_do_not_bleed),
        cmocka_unit_test(test_alpha_goes_as_it_is_asked_to),
        cmocka_unit_test(test_transparency_is_put_on_the_background),
        cmocka_unit_test(test_a_background_brings_colours_to_grey),
        cmocka_unit_test(test_grey_stays_grey_through_rgb),
        cmocka_unit_test(test_rgb_goes_through_as_it_is),
        cmocka_unit_test(test_a_wrapped_picture_has_no_borders),
        cmocka_unit_test(test_the_mean_of_eight_does_not_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
