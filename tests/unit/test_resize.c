#include <math.h>

#include "base/folder.h"
#include "base/mem.h"
#include "img/codec.h"
#include "img/exif.h"
#include "img/resize.h"
#include "unit/picture.h"

/* ---- the axis ---- */

static void test_axis_weights_of_doubling(void **state)
{
    /* The cubic at distances 1/4, 3/4, 5/4, 7/4: exact binary fractions. */
    const double near[4] = {-0.0234375, 0.2265625, 0.8671875, -0.0703125};
    SlbAxis axis;
    SlbError err = {0};
    (void)state;
    assert_ok(slb_axis_bicubic(8, 2, 1, SLB_EDGE_MIRROR, &axis, &err), &err);
    assert_int_equal(axis.in_size, 8);
    assert_int_equal(axis.out_size, 16);
    double dense[8] = {0}; /* output 8 lies at 3.75 of the input: taps 2..5 */
    for (uint32_t t = 0; t < axis.taps; t++)
        dense[axis.index[8 * axis.taps + t]] += axis.weight[8 * axis.taps + t];
    for (int i = 0; i < 4; i++) assert_true(dense[2 + i] == near[i]);
    for (int i = 0; i < 8; i++)
        if (i < 2 || i > 5) assert_true(dense[i] == 0);
    slb_axis_free(&axis);
    assert_null(axis.index);
}

static uint32_t edge_by_walking(int64_t i, uint32_t size, SlbEdge edge)
{
    while (i < 0 || i >= size) {
        if (edge == SLB_EDGE_REPLICATE)
            i += i < 0 ? 1 : -1;
        else
            i = i < 0 ? -1 - i : 2 * (int64_t)size - 1 - i;
    }
    return (uint32_t)i;
}

