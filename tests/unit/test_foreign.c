/* Weights that come from elsewhere and go there: names, orders, types, and what does not fit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "net/foreign.h"

enum { MOST = 80 };

static char path[64], map_path[64]; /* of this process alone: test programs run side by side */
static const char three[] = "input y bicubic\nconv 2 3x3 full relu\nconv 2 3x3 low norm relu\n"
                            "conv 2 3x3 low relu\nconv 1 1x1 full\nadd input\n";

/* A state dict in the making. The first weight of each tensor is its number, so that one sees where
 * it went. */
typedef struct Dict {
    SlbTensor tensor[MOST];
    size_t count;
} Dict;

static void put(Dict *d, const char *name, SlbDtype dtype, int dims, const size_t *shape,
                const void *data, size_t bytes)
{
    assert_true(d->count < MOST);
    SlbTensor *t = &d->tensor[d->count++];
    *t = (SlbTensor){.dtype = dtype, .dims = dims, .bytes = bytes, .data = data};
    strcpy(t->name, name);
    memcpy(t->shape, shape, (size_t)dims * sizeof *shape);
}

static void put_conv(Dict *d, const char *stem, size_t o, size_t i, size_t k, bool bias)
{
    char name[SLB_TENSOR_NAME_BYTES];
    const size_t shape[] = {o, i, k, k};
    float *w = test_calloc(o * i * k * k, sizeof *w), *b = test_calloc(o, sizeof *b);
    w[0] = (float)d->count;
    b[0] = (float)d->count + 0.5f;
    snprintf(name, sizeof name, "%s.bias", stem);
    if (bias) put(d, name, SLB_F32, 1, shape, b, o * sizeof *b);
    snprintf(name, sizeof name, "%s.weight", stem);
    put(d, name, SLB_F32, 4, shape, w, o * i * k * k * sizeof *w);
    if (!bias) test_free(b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const SlbTensor *)a)->name, ((const SlbTensor *)b)->name);
}

/* Loads the dict as `net`, a text or a name, with a map of this text; frees the dict. */
static SlbStatus load(Dict *d, const char *net, const char *map_text, SlbModel **model,
                      SlbForeignMatch **matches, SlbError *err)
{
    SlbGraph *g = NULL;
    SlbNameMap *map = NULL;
    SlbStatus s = slb_tensors_write(path, d->tensor, d->count, NULL, 0, true, err);
    assert_int_equal(s, SLB_OK);
    for (size_t i = 0; i < d->count; i++) test_free((void *)d->tensor[i].data);
    s = strchr(net, '\n') ? slb_graph_parse(net, strlen(net), "t", &g, err)
                          : slb_graph_open(net, &g, err);
    assert_int_equal(s, SLB_OK);
    if (map_text) {
        FILE *f = fopen(map_path, "w");
        assert_non_null(f);
        fputs(map_text, f);
        fclose(f);
        s = slb_names_load(map_path, &map, err);
    }
    if (s == SLB_OK) s = slb_foreign_load(path, g, map, model, matches, err);
    slb_names_free(map);
    slb_graph_free(g);
    return s;
}

static void expect_names(Dict *d, const char *net, const char *map, const char *const *names)
{
    SlbError err = {0};
    SlbModel *m = NULL;
    SlbForeignMatch *matches = NULL;
    if (load(d, net, map, &m, &matches, &err) != SLB_OK) fail_msg("%s", err.message);
    for (int i = 0; i < m->graph->conv_count; i++) {
        assert_string_equal(matches[i].weight, names[i]);
        assert_true(matches[i].bias);
        /* A bias stands in front of its weights here, and has their number before. */
        assert_true(m->conv[i].bias[0] == m->conv[i].weight[0] + 0.5f);
    }
    slb_free(matches);
    slb_model_free(m);
}

static void fail_with(Dict *d, const char *map, const char *part)
{
    SlbError err = {0};
    SlbModel *m;
    SlbForeignMatch *matches;
    assert_int_equal(load(d, three, map, &m, &matches, &err), SLB_E_MODEL);
    if (!strstr(err.message, part)) fail_msg("'%s' lacks '%s'", err.message, part);
}

/* What fits `three`, in the network's order. */
static Dict three_convs(void)
{
    Dict d = {0};
    put_conv(&d, "z.in", 2, 1, 3, true);
    put_conv(&d, "b.10", 2, 2, 3, true);
    put_conv(&d, "b.9", 2, 2, 3, true);
    put_conv(&d, "out", 1, 2, 1, true);
    return d;
}

