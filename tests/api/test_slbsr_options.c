/* The C interface: its options and how models are chosen. */
#include <math.h>
#include <stdio.h>

#include "api/pictures.h"
#include "base/mem.h"
#include "infer/builtin.h"
#include "infer/upscale.h"

static const char model_path[] = SLBSR_SOURCE_DIR "/weights/vdsr-w1.safetensors";

static void test_every_option_has_its_range(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrContext *context;
    SlbsrOptions wrong[14];
    int n = 0;
    for (int i = 0; i < 14; i++) wrong[i] = defaults();
    wrong[n++].struct_bytes = 0;
    wrong[n++].scale = -2;
    wrong[n++].scale = 65;
    wrong[n++].scale = NAN;
    wrong[n++].bits = 3;
    wrong[n++].threads = 1025;
    wrong[n++].cpu = "z80";
    wrong[n++].wrap = 4;
    wrong[n++].alpha = (SlbsrAlpha)3;
    wrong[n].scale = 2;
    wrong[n++].width = 10;
    wrong[n++].max_memory_bytes = UINT64_MAX;
    wrong[n++].struct_bytes = 5000;
    wrong[n++].height = UINT32_MAX;
    wrong[n].bits = 0;
    wrong[n++].model_bytes = 9;
    for (int i = 0; i < n; i++) {
        memset(&error, 0, sizeof error);
        assert_int_equal(slbsr_context_new(&wrong[i], &context, &error), SLBSR_E_ARGUMENT);
        assert_null(context);
        assert_int_equal(error.status, SLBSR_E_ARGUMENT);
        assert_true(strlen(error.text) > 10);
        assert_null(strchr(error.text, '\n'));
    }
    assert_int_equal(slbsr_context_new(&wrong[0], &context, NULL), SLBSR_E_ARGUMENT);
    assert_null(context);
}

static void test_options_of_other_versions(void **state)
{
    (void)state;
    SlbsrError error;
    struct {
        SlbsrOptions now;
        int later;
    } newer;
    SlbsrOptions older = {.struct_bytes = offsetof(SlbsrOptions, bits), .bits = 3};
    uint32_t width = 0, height = 0;
    int channels = 0;
    memset(&newer, 0, sizeof newer); /* what is padding here is part of a field there */
    newer.now = defaults();
    newer.now.struct_bytes = sizeof newer;
    assert_done(slbsr_size(&newer.now, 9, 7, 4, &width, &height, &channels, &error), &error);
    assert_int_equal(width, 18);
    assert_int_equal(height, 14);
    assert_int_equal(channels, 4);
    newer.later = 1;
    assert_int_equal(slbsr_size(&newer.now, 9, 7, 4, NULL, NULL, NULL, &error), SLBSR_E_ARGUMENT);
    older.scale = 3; /* bits stand behind what it knows */
    assert_done(slbsr_size(&older, 9, 7, 4, &width, NULL, NULL, &error), &error);
    assert_int_equal(width, 27);
    newer.now.alpha = SLBSR_ALPHA_DROP;
    newer.later = 0;
    assert_done(slbsr_size(&newer.now, 9, 7, 4, NULL, NULL, &channels, &error), &error);
    assert_int_equal(channels, 3);
    assert_done(slbsr_size(NULL, 5, 5, 1, &width, NULL, NULL, &error), &error);
    assert_int_equal(width, 10);
}

/* What the library makes of `in` with vdsr-w1 below this interface. */
static SlbsrImage wanted(const SlbsrImage *in, const SlbUpscaleOptions *how, bool tta, bool packed)
{
    SlbError err;
    SlbModel *model;
    SlbPlan *plan;
    SlbPlanOptions options = {.packed = packed, .threads = 2};
    SlbImage out,
        source = {.info = {in->width, in->height, in->channels, in->depth}, .data = in->data};
    source.stride_bytes = in->stride_bytes;
    assert_int_equal(slb_model_open("vdsr-w1", NULL, &model, &err), SLB_OK);
    assert_int_equal(slb_plan_create(model, &options, &plan, &err), SLB_OK);
    memset(&out, 0, sizeof out);
    assert_int_equal(slb_image_alloc(&out, how->out, &err), SLB_OK);
    assert_int_equal(slb_upscale_pixels(plan, &source, how, tta, &out, &err), SLB_OK);
    slb_plan_free(plan);
    slb_model_free(model);
    return (SlbsrImage){out.data,        out.stride_bytes,  out.info.width,
                        out.info.height, out.info.channels, out.info.depth};
}

