/* Frames of video made larger: levels stay, chroma stays where it lies, luma is what the network
 * makes of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "infer/builtin.h"
#include "infer/upscale.h"
#include "infer/upscale_video.h"

static SlbPlan *vdsr_plan(void)
{
    SlbError err = {0};
    SlbModel *model = NULL;
    SlbPlan *plan = NULL;
    const SlbPlanOptions options = {.packed = true, .level = SLB_CPU_C, .threads = 1};
    assert_int_equal(slb_model_open("vdsr-w2", NULL, &model, &err), SLB_OK);
    assert_int_equal(slb_plan_create(model, &options, &plan, &err), SLB_OK);
    slb_model_free(model);
    return plan;
}

/* A network that adds nothing: bicubic. */
static SlbPlan *bicubic_plan(void)
{
    static const char text[] = "input y bicubic\nconv 1 3x3 full\nadd input\n";
    SlbError err = {0};
    SlbGraph *graph = NULL;
    SlbModel *model = NULL;
    SlbPlan *plan = NULL;
    const SlbPlanOptions options = {.level = SLB_CPU_C, .threads = 2};
    assert_int_equal(slb_graph_parse(text, sizeof text - 1, "t", &graph, &err), SLB_OK);
    assert_int_equal(slb_model_create(graph, 32, &model, &err), SLB_OK);
    memset(model->conv[0].weight, 0, 9 * sizeof(float));
    model->conv[0].bias[0] = 0.0f;
    assert_int_equal(slb_plan_create(model, &options, &plan, &err), SLB_OK);
    slb_model_free(model);
    slb_graph_free(graph);
    return plan;
}

static unsigned get(const SlbVideoInfo *info, const SlbFrame *frame, int p, size_t i)
{
    uint16_t v;
    if (info->depth == 8) return frame->plane[p][i];
    memcpy(&v, frame->plane[p] + 2 * i, 2);
    return v;
}

static void put(const SlbVideoInfo *info, SlbFrame *frame, int p, size_t i, double value)
{
    uint16_t v = (uint16_t)(value + 0.5);
    if (info->depth == 8)
        frame->plane[p][i] = (unsigned char)v;
    else
        memcpy(frame->plane[p] + 2 * i, &v, 2);
}

/* A frame and what it becomes. */
typedef struct Pair {
    SlbVideoUpscaler *up;
    SlbVideoInfo small, large;
    SlbFrame in, out;
} Pair;

static Pair make_pair(const SlbPlan *plan, SlbVideoInfo info, int scale)
{
    Pair pair = {.small = info};
    SlbError err = {0};
    assert_int_equal(slb_video_upscaler_create(plan, &info, scale, &pair.up, &err), SLB_OK);
    pair.large = *slb_video_upscaler_info(pair.up);
    assert_int_equal(slb_frame_alloc(&pair.in, &pair.small, &err), SLB_OK);
    assert_int_equal(slb_frame_alloc(&pair.out, &pair.large, &err), SLB_OK);
    strcpy(pair.in.parameters, " Ip");
    return pair;
}

static void upscale(Pair *pair)
{
    SlbError err = {0};
    assert_int_equal(slb_upscale_frame(pair->up, &pair->in, &pair->out, NULL, NULL, &err), SLB_OK);
    assert_string_equal(pair->out.parameters, " Ip");
}

static void free_pair(Pair *pair)
{
    slb_frame_free(&pair->in);
    slb_frame_free(&pair->out);
    slb_video_upscaler_free(pair->up);
}

static void fill(const SlbVideoInfo *info, SlbFrame *frame, int p, unsigned level)
{
    size_t count = (size_t)slb_plane_width(info, p) * slb_plane_height(info, p);
    for (size_t i = 0; i < count; i++) put(info, frame, p, i, level);
}

static double mean(const SlbVideoInfo *info, const SlbFrame *frame, int p)
{
    size_t count = (size_t)slb_plane_width(info, p) * slb_plane_height(info, p);
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += get(info, frame, p, i);
    return sum / (double)count;
}

/* What is flat stays flat, at the same level, from the darkest to the brightest. */
static void check_levels(const SlbPlan *plan, SlbVideoInfo info, double slack)
{
    unsigned most = (1u << info.depth) - 1;
    Pair pair = make_pair(plan, info, 2);
    for (unsigned level = 0; level <= 255; level += level == 0 || level == 235 ? 16 : 73) {
        unsigned v = level * (1u << (info.depth - 8));
        if (level > 235) v = most;
        for (int p = 0; p < 3; p++) fill(&info, &pair.in, p, v);
        upscale(&pair);
        for (int p = 0; p < 3; p++) {
            double is = mean(&pair.large, &pair.out, p);
            if (fabs(is - v) > (p ? 0.0 : slack))
                fail_msg("%d bits, %s range, plane %d: %u became %g", info.depth,
                         info.full_range ? "full" : "limited", p, v, is);
        }
    }
    free_pair(&pair);
}

static void test_levels(void **state)
{
    SlbPlan *bicubic = bicubic_plan(), *vdsr = vdsr_plan();
    (void)state;
    for (int depth = 8; depth <= 16; depth += 2)
        for (int full = 0; full < 2; full++) {
            SlbVideoInfo info = {14, 10, depth, 3, 1, 1, 0.5, 0.5, full};
            check_levels(bicubic, info, depth == 16 && full ? 1.0 : 0.0);
            if (depth <= 10) check_levels(vdsr, info, 1.0 * (1 << (depth - 8)));
        }
    slb_plan_free(vdsr);
    slb_plan_free(bicubic);
}