static void test_shapes_and_order_find_the_convolutions(void **state)
{
    (void)state;
    static const char *const as_written[] = {"z.in.weight", "b.10.weight", "b.9.weight",
                                             "out.weight"};
    static const char *const by_number[] = {"z.in.weight", "b.9.weight", "b.10.weight",
                                            "out.weight"};
    Dict d = three_convs();
    expect_names(&d, three, NULL, as_written);
    d = three_convs();
    qsort(d.tensor, d.count, sizeof *d.tensor, by_name);
    expect_names(&d, three, NULL, by_number);
}

/* Exact for the values here. */
static void shorten(SlbTensor *t)
{
    const float *from = t->data;
    uint16_t *to = test_calloc(t->bytes / 4, sizeof *to);
    for (size_t i = 0; i < t->bytes / 4; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof bits);
        to[i] = (uint16_t)(bits >> 16);
    }
    test_free((void *)t->data);
    t->data = to;
    t->bytes /= 2;
    t->dtype = SLB_BF16;
}

static int by_type_and_name(const void *a, const void *b)
{
    const SlbTensor *s = a, *t = b;
    return s->dtype != t->dtype ? (s->dtype < t->dtype) - (s->dtype > t->dtype) : by_name(a, b);
}

/* PyTorch's writer sorts by type first. */
static void test_types_that_are_mixed_do_not_change_the_order(void **state)
{
    (void)state;
    static const char *const by_number[] = {"z.in.weight", "b.9.weight", "b.10.weight",
                                            "out.weight"};
    static const char *const as_written[] = {"z.in.weight", "b.10.weight", "b.9.weight",
                                             "out.weight"};
    Dict d = three_convs();
    for (size_t i = 0; i < d.count; i++)
        if (d.tensor[i].name[0] == 'b') shorten(&d.tensor[i]);
    qsort(d.tensor, d.count, sizeof *d.tensor, by_type_and_name);
    expect_names(&d, three, NULL, by_number);
    d = three_convs();
    for (size_t i = 0; i < d.count; i++) /* short ones first: another writer's order */
        if (d.tensor[i].name[0] == 'b') shorten(&d.tensor[i]);
    qsort(d.tensor, d.count, sizeof *d.tensor, by_name);
    expect_names(&d, three, NULL, as_written);
}

static void test_a_bias_can_be_left_out(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbModel *m = NULL;
    SlbForeignMatch *matches = NULL;
    Dict d = three_convs();
    if (load(&d, three, "- b.9.bias\n", &m, &matches, &err) != SLB_OK) fail_msg("%s", err.message);
    assert_true(matches[1].bias && !matches[2].bias && m->conv[2].bias[0] == 0.0f);
    slb_free(matches);
    slb_model_free(m);
    d = three_convs();
    fail_with(&d, "conv01 b.9\n- b.9\n",
              "line 1 of the map takes 'b.9.weight', which line 2 leaves out");
}

static void test_a_map_goes_before_shapes(void **state)
{
    (void)state;
    static const char *const swapped[] = {"z.in.weight", "b.9.weight", "b.10.weight", "out.weight"};
    Dict d = three_convs();
    const size_t one = 1;
    put(&d, "norm.count", SLB_I64, 1, &one, test_calloc(1, 8), 8);
    put_conv(&d, "mean", 3, 3, 1, true);
    expect_names(&d, three,
                 "# a comment\n\nconv01 b.9 # and one more\r\n\tconv03  out.weight\n- mean\n- norm",
                 swapped);
}

/* BasicSR's EDSR, as safetensors.torch.save_file sorts its state dict. */
static void test_edsr_of_basicsr_becomes_srresnet(void **state)
{
    (void)state;
    const char *names[36];
    char body[32][48];
    Dict *d = test_calloc(1, sizeof *d);
    put_conv(d, "conv_first", 64, 3, 3, true);
    for (int i = 0; i < 32; i++) {
        snprintf(body[i], sizeof body[i], "body.%d.conv%d", i / 2, i % 2 + 1);
        put_conv(d, body[i], 64, 64, 3, true);
        names[i + 1] = strcat(body[i], ".weight");
    }
    put_conv(d, "conv_after_body", 64, 64, 3, true);
    put_conv(d, "upsample.0", 256, 64, 3, true);
    put_conv(d, "conv_last", 3, 64, 3, true);
    names[0] = "conv_first.weight";
    names[33] = "conv_after_body.weight";
    names[34] = "upsample.0.weight";
    names[35] = "conv_last.weight";
    qsort(d->tensor, d->count, sizeof *d->tensor, by_name);
    expect_names(d, "srresnet-x2", NULL, names);
    test_free(d);
}