/* Every option comes down to what does it, and changes the result. */
static void test_options_do_what_they_say(void **state)
{
    (void)state;
    enum { WIDTH = 15, HEIGHT = 11 };
    SlbsrError error;
    SlbsrImage in = picture(WIDTH, HEIGHT, 4, 8, 0), usual = {0};
    const SlbImageInfo twice = {2 * WIDTH, 2 * HEIGHT, 4, 8}, solid = {2 * WIDTH, 2 * HEIGHT, 3, 8};
    struct {
        SlbsrOptions options;
        SlbUpscaleOptions how;
    } rows[] = {
        {{.alpha = SLBSR_ALPHA_NET}, {.out = twice, .alpha = SLB_ALPHA_NET}},
        {{.alpha = SLBSR_ALPHA_DROP}, {.out = solid, .alpha = SLB_ALPHA_DROP}},
        {{.wrap = SLBSR_WRAP_X}, {.out = twice, .wrap = SLB_WRAP_X}},
        {{.wrap = SLBSR_WRAP_Y}, {.out = twice, .wrap = SLB_WRAP_Y}},
        {{.tta = 1}, {.out = twice}},
        {{.use_float = 1}, {.out = twice}},
        {{.height = 2 * HEIGHT + 5, .width = 40}, {.out = {40, 2 * HEIGHT + 5, 4, 8}}},
        {{.scale = 1.25}, {.out = {19, 14, 4, 8}}},
    };
    SlbsrOptions options = {.struct_bytes = sizeof options, .model = "vdsr-w1"};
    assert_done(slbsr_upscale(&options, &in, &usual, &error), &error);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SlbsrOptions *o = &rows[i].options;
        SlbsrImage out = {0};
        o->struct_bytes = sizeof *o;
        o->model = "vdsr-w1";
        o->threads = 2;
        o->cpu = "c";
        assert_done(slbsr_upscale(o, &in, &out, &error), &error);
        SlbsrImage want = wanted(&in, &rows[i].how, o->tta, !o->use_float);
        if (!is_same(&out, &want)) fail_msg("row %zu: other pixels than below", i);
        bool same_kind = out.width == usual.width && out.channels == usual.channels;
        if (same_kind && is_same(&out, &usual)) fail_msg("row %zu: the option changes nothing", i);
        slbsr_image_free(&out);
        slbsr_image_free(&want);
    }
    slbsr_image_free(&usual);
    free(in.data);
}

/* ---- Models ---- */

/* Bits take one of the built-in models, the best of them. */
static void test_bits_choose_a_model(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrImage in = picture(11, 10, 3, 8, 0), chosen = {0};
    SlbsrOptions options = defaults();
    int found = 0;
    assert_done(slbsr_upscale(&options, &in, &chosen, &error), &error);
    options.bits = 0;
    for (int i = 0; (options.model = slbsr_model_name(i)); i++) {
        SlbsrImage out = {0};
        if (slbsr_upscale(&options, &in, &out, &error) != SLBSR_OK) continue; /* another factor */
        if (is_same(&out, &chosen)) {
            assert_non_null(strstr(options.model, "-w1"));
            found++;
        }
        slbsr_image_free(&out);
    }
    assert_int_equal(found, 1);
    slbsr_image_free(&chosen);
    free(in.data);
}

