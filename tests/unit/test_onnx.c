/* ONNX files, taken apart by their wire format: every length fits, every name that is read was made
 * before, and the operators are those of the network. What they compute: tests/onnx. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "infer/onnx_export.h"

static char path[64]; /* of this process alone: test programs run side by side */
static const char net_text[] = "input y\nconv 4 3x3 full relu\nname a\nconv 4 3x3 low norm relu\n"
                               "conv 4 1x1 low\nadd a\nlrelu\nconv 4 3x3 low\nshuffle 2\n"
                               "conv 1 3x3 full\n";

static SlbModel *make_model(int weight_bits, int act_bits)
{
    SlbError err = {0};
    SlbGraph *g = NULL;
    SlbModel *m = NULL;
    assert_int_equal(slb_graph_parse(net_text, strlen(net_text), "t", &g, &err), SLB_OK);
    assert_int_equal(slb_model_create(g, weight_bits, &m, &err), SLB_OK);
    slb_graph_free(g);
    m->act_bits = act_bits;
    for (int i = 0; i < m->graph->conv_count; i++) {
        SlbConvParams *c = &m->conv[i];
        if (c->bits == 32) continue;
        for (int o = 0; o < c->out_channels; o++) c->scale[o] = 0.5f * (float)(o - 1);
        if (act_bits < 32) c->in_step = 0.25f;
    }
    return m;
}

/* A stretch of the file: a message. */
typedef struct Span {
    const unsigned char *at, *end;
} Span;

static uint64_t varint(Span *s)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(s->at < s->end && shift < 64);
        unsigned char byte = *s->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
}

/* The next field: its number; its value or, for wire type 2, its bytes. 0 at the end. */
static int field(Span *s, uint64_t *value, Span *bytes)
{
    if (s->at == s->end) return 0;
    uint64_t key = varint(s);
    *value = 0;
    *bytes = (Span){0};
    if ((key & 7) == 0) {
        *value = varint(s);
    } else {
        assert_true((key & 7) == 2 || (key & 7) == 5);
        uint64_t length = (key & 7) == 2 ? varint(s) : 4;
        assert_true(length <= (uint64_t)(s->end - s->at));
        *bytes = (Span){s->at, s->at + length};
        s->at += length;
    }
    return (int)(key >> 3);
}

/* Field `number` of a message, which must be there, as text. */
static void text_of(Span message, int number, char text[128])
{
    uint64_t value;
    Span bytes;
    for (int f; (f = field(&message, &value, &bytes)) != 0;) {
        if (f != number) continue;
        size_t n = (size_t)(bytes.end - bytes.at);
        assert_true(n < 128);
        memcpy(text, bytes.at, n);
        text[n] = 0;
        return;
    }
    fail_msg("field %d is missing", number);
}

typedef struct Found {
    char made[128][128]; /* names: constants, inputs, outputs of nodes so far */
    int made_count;
    char ops[1024]; /* "Conv Relu ..." */
} Found;

static void make_name(Found *f, const char *name)
{
    for (int i = 0; i < f->made_count; i++) assert_string_not_equal(f->made[i], name);
    assert_true(f->made_count < 128);
    strcpy(f->made[f->made_count++], name);
}

static void check_node(Found *f, Span node)
{
    char name[128];
    uint64_t value;
    Span rest = node, bytes;
    for (int n; (n = field(&rest, &value, &bytes)) != 0;) {
        if (n != 1) continue;
        int i = 0;
        snprintf(name, sizeof name, "%.*s", (int)(bytes.end - bytes.at), (const char *)bytes.at);
        while (i < f->made_count && strcmp(f->made[i], name) != 0) i++;
        if (i == f->made_count) fail_msg("'%s' is read before it is made", name);
    }
    text_of(node, 2, name);
    make_name(f, name);
    text_of(node, 4, name);
    strcat(strcat(f->ops, *f->ops ? " " : ""), name);
}

/* Elements of TensorProto times their size are the bytes of its data. */
static void check_constant(Found *f, Span tensor)
{
    char name[128];
    uint64_t value, count = 1, size = 0, raw = 0;
    Span rest = tensor, bytes;
    for (int n; (n = field(&rest, &value, &bytes)) != 0;) {
        if (n == 1) count *= value;
        if (n == 2) size = value == 1 || value == 6 ? 4 : 1;
        if (n == 9) raw = (uint64_t)(bytes.end - bytes.at);
    }
    assert_true(size > 0 && raw == count * size);
    text_of(tensor, 8, name);
    make_name(f, name);
}

