/* Pictures made larger: what the network does not touch is bicubic, what a picture is stays, the
 * number of threads and the height of bands do not show. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "img/resize.h"
#include "infer/upscale.h"

/* y + bias, by a network of one convolution whose middle weight is `middle`. */
static SlbPlan *small_plan(float middle, float bias, int threads)
{
    static const char text[] = "input y bicubic\nconv 1 3x3 full\nadd input\n";
    SlbError err = {0};
    SlbGraph *graph = NULL;
    SlbModel *model = NULL;
    SlbPlan *plan = NULL;
    SlbPlanOptions options = {.level = SLB_CPU_C, .threads = threads};
    assert_int_equal(slb_graph_parse(text, sizeof text - 1, "t", &graph, &err), SLB_OK);
    assert_int_equal(slb_model_create(graph, 32, &model, &err), SLB_OK);
    model->conv[0].weight[4] = middle;
    model->conv[0].weight[0] = -middle;
    model->conv[0].bias[0] = bias;
    assert_int_equal(slb_plan_create(model, &options, &plan, &err), SLB_OK);
    slb_model_free(model);
    slb_graph_free(graph);
    return plan;
}

static SlbImage random_image(uint32_t width, uint32_t height, int channels, int depth)
{
    SlbError err = {0};
    SlbImage image = {0};
    SlbImageInfo info = {width, height, channels, depth};
    assert_int_equal(slb_image_alloc(&image, info, &err), SLB_OK);
    SlbRng rng = slb_rng(5, width, (uint64_t)channels);
    for (size_t i = 0; i < image.stride_bytes * height; i++)
        image.data[i] = (unsigned char)slb_rng_next(&rng);
    return image;
}

static unsigned get(const SlbImage *image, uint32_t x, uint32_t y, int channel)
{
    const unsigned char *row = image->data + y * image->stride_bytes;
    size_t i = (size_t)x * (size_t)image->info.channels + (size_t)channel;
    if (image->info.depth == 8) return row[i];
    uint16_t v;
    memcpy(&v, row + 2 * i, 2);
    return v;
}

/* Sample `channel` enlarged bicubically, 0..peak; with `premultiplied` times alpha / peak before.
 * The caller frees it. */
static double *bicubic(const SlbImage *in, uint32_t scale, int channel, bool premultiplied)
{
    SlbError err = {0};
    SlbAxis rows, cols;
    uint32_t w = in->info.width, h = in->info.height;
    double peak = in->info.depth == 8 ? 255.0 : 65535.0;
    assert_int_equal(slb_axis_bicubic(h, scale, 1, SLB_EDGE_MIRROR, &rows, &err), SLB_OK);
    assert_int_equal(slb_axis_bicubic(w, scale, 1, SLB_EDGE_MIRROR, &cols, &err), SLB_OK);
    double *small = slb_alloc((size_t)w * h, sizeof *small);
    double *large = slb_alloc((size_t)w * h * scale * scale, sizeof *large);
    assert_true(small && large);
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            double v = get(in, x, y, channel);
            if (premultiplied) v *= get(in, x, y, in->info.channels - 1) / peak;
            small[y * w + x] = v;
        }
    assert_int_equal(slb_resize_f64(small, &rows, &cols, large, &err), SLB_OK);
    slb_free(small);
    slb_axis_free(&rows);
    slb_axis_free(&cols);
    return large;
}

/* Channel `channel` of `out` must be the bicubic enlargement of that of `in`; colours are times
 * alpha while they are enlarged. */
static void check_bicubic(const SlbImage *in, const SlbImage *out, uint32_t scale, int channel,
                          double slack)
{
    int last = in->info.channels - 1;
    bool premultiplied = last % 2 == 1 && channel < last;
    double peak = in->info.depth == 8 ? 255.0 : 65535.0;
    double *colour = bicubic(in, scale, channel, premultiplied);
    double *alpha = premultiplied ? bicubic(in, scale, last, false) : NULL;
    for (uint32_t y = 0; y < out->info.height; y++)
        for (uint32_t x = 0; x < out->info.width; x++) {
            size_t i = (size_t)y * out->info.width + x;
            double want = alpha ? colour[i] / fmin(alpha[i], peak) * peak : colour[i];
            double is = (double)get(out, x, y, channel);
            want = fmin(fmax(want, 0.0), peak);
            if (fabs(is - want) > 0.5 + slack) fail_msg("(%u, %u): %g, not %g", x, y, is, want);
        }
    slb_free(colour);
    slb_free(alpha);
}

static void test_without_a_network_everything_is_bicubic(void **state)
{
    (void)state;
    SlbPlan *plan = small_plan(0.0f, 0.0f, 2);
    SlbError err = {0};
    for (int channels = 1; channels <= 4; channels++)
        for (int depth = 8; depth <= 16; depth += 8)
            for (int scale = 2; scale <= 4; scale++) {
                SlbImage in = random_image(9 - (uint32_t)channels, 7, channels, depth), out;
                /* Colours that go to YCbCr and back overshoot together: keep them off the ends;
                 * and alpha away from 0. */
                for (size_t i = 0; channels > 1 && i < in.stride_bytes * 7; i++)
                    in.data[i] = (unsigned char)(96 + in.data[i] / 4);
                in.meta.icc.data = slb_alloc(3, 1);
                memcpy(in.meta.icc.data, "icc", 3);
                in.meta.icc.bytes = 3;
                assert_int_equal(slb_upscale(plan, &in, scale, NULL, NULL, &out, &err), SLB_OK);
                assert_int_equal(out.info.width, in.info.width * (uint32_t)scale);
                assert_int_equal(out.info.height, 7 * scale);
                assert_int_equal(out.info.channels, channels);
                assert_int_equal(out.info.depth, depth);
                assert_int_equal(out.meta.icc.bytes, 3);
                assert_memory_equal(out.meta.icc.data, "icc", 3);
                for (int c = 0; c < channels; c++)
                    check_bicubic(&in, &out, (uint32_t)scale, c, depth == 8 ? 1e-3 : 0.02);
                slb_image_free(&in);
                slb_image_free(&out);
            }
    slb_plan_free(plan);
}