static void test_short_and_long_floats_are_read(void **state)
{
    (void)state;
    static const float want[] = {1.0f, -2.5f, 0.0f, 65504.0f, 0x1p-24f, -0x1.ff8p-15f};
    static const uint16_t half[] = {0x3c00, 0xc100, 0, 0x7bff, 1, 0x83ff};
    SlbError err = {0};
    for (int type = 0; type < 3; type++) {
        Dict d = {0};
        SlbModel *m;
        SlbForeignMatch *matches;
        const size_t shape[] = {6, 1, 1, 1}, back[] = {1, 6, 1, 1};
        unsigned char *a = test_calloc(6, 8);
        for (int i = 0; i < 6; i++) {
            double wide = (double)want[i];
            uint32_t single;
            memcpy(&single, &want[i], 4);
            uint16_t top = (uint16_t)(single >> 16);
            if (type == 0) memcpy(a + 2 * i, &half[i], 2);
            if (type == 1) memcpy(a + 2 * i, &top, 2);
            if (type == 2) memcpy(a + 8 * i, &wide, 8);
        }
        SlbDtype dtype = type == 0 ? SLB_F16 : type == 1 ? SLB_BF16 : SLB_F64;
        put(&d, "a.weight", dtype, 4, shape, a, type == 2 ? 48 : 12);
        put(&d, "b.weight", SLB_F32, 4, back, test_calloc(6, 4), 24);
        if (load(&d, "input y bicubic\nconv 6 1x1 full\nconv 1 1x1 full\n", NULL, &m, &matches,
                 &err) != SLB_OK)
            fail_msg("%s", err.message);
        assert_true(matches[0].dtype == dtype && !matches[0].bias);
        for (int i = 0; i < 6; i++) {
            float got = m->conv[0].weight[i], exact = want[i];
            assert_true(type == 1 ? fabsf(got - exact) <= fabsf(exact) / 128.0f : got == exact);
            assert_true(m->conv[0].bias[i] == 0.0f);
        }
        slb_free(matches);
        slb_model_free(m);
    }
}

static void test_what_does_not_fit_is_told(void **state)
{
    (void)state;
    Dict d = three_convs();
    put_conv(&d, "mean", 3, 3, 1, false);
    fail_with(&d, NULL, "mean.weight [3,3,1,1]; a line '- NAME'");
    d = three_convs();
    d.count -= 2;
    test_free((void *)d.tensor[6].data);
    test_free((void *)d.tensor[7].data);
    fail_with(&d, NULL, "no weights [1,2,1,1] are left for conv03");
    d = three_convs();
    d.tensor[2].shape[0] = 1;
    d.tensor[2].bytes = 4;
    fail_with(&d, NULL, "b.10.bias [1] is no bias for 'b.10.weight'");
    d = three_convs();
    *(float *)d.tensor[3].data = NAN;
    fail_with(&d, NULL, "'b.10.weight' has values that are no finite floats");
    d = three_convs();
    fail_with(&d, "conv01 b.1\n", "has no 'b.1.weight', which line 1");
    d = three_convs();
    fail_with(&d, "conv01 out\n",
              "out.weight [1,2,1,1] does not fit conv01, which wants [2,2,3,3]");
    d = three_convs();
    fail_with(&d, "conv01 b.9\nconv02 b.9\n", "line 2 of the map takes 'b.9.weight' once more");
    d = three_convs();
    fail_with(&d, "- b.1\n", "has no 'b.1' to leave out, as line 1");
    d = three_convs();
    fail_with(&d, "- b.9\n", "no weights [2,2,3,3] are left for conv02");
    d = three_convs();
    fail_with(&d, "conv04 b.9\n", "conv04, in line 1 of the map, is not in the network");
}

static void test_maps_that_cannot_be_read_are_told(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"\nconv01\n", "line 2: one word alone"},
        {"conv01 a b", "line 1: more than two words"},
        {"conv1 a", "line 1: the first word is neither"},
        {"convolution a", "line 1: the first word is neither"},
        {"conv00012 a", "line 1: the first word is neither"},
        {"conv01 a\nconv01 b", "line 2: this convolution has a name already"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Dict d = three_convs();
        fail_with(&d, bad[i][0], bad[i][1]);
    }
}

static void fill(SlbModel *m)
{
    SlbRng rng = slb_rng(3, 0, 0);
    for (int i = 0; i < m->graph->conv_count; i++) {
        SlbConvParams *c = &m->conv[i];
        for (size_t k = 0; k < slb_conv_weights(c); k++) {
            if (c->bits == 32)
                c->weight[k] = (float)slb_rng_normal(&rng);
            else
                c->level[k] = (uint8_t)slb_rng_below(&rng, 1u << c->bits);
        }
        for (int o = 0; o < c->out_channels; o++) {
            c->bias[o] = (float)slb_rng_normal(&rng);
            if (c->bits < 32) c->scale[o] = (float)slb_rng_normal(&rng);
        }
    }
}