/* Luma of limited range has highlights beyond what 8 bits can tell: all levels stay apart. */
static void test_highlights(void **state)
{
    SlbPlan *plan = bicubic_plan();
    (void)state;
    for (int depth = 10; depth <= 16; depth += 2) {
        const SlbVideoInfo info = {16, 12, depth, 1, 0, 0, 0.5, 0.5, false};
        unsigned most = (1u << depth) - 1, first = 255u << (depth - 8), last = 0;
        Pair pair = make_pair(plan, info, 2);
        unsigned step = depth < 14 ? 1 : depth == 14 ? 3 : 5; /* up to the last */
        for (unsigned level = first; level <= most; level += step) {
            fill(&info, &pair.in, 0, level);
            upscale(&pair);
            unsigned is = get(&pair.large, &pair.out, 0, 0);
            if (is != level || mean(&pair.large, &pair.out, 0) != level || is <= last)
                fail_msg("%d bits: %u became %u", depth, level, is);
            last = is;
        }
        for (size_t i = 0; i < 16 * 12; i++) /* side by side */
            put(&info, &pair.in, 0, i, i % 16 < 8 ? first - 16.0 : most);
        upscale(&pair);
        assert_int_equal(get(&pair.large, &pair.out, 0, 32 * 12 + 4), first - 16);
        assert_int_equal(get(&pair.large, &pair.out, 0, 32 * 12 + 28), most);
        free_pair(&pair);
    }
    slb_plan_free(plan);
}

/* Chroma that rises evenly with the place in the picture still does, at the same places. */
static void check_sites(const SlbPlan *plan, SlbVideoInfo info, int scale)
{
    Pair pair = make_pair(plan, info, scale);
    fill(&info, &pair.in, 0, 1000);
    double step_x = 1 << info.shift_x, step_y = 1 << info.shift_y;
    uint32_t width = slb_plane_width(&info, 1), height = slb_plane_height(&info, 1);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (int p = 1; p < 3; p++)
                put(&info, &pair.in, p, y * width + x,
                    (p == 1 ? 30000 : 20000) + 400 * (x + info.site_x) * step_x +
                        300 * (y + info.site_y) * step_y);
    upscale(&pair);
    uint32_t large_width = slb_plane_width(&pair.large, 1),
             large_height = slb_plane_height(&pair.large, 1), border = 4 * (uint32_t)scale;
    for (uint32_t y = border; y < large_height - border; y++)
        for (uint32_t x = border; x < large_width - border; x++)
            for (int p = 1; p < 3; p++) {
                double is = get(&pair.large, &pair.out, p, (size_t)y * large_width + x);
                double want = (p == 1 ? 30000 : 20000) + 400 * (x + info.site_x) * step_x / scale +
                              300 * (y + info.site_y) * step_y / scale;
                if (fabs(is - want) > 2.0) /* both roundings */
                    fail_msg("sites %g, %g, times %d: (%u, %u) is %g, not %g", info.site_x,
                             info.site_y, scale, x, y, is, want);
            }
    free_pair(&pair);
}

static void test_sites(void **state)
{
    static const double sites[] = {0.5, 0.25};
    SlbPlan *plan = bicubic_plan();
    (void)state;
    for (int scale = 2; scale <= 4; scale++) {
        for (int sx = 0; sx < 2; sx++) {
            for (int sy = 0; sy < 2; sy++)
                check_sites(plan, (SlbVideoInfo){41, 43, 16, 3, 1, 1, sites[sx], sites[sy], false},
                            scale);
            check_sites(plan, (SlbVideoInfo){42, 22, 16, 3, 1, 0, sites[sx], 0.5, false}, scale);
        }
        check_sites(plan, (SlbVideoInfo){23, 21, 16, 3, 0, 0, 0.5, 0.5, false}, scale);
    }
    slb_plan_free(plan);
}

/* Luma of limited range in 8 bits is what a grey picture of it becomes; of 10 bits, it is that to a
 * level of 8 bits. */
static void test_luma(void **state)
{
    SlbPlan *plan = vdsr_plan();
    SlbError err = {0};
    const SlbVideoInfo info = {19, 13, 8, 1, 0, 0, 0.5, 0.5, false},
                       deep = {19, 13, 10, 1, 0, 0, 0.5, 0.5, false};
    SlbImage grey = {0}, large = {0};
    Pair a = make_pair(plan, info, 3), b = make_pair(plan, deep, 3);
    SlbRng rng = slb_rng(8, 0, 0);
    (void)state;
    assert_int_equal(slb_image_alloc(&grey, (SlbImageInfo){19, 13, 1, 8}, &err), SLB_OK);
    for (size_t i = 0; i < 19 * 13; i++) {
        grey.data[i] = (unsigned char)slb_rng_next(&rng);
        put(&info, &a.in, 0, i, grey.data[i]);
        put(&deep, &b.in, 0, i, grey.data[i] * 4);
    }
    assert_int_equal(slb_upscale(plan, &grey, 3, NULL, NULL, &large, &err), SLB_OK);
    upscale(&a);
    upscale(&b);
    assert_memory_equal(a.out.plane[0], large.data, 57 * 39);
    for (size_t i = 0; i < 57 * 39; i++)
        assert_true(fabs(get(&b.large, &b.out, 0, i) / 4.0 - large.data[i]) <= 0.75);
    slb_image_free(&grey);
    slb_image_free(&large);
    free_pair(&a);
    free_pair(&b);
    slb_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_highlights),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_luma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