static void test_the_network_works_on_brightness_alone(void **state)
{
    (void)state;
    SlbPlan *plan = small_plan(0.0f, 0.04f, 1); /* 10.2 of 255 */
    SlbError err = {0};
    SlbImage grey = random_image(3, 2, 2, 8), out;
    memset(grey.data, 100, grey.stride_bytes * 2);
    assert_int_equal(slb_upscale(plan, &grey, 2, NULL, NULL, &out, &err), SLB_OK);
    assert_int_equal(get(&out, 1, 1, 0), lrint(100 + 10.2 * 255 / 100)); /* added times alpha */
    assert_int_equal(get(&out, 1, 1, 1), 100);
    slb_image_free(&out);
    slb_image_free(&grey);
    SlbImage colour = random_image(3, 2, 3, 8);
    for (size_t i = 0; i < colour.stride_bytes * 2; i++)
        colour.data[i] = (unsigned char)(50 * (i % 3 + 1));
    assert_int_equal(slb_upscale(plan, &colour, 3, NULL, NULL, &out, &err), SLB_OK);
    for (int c = 0; c < 3; c++) /* Y has 219 steps where R, G, B have 255 */
        assert_int_equal(get(&out, 4, 3, c), lrint(50 * (c + 1) + 10.2 * 255 / 219));
    slb_image_free(&out);
    slb_image_free(&colour);
    slb_plan_free(plan);
}

static void test_values_beyond_the_ends_are_clipped(void **state)
{
    (void)state;
    static const float bias[] = {9.0f, -9.0f};
    for (int depth = 8; depth <= 16; depth += 8)
        for (int i = 0; i < 2; i++) {
            SlbPlan *plan = small_plan(0.0f, bias[i], 1);
            SlbError err = {0};
            SlbImage in = random_image(1, 1, 3, depth), out;
            assert_int_equal(slb_upscale(plan, &in, 4, NULL, NULL, &out, &err), SLB_OK);
            for (int c = 0; c < 3; c++)
                assert_int_equal(get(&out, 3, 0, c), i ? 0 : depth == 8 ? 255 : 65535);
            slb_image_free(&out);
            slb_image_free(&in);
            slb_plan_free(plan);
        }
}

static void test_the_number_of_threads_does_not_show(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbImage in = random_image(31, 23, 4, 16), first;
    SlbPlan *plan = small_plan(0.7f, 0.01f, 1);
    assert_int_equal(slb_upscale(plan, &in, 3, NULL, NULL, &first, &err), SLB_OK);
    slb_plan_free(plan);
    static const int threads[] = {2, 3, 7};
    for (int i = 0; i < 3; i++) {
        SlbImage out;
        plan = small_plan(0.7f, 0.01f, threads[i]);
        assert_int_equal(slb_upscale(plan, &in, 3, NULL, NULL, &out, &err), SLB_OK);
        assert_memory_equal(out.data, first.data, first.stride_bytes * first.info.height);
        slb_image_free(&out);
        slb_plan_free(plan);
    }
    slb_image_free(&first);
    slb_image_free(&in);
}

static int cancel(void *user, uint64_t done, uint64_t total)
{
    assert_true(done <= total);
    ++*(int *)user;
    return 1;
}

static void test_failures_leave_nothing_behind(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbPlan *plan = small_plan(0.5f, 0.0f, 2);
    SlbImage in = random_image(5, 4, 4, 8), out;
    int calls = 0;
    assert_int_equal(slb_upscale(plan, &in, 2, cancel, &calls, &out, &err), SLB_PARTIAL);
    assert_true(calls > 0);
    assert_null(out.data);
    assert_int_equal(slb_upscale(plan, &in, 1, NULL, NULL, &out, &err), SLB_E_USAGE);
    assert_int_equal(slb_upscale(plan, &in, 5, NULL, NULL, &out, &err), SLB_E_USAGE);
    SlbImage huge = {.info = {0x60000000, 1, 1, 8}};
    assert_int_equal(slb_upscale(plan, &huge, 2, NULL, NULL, &out, &err), SLB_E_INPUT);
    assert_null(out.data);
    SlbStatus s = SLB_E_MEMORY;
    long n = 1;
    for (; s == SLB_E_MEMORY && n < 100; n++) {
        slb_mem_fail_at(n);
        s = slb_upscale(plan, &in, 2, NULL, NULL, &out, &err);
        slb_mem_fail_at(0);
        if (s != SLB_OK) assert_null(out.data);
    }
    assert_int_equal(s, SLB_OK);
    assert_true(n > 10);
    slb_image_free(&out);
    slb_image_free(&in);
    slb_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_network_everything_is_bicubic),
        cmocka_unit_test(test_the_network_works_on_brightness_alone),
        cmocka_unit_test(test_values_beyond_the_ends_are_clipped),
        cmocka_unit_test(test_the_number_of_threads_does_not_show),
        cmocka_unit_test(test_failures_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