static void test_models_come_from_everywhere(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrImage in = picture(11, 10, 3, 8, 0), out[3] = {{0}};
    SlbsrOptions by_name = defaults(), by_file = defaults(), by_data = defaults();
    FILE *file = fopen(model_path, "rb");
    assert_non_null(file);
    void *data = malloc(1 << 20);
    size_t bytes = fread(data, 1, 1 << 20, file);
    fclose(file);
    by_name.bits = by_file.bits = by_data.bits = 0;
    by_name.model = "vdsr-w1";
    by_file.model_file = model_path;
    by_data.model_data = data;
    by_data.model_bytes = bytes;
    const SlbsrOptions *options[] = {&by_name, &by_file, &by_data};
    for (int i = 0; i < 3; i++) {
        assert_done(slbsr_upscale(options[i], &in, &out[i], &error), &error);
        assert_true(is_same(&out[i], &out[0]));
    }
    by_data.model_bytes = bytes / 2;
    assert_int_equal(slbsr_upscale(&by_data, &in, &out[2], &error), SLBSR_E_MODEL);
    by_name.model = "vdsr-w0";
    assert_int_equal(slbsr_upscale(&by_name, &in, &out[2], &error), SLBSR_E_MISSING);
    assert_non_null(strstr(error.text, "vdsr-w0"));
    by_name.bits = 2;
    assert_int_equal(slbsr_upscale(&by_name, &in, &out[2], &error), SLBSR_E_ARGUMENT);
    int names = 0;
    while (slbsr_model_name(names)) names++;
    assert_true(names >= 3);
    assert_null(slbsr_model_name(-1));
    for (int i = 0; i < 3; i++) slbsr_image_free(&out[i]);
    free(data);
    free(in.data);
}

/* A context of `bits` takes the model that is best for each picture's factor. */
static void test_each_factor_has_its_model(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    options.bits = 2;
    options.width = 32;
    SlbsrImage in[] = {picture(16, 16, 3, 8, 0), picture(11, 11, 3, 8, 0)};
    SlbsrContext *context;
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    for (int i = 0; i < 4; i++) {
        SlbsrImage out = {0}, want = {0};
        assert_done(slbsr_context_upscale(context, &in[i % 2], &out, &error), &error);
        assert_done(slbsr_upscale(&options, &in[i % 2], &want, &error), &error);
        assert_true(is_same(&out, &want));
        slbsr_image_free(&out);
        slbsr_image_free(&want);
    }
    slbsr_context_free(context);
    free(in[0].data);
    free(in[1].data);
}

/* A change of the model that fails leaves a context that does right the next time. */
static void test_a_failed_change_of_models_changes_nothing(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    options.bits = 2;
    options.width = 32;
    options.threads = 1;
    SlbsrImage first = picture(16, 16, 1, 8, 0), next = picture(11, 11, 1, 8, 0), want = {0};
    assert_done(slbsr_upscale(&options, &next, &want, &error), &error);
    SlbsrStatus s = SLBSR_E_MEMORY;
    for (long n = 1; s != SLBSR_OK && n < 2000; n += 1 + n / 8) {
        SlbsrContext *context;
        SlbsrImage out = {0};
        assert_done(slbsr_context_new(&options, &context, &error), &error);
        assert_done(slbsr_context_upscale(context, &first, &out, &error), &error);
        slbsr_image_free(&out);
        slb_mem_fail_at(n);
        s = slbsr_context_upscale(context, &next, &out, &error);
        slb_mem_fail_at(0);
        slbsr_image_free(&out);
        assert_done(slbsr_context_upscale(context, &next, &out, &error), &error);
        if (!is_same(&out, &want)) fail_msg("allocation %ld: another model's pixels", n);
        slbsr_image_free(&out);
        slbsr_context_free(context);
    }
    assert_int_equal(s, SLBSR_OK);
    slbsr_image_free(&want);
    free(first.data);
    free(next.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_choose_a_model),
        cmocka_unit_test(test_models_come_from_everywhere),
        cmocka_unit_test(test_every_option_has_its_range),
        cmocka_unit_test(test_options_of_other_versions),
        cmocka_unit_test(test_options_do_what_they_say),
        cmocka_unit_test(test_each_factor_has_its_model),
        cmocka_unit_test(test_a_failed_change_of_models_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