static void test_what_goes_out_comes_back(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbGraph *g = NULL;
    SlbModel *m = NULL, *back = NULL;
    SlbNameMap *map = NULL;
    SlbForeignMatch *matches = NULL;
    FILE *f = fopen(map_path, "w");
    assert_non_null(f);
    fputs("conv00 head\nconv02 body.1.weight\n- mean\n", f);
    fclose(f);
    assert_int_equal(slb_graph_parse(three, strlen(three), "t", &g, &err), SLB_OK);
    assert_int_equal(slb_model_create(g, 2, &m, &err), SLB_OK);
    fill(m);
    assert_int_equal(slb_names_load(map_path, &map, &err), SLB_OK);
    assert_int_equal(slb_foreign_save(m, map, path, true, &err), SLB_OK);
    assert_int_equal(slb_foreign_save(m, map, path, false, &err), SLB_E_OUTPUT);
    slb_names_free(map);
    if (slb_foreign_load(path, g, NULL, &back, &matches, &err) != SLB_OK)
        fail_msg("%s", err.message);
    static const char *const names[] = {"head.weight", "conv01.weight", "body.1.weight",
                                        "conv03.weight"};
    for (int i = 0; i < g->conv_count; i++) {
        float weight[64];
        slb_conv_effective(&m->conv[i], weight);
        assert_string_equal(matches[i].weight, names[i]);
        assert_memory_equal(back->conv[i].weight, weight, slb_conv_weights(&m->conv[i]) * 4);
        assert_memory_equal(back->conv[i].bias, m->conv[i].bias,
                            (size_t)m->conv[i].out_channels * 4);
    }
    slb_free(matches);
    slb_model_free(back);
    slb_model_free(m);
    slb_graph_free(g);
}

static void save_with(const char *map_text, const char *part)
{
    SlbError err = {0};
    SlbGraph *g = NULL;
    SlbModel *m = NULL;
    SlbNameMap *map = NULL;
    FILE *f = fopen(map_path, "w");
    assert_non_null(f);
    fputs(map_text, f);
    fclose(f);
    unlink(path);
    assert_int_equal(slb_graph_parse(three, strlen(three), "t", &g, &err), SLB_OK);
    assert_int_equal(slb_model_create(g, 32, &m, &err), SLB_OK);
    assert_int_equal(slb_names_load(map_path, &map, &err), SLB_OK);
    assert_int_equal(slb_foreign_save(m, map, path, true, &err), SLB_E_MODEL);
    if (!strstr(err.message, part)) fail_msg("'%s' lacks '%s'", err.message, part);
    assert_int_not_equal(access(path, F_OK), 0);
    slb_names_free(map);
    slb_model_free(m);
    slb_graph_free(g);
}

static void test_what_could_not_be_read_is_not_written(void **state)
{
    (void)state;
    save_with("conv00 a\nconv01 a.weight\n", "two convolutions would be called 'a.weight'");
    save_with("conv00 conv03\n", "two convolutions would be called 'conv03.weight'");
    save_with("conv04 a\n", "conv04, in line 1 of the map, is not in the network");
}

/* The time that leaving tensors out takes grows with the lines. */
static void test_lines_of_a_map(void **state)
{
    (void)state;
    for (int lines = 4096; lines <= 4097; lines++) {
        SlbNameMap *map = NULL;
        SlbError err = {0};
        FILE *f = fopen(map_path, "w");
        assert_non_null(f);
        for (int i = 0; i < lines; i++) fputs("- a\n", f);
        fclose(f);
        SlbStatus s = slb_names_load(map_path, &map, &err);
        assert_int_equal(s, lines > 4096 ? SLB_E_MODEL : SLB_OK);
        if (s != SLB_OK) assert_non_null(strstr(err.message, "more than 4096 lines"));
        slb_names_free(map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_and_order_find_the_convolutions),
        cmocka_unit_test(test_types_that_are_mixed_do_not_change_the_order),
        cmocka_unit_test(test_a_bias_can_be_left_out),
        cmocka_unit_test(test_a_map_goes_before_shapes),
        cmocka_unit_test(test_edsr_of_basicsr_becomes_srresnet),
        cmocka_unit_test(test_short_and_long_floats_are_read),
        cmocka_unit_test(test_what_does_not_fit_is_told),
        cmocka_unit_test(test_maps_that_cannot_be_read_are_told),
        cmocka_unit_test(test_what_goes_out_comes_back),
        cmocka_unit_test(test_what_could_not_be_read_is_not_written),
        cmocka_unit_test(test_lines_of_a_map),
    };
    snprintf(path, sizeof path, "/tmp/slbsr_test_foreign_%ld", (long)getpid());
    snprintf(map_path, sizeof map_path, "/tmp/slbsr_test_foreign_%ld.map", (long)getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    unlink(map_path);
    return failed;
}