static void check_graph(Found *f, Span graph)
{
    char name[128];
    uint64_t value;
    Span bytes;
    int ends[2] = {0};
    for (int n; (n = field(&graph, &value, &bytes)) != 0;) {
        if (n == 1) check_node(f, bytes);
        if (n == 5) check_constant(f, bytes);
        if (n != 11 && n != 12) continue;
        ends[n - 11]++;
        text_of(bytes, 1, name);
        assert_string_equal(name, n == 11 ? "input" : "output");
        if (n == 11) make_name(f, name);
    }
    assert_true(ends[0] == 1 && ends[1] == 1);
    assert_string_equal(f->made[f->made_count - 1], "output");
}

static void check_file(const char *ops)
{
    unsigned char *data;
    size_t bytes;
    SlbError err = {0};
    Found *found = test_calloc(1, sizeof *found);
    assert_int_equal(slb_read_file(path, 1 << 20, SLB_E_MODEL, &data, &bytes, &err), SLB_OK);
    Span model = {data, data + bytes}, inner;
    uint64_t value;
    int met = 0;
    for (int n; (n = field(&model, &value, &inner)) != 0;) {
        assert_true(n != 1 || value == 7);
        if (n == 7) check_graph(found, inner);
        met |= 1 << n;
    }
    assert_int_equal(met, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 14);
    assert_string_equal(found->ops, ops);
    test_free(found);
    slb_free(data);
}

#define QDQ "QuantizeLinear DequantizeLinear DequantizeLinear DequantizeLinear Conv"

static void test_networks_become_operators(void **state)
{
    (void)state;
    static const struct {
        int weight_bits, act_bits;
        bool use_float;
        const char *ops;
    } cases[] = {
        {32, 32, false, "Conv Relu Conv Relu Conv Add LeakyRelu Conv DepthToSpace Conv"},
        {2, 32, false, "Conv Relu Conv Relu Conv Add LeakyRelu Conv DepthToSpace Conv"},
        {2, 8, true, "Conv Relu Conv Relu Conv Add LeakyRelu Conv DepthToSpace Conv"},
        {2, 8, false, "Conv Relu " QDQ " Relu " QDQ " Add LeakyRelu " QDQ " DepthToSpace Conv"},
        {1, 4, false,
         "Conv Relu Clip " QDQ " Relu Clip " QDQ " Add LeakyRelu Clip " QDQ " DepthToSpace Conv"},
        {4, 1, false,
         "Conv Relu Clip " QDQ " Relu Clip " QDQ " Add LeakyRelu GreaterOrEqual Where " QDQ
         " DepthToSpace Conv"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SlbError err = {0};
        SlbModel *m = make_model(cases[i].weight_bits, cases[i].act_bits);
        SlbOnnxOptions how = {.use_float = cases[i].use_float, .overwrite = true};
        assert_int_equal(slb_export_onnx(m, &how, path, &err), SLB_OK);
        check_file(cases[i].ops);
        slb_model_free(m);
    }
}

static void test_nothing_is_written_when_something_fails(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbModel *m = make_model(2, 8);
    SlbOnnxOptions how = {.command = "slbsr export"};
    unlink(path);
    long n = 1;
    for (;; n++) { /* every allocation fails once */
        slb_mem_fail_at(n);
        SlbStatus s = slb_export_onnx(m, &how, path, &err);
        slb_mem_fail_at(0);
        if (s == SLB_OK) break;
        assert_int_equal(s, SLB_E_MEMORY);
        assert_int_not_equal(access(path, F_OK), 0);
    }
    assert_true(n > 10);
    assert_int_equal(slb_export_onnx(m, &how, path, &err), SLB_E_OUTPUT);
    slb_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks_become_operators),
        cmocka_unit_test(test_nothing_is_written_when_something_fails),
    };
    snprintf(path, sizeof path, "/tmp/slbsr_test_onnx_file_%ld", (long)getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