static double keys(double x)
{
    x = fabs(x);
    if (x <= 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* Weight of input `in` in output `out`, from the definition, over every tap that can matter. */
static double weight_by_definition(uint32_t size, double scale, SlbEdge edge, uint32_t out,
                                   uint32_t in)
{
    double k = fmin(scale, 1), centre = (out + 0.5) / scale - 0.5, sum = 0, all = 0;
    for (int64_t t = (int64_t)floor(centre - 2 / k) - 1; t <= ceil(centre + 2 / k) + 1; t++) {
        double w = k * keys(k * (centre - (double)t));
        all += w;
        if (edge_by_walking(t, size, edge) == in) sum += w;
    }
    return sum / all;
}

static void check_axis(uint32_t size, uint32_t num, uint32_t den, SlbEdge edge)
{
    SlbAxis axis;
    SlbError err = {0};
    assert_ok(slb_axis_bicubic(size, num, den, edge, &axis, &err), &err);
    assert_int_equal(axis.out_size, (size * num + den - 1) / den);
    double *dense = malloc(size * sizeof *dense);
    for (uint32_t out = 0; out < axis.out_size; out++) {
        double sum = 0;
        memset(dense, 0, size * sizeof *dense);
        for (uint32_t t = out * axis.taps; t < (out + 1) * axis.taps; t++) {
            assert_in_range(axis.index[t], 0, size - 1);
            dense[axis.index[t]] += axis.weight[t];
            sum += axis.weight[t];
        }
        assert_true(fabs(sum - 1) < 1e-12);
        for (uint32_t in = 0; in < size; in++) {
            double expected = weight_by_definition(size, (double)num / den, edge, out, in);
            if (fabs(dense[in] - expected) > 1e-12)
                fail_msg("size %u, scale %u/%u, edge %d: weight of %u in %u is %.17g, not %.17g",
                         size, num, den, (int)edge, in, out, dense[in], expected);
        }
    }
    free(dense);
    slb_axis_free(&axis);
}

static void test_axis_follows_definition(void **state)
{
    static const uint32_t sizes[] = {1, 2, 3, 5, 12, 31};
    static const uint32_t scales[][2] = {{2, 1}, {3, 1}, {4, 1}, {1, 1}, {1, 2}, {1, 3},
                                         {1, 4}, {3, 2}, {2, 3}, {1, 9}, {7, 5}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof scales / sizeof *scales; j++) {
            check_axis(sizes[i], scales[j][0], scales[j][1], SLB_EDGE_MIRROR);
            check_axis(sizes[i], scales[j][0], scales[j][1], SLB_EDGE_REPLICATE);
        }
}

static void test_axis_rejects_nonsense(void **state)
{
    SlbAxis axis;
    SlbError err = {0};
    (void)state;
    assert_int_equal(slb_axis_bicubic(0, 1, 2, SLB_EDGE_MIRROR, &axis, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_bicubic(4, 0, 2, SLB_EDGE_MIRROR, &axis, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_bicubic(4, 1, 0, SLB_EDGE_MIRROR, &axis, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_bicubic(UINT32_MAX, UINT32_MAX, 1, SLB_EDGE_MIRROR, &axis, &err),
                     SLB_E_USAGE);
    assert_int_equal(slb_axis_bicubic(9, 1, UINT32_MAX, SLB_EDGE_MIRROR, &axis, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_check(25000000, 1, &err), SLB_OK);
    assert_int_equal(slb_axis_check(25000001, 1, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_resize(25000001, 1, 0, &axis, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_resize(INT32_MAX, INT32_MAX, 1, &axis, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_check(0, 1, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_check(1, 0, &err), SLB_E_USAGE);
    assert_int_equal(slb_axis_check(1, (uint32_t)INT32_MAX + 1, &err), SLB_E_USAGE);
    assert_true(slb_axis_bytes(2000000000, 1) >= 12 * (uint64_t)8000000000); /* no overflow */
}

/* ---- pictures ---- */

static double round_to(double v, double full)
{
    return fmin(fmax(floor(v + 0.5), 0), full);
}

/* MATLAB's recipe sample by sample: the vertical pass rounded, then the horizontal one. */
static uint32_t resized_sample(const SlbImage *in, const SlbAxis *rows, const SlbAxis *cols,
                               uint32_t x, uint32_t y, int c)
{
    double full = in->info.depth == 8 ? 255 : 65535, sum = 0;
    for (uint32_t t = 0; t < cols->taps; t++) {
        double column = 0;
        for (uint32_t v = 0; v < rows->taps; v++)
            column +=
                rows->weight[y * rows->taps + v] *
                sample_of(in, cols->index[x * cols->taps + t], rows->index[y * rows->taps + v], c);
        sum += cols->weight[x * cols->taps + t] * round_to(column, full);
    }
    return (uint32_t)round_to(sum, full);
}

static void check_picture(const SlbImage *in, uint32_t num, uint32_t den, SlbEdge edge)
{
    SlbAxis rows, cols;
    SlbImage out;
    SlbError err = {0};
    assert_ok(slb_axis_bicubic(in->info.height, num, den, edge, &rows, &err), &err);
    assert_ok(slb_axis_bicubic(in->info.width, num, den, edge, &cols, &err), &err);
    assert_ok(slb_resize_image(in, num, den, edge, &out, &err), &err);
    assert_int_equal(out.info.width, cols.out_size);
    assert_int_equal(out.info.height, rows.out_size);
    assert_int_equal(out.info.channels, in->info.channels);
    assert_int_equal(out.info.depth, in->info.depth);
    for (uint32_t y = 0; y < out.info.height; y++)
        for (uint32_t x = 0; x < out.info.width; x++)
            for (int c = 0; c < out.info.channels; c++)
                assert_int_equal(sample_of(&out, x, y, c),
                                 resized_sample(in, &rows, &cols, x, y, c));
    slb_image_free(&out);
    slb_axis_free(&rows);
    slb_axis_free(&cols);
}

static void test_picture_follows_recipe(void **state)
{
    (void)state;
    for (int depth = 8; depth <= 16; depth += 8)
        for (int channels = 1; channels <= 4; channels++) {
            SlbImage in = noise(23, 17, channels, depth, 77u + (unsigned)(channels * depth));
            check_picture(&in, 1, 3, SLB_EDGE_REPLICATE);
            check_picture(&in, 2, 1, SLB_EDGE_MIRROR);
            SlbImage part = in; /* rows apart from each other: a view of a larger picture */
            part.info.width = 9;
            part.info.height = 11;
            check_picture(&part, 3, 2, SLB_EDGE_MIRROR);
            slb_image_free(&in);
        }
}

static void test_flat_picture_stays_flat(void **state)
{
    SlbImage in = noise(19, 8, 3, 16, 1), out;
    SlbError err = {0};
    (void)state;
    memset(in.data, 0xa7, in.info.height * in.stride_bytes);
    for (uint32_t scale = 2; scale <= 4; scale++) {
        assert_ok(slb_resize_image(&in, 1, scale, SLB_EDGE_MIRROR, &out, &err), &err);
        for (size_t i = 0; i < out.info.height * out.stride_bytes; i++)
            assert_int_equal(out.data[i], 0xa7);
        slb_image_free(&out);
    }
    slb_image_free(&in);
}

/* Columns of two colours, by turns; `even` and `odd` of 8 bits. */
static SlbImage columns(uint32_t width, uint32_t height, int channels, int depth,
                        const uint8_t *even, const uint8_t *odd)
{
    SlbImage image = noise(width, height, channels, depth, 1);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t i = 0; i < width * (uint32_t)channels; i++) {
            const uint8_t *pixel = i / (uint32_t)channels % 2 ? odd : even;
            uint16_t v = (uint16_t)(pixel[i % (uint32_t)channels] * 257);
            unsigned char *row = image.data + y * image.stride_bytes;
            if (depth == 8)
                row[i] = (unsigned char)v;
            else
                memcpy(row + i * sizeof v, &v, sizeof v);
        }
    return image;
}

/* What is transparent lends the rest no colour, in columns or, turned, in rows. */
static void test_hidden_colours_do_not_bleed(void **state)
{
    static const uint8_t blue[4] = {0, 0, 255, 255}, red[4] = {255, 0, 0, 0};
    static const uint8_t grey[2] = {90, 255}, white[2] = {255, 0};
    (void)state;
    for (int depth = 8; depth <= 16; depth += 8)
        for (int channels = 2; channels <= 4; channels += 2)
            for (int turn = 1; turn <= 6; turn += 5) {
                SlbImage in = channels == 4 ? columns(12, 12, 4, depth, blue, red)
                                            : columns(12, 12, 2, depth, grey, white);
                SlbImage out;
                SlbError err = {0};
                uint32_t unit = depth == 8 ? 1 : 257;
                assert_ok(slb_image_orient(&in, turn, &err), &err);
                assert_ok(slb_resize_visible(&in, 1, 2, SLB_EDGE_MIRROR, &out, &err), &err);
                for (uint32_t i = 0; i < 36; i++) {
                    uint32_t x = i % 6, y = i / 6;
                    const uint8_t *colour = channels == 4 ? blue : grey;
                    for (int c = 0; c < channels - 1; c++)
                        assert_int_equal(sample_of(&out, x, y, c), colour[c] * unit);
                    uint32_t alpha = sample_of(&out, x, y, channels - 1);
                    assert_in_range(alpha, 80 * unit, 175 * unit);
                }
                slb_image_free(&out);
                slb_image_free(&in);
            }
}

static void test_nothing_is_left_of_what_does_not_show(void **state)
{
    static const uint8_t hidden[4] = {200, 100, 50, 0};
    SlbImage in = columns(8, 6, 4, 8, hidden, hidden), out;
    SlbError err = {0};
    (void)state;
    assert_ok(slb_resize_visible(&in, 1, 2, SLB_EDGE_MIRROR, &out, &err), &err);
    for (size_t i = 0; i < 4 * 3 * 4; i++)
        assert_int_equal(out.data[i / 16 * out.stride_bytes + i % 16], 0);
    slb_image_free(&out);
    slb_image_free(&in);
}

/* Without alpha, and where it is full: no byte differs from the recipe. */
static void test_opaque_pictures_follow_recipe(void **state)
{
    static const uint32_t scales[][2] = {{1, 2}, {1, 3}, {1, 4}, {2, 1}, {3, 2}};
    (void)state;
    for (int depth = 8; depth <= 16; depth += 8)
        for (int channels = 1; channels <= 4; channels++) {
            SlbImage in = noise(61, 47, channels, depth, 5u + (unsigned)(channels * depth));
            size_t bytes = (size_t)depth / 8;
            for (size_t i = 0; channels % 2 == 0 && i < 61 * 47; i++)
                memset(in.data + i / 61 * in.stride_bytes +
                           ((i % 61 + 1) * (size_t)channels - 1) * bytes,
                       255, bytes);
            for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
                SlbImage plain, visible;
                SlbError err = {0};
                uint32_t up = scales[i][0], down = scales[i][1];
                assert_ok(slb_resize_image(&in, up, down, SLB_EDGE_REPLICATE, &plain, &err), &err);
                assert_ok(slb_resize_visible(&in, up, down, SLB_EDGE_REPLICATE, &visible, &err),
                          &err);
                assert_same_picture(&visible, &plain);
                slb_image_free(&plain);
                slb_image_free(&visible);
            }
            slb_image_free(&in);
        }
}

static void test_profile_is_kept(void **state)
{
    SlbImage in = noise(8, 8, 1, 8, 1), out;
    SlbError err = {0};
    (void)state;
    in.meta.icc.data = slb_alloc(3, 1);
    in.meta.icc.bytes = 3;
    memcpy(in.meta.icc.data, "abc", 3);
    assert_ok(slb_resize_image(&in, 1, 2, SLB_EDGE_MIRROR, &out, &err), &err);
    assert_int_equal(out.meta.icc.bytes, 3);
    assert_ptr_not_equal(out.meta.icc.data, in.meta.icc.data);
    assert_memory_equal(out.meta.icc.data, "abc", 3);
    slb_image_free(&out);
    slb_image_free(&in);
}

/* Every allocation in turn fails: SLB_E_MEMORY, and nothing leaks (the sanitizer looks). */
static void test_out_of_memory(void **state)
{
    SlbImage in = noise(20, 20, 4, 8, 5), out;
    (void)state;
    long n = 1;
    for (;; n++) {
        SlbError err = {0};
        slb_mem_fail_at(n);
        SlbStatus status = slb_resize_visible(&in, 1, 2, SLB_EDGE_MIRROR, &out, &err);
        slb_mem_fail_at(0);
        if (status == SLB_OK) break;
        assert_int_equal(status, SLB_E_MEMORY);
        assert_null(out.data);
    }
    assert_true(n > 6);
    slb_image_free(&out);
    slb_image_free(&in);
}

static void test_plane_of_doubles(void **state)
{
    enum { W = 13, H = 9 };
    SlbAxis rows, cols;
    SlbError err = {0};
    double in[W * H], out[26 * 18];
    uint32_t seed = 3;
    (void)state;
    for (int i = 0; i < W * H; i++) in[i] = next_random(&seed) / 1e9 - 2;
    assert_ok(slb_axis_bicubic(H, 2, 1, SLB_EDGE_MIRROR, &rows, &err), &err);
    assert_ok(slb_axis_bicubic(W, 2, 1, SLB_EDGE_MIRROR, &cols, &err), &err);
    assert_ok(slb_resize_f64(in, &rows, &cols, out, &err), &err);
    for (uint32_t y = 0; y < rows.out_size; y++)
        for (uint32_t x = 0; x < cols.out_size; x++) {
            double sum = 0;
            for (uint32_t v = 0; v < rows.taps; v++)
                for (uint32_t h = 0; h < cols.taps; h++)
                    sum += rows.weight[y * rows.taps + v] * cols.weight[x * cols.taps + h] *
                           in[rows.index[y * rows.taps + v] * W + cols.index[x * cols.taps + h]];
            assert_true(fabs(out[y * cols.out_size + x] - sum) < 1e-12);
        }
    slb_axis_free(&rows);
    slb_axis_free(&cols);
}

/* ---- the published pictures ---- */

/* Where the LR picture of "HR/bird.png" lies: LR_bicubic/X2/bird.png or .../X2/birdx2.png. */
static void lr_name(char *out, size_t bytes, const char *set, const char *hr, int scale)
{
    const char *name = strrchr(hr, '/') + 1;
    int length = (int)(strrchr(name, '.') - name);
    snprintf(out, bytes, SLBSR_SHARED_DATA "/eval/%s/LR_bicubic/X%d/%.*s.png", set, scale, length,
             name);
    if (access(out, R_OK) != 0)
        snprintf(out, bytes, SLBSR_SHARED_DATA "/eval/%s/LR_bicubic/X%d/%.*sx%d.png", set, scale,
                 length, name, scale);
}

static void check_published(const char *set, const char *name, int scale)
{
    char path[1024];
    SlbImage hr, published, lr;
    SlbError err = {0};
    assert_ok(slb_image_load(name, NULL, &hr, &err), &err);
    lr_name(path, sizeof path, set, name, scale);
    assert_ok(slb_image_load(path, NULL, &published, &err), &err);
    hr.info.width -= hr.info.width % (uint32_t)scale;
    hr.info.height -= hr.info.height % (uint32_t)scale;
    assert_ok(slb_resize_image(&hr, 1, (uint32_t)scale, SLB_EDGE_REPLICATE, &lr, &err), &err);
    assert_same_picture(&lr, &published);
    slb_image_free(&hr);
    slb_image_free(&published);
    slb_image_free(&lr);
}

static void check_published_set(const char *set, size_t expected)
{
    char folder[1024], **names;
    size_t count;
    SlbError err = {0};
    need_shared_data();
    snprintf(folder, sizeof folder, SLBSR_SHARED_DATA "/eval/%s/HR", set);
    assert_ok(slb_list_folder(folder, "png", &names, &count, &err), &err);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++)
        for (int scale = 2; scale <= 4; scale++) check_published(set, names[i], scale);
    slb_free_names(names, count);
}

static void test_published_set5(void **state)
{
    (void)state;
    check_published_set("Set5", 5);
}

static void test_published_set14(void **state)
{
    (void)state;
    check_published_set("Set14", 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axis_weights_of_doubling),
        cmocka_unit_test(test_axis_follows_definition),
        cmocka_unit_test(test_axis_rejects_nonsense),
        cmocka_unit_test(test_picture_follows_recipe),
        cmocka_unit_test(test_flat_picture_stays_flat),
        cmocka_unit_test(test_hidden_colours_do_not_bleed),
        cmocka_unit_test(test_nothing_is_left_of_what_does_not_show),
        cmocka_unit_test(test_opaque_pictures_follow_recipe),
        cmocka_unit_test(test_profile_is_kept),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_plane_of_doubles),
        cmocka_unit_test(test_published_set5),
        cmocka_unit_test(test_published_set14),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
