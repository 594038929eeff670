/* The network text: what it means, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/graph.h"

static SlbStatus parse(const char *text, SlbGraph **graph, SlbError *err)
{
    return slb_graph_parse(text, strlen(text), "t.net", graph, err);
}

static void test_vdsr_is_the_network_of_the_paper(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbGraph *g = NULL;
    assert_int_equal(slb_graph_open("vdsr", &g, &err), SLB_OK);
    assert_int_equal(g->node_count, 22);
    assert_int_equal(g->conv_count, 20);
    assert_int_equal(slb_graph_radius(g), 20);
    long macs = 0;
    for (int i = 0; i < g->node_count; i++) {
        const SlbNode *n = &g->nodes[i];
        if (n->op != SLB_OP_CONV) continue;
        macs += 9L * n->channels * g->nodes[n->source[0]].channels;
        assert_int_equal(n->conv, i - 1);
        assert_int_equal(n->low, i > 1 && i < 20);
        assert_int_equal(n->norm, n->low);
        assert_int_equal(n->relu, i < 20);
    }
    assert_int_equal(macs, 664704);
    assert_int_equal(g->nodes[0].consumers, 2);
    assert_int_equal(g->nodes[21].op, SLB_OP_ADD);
    assert_int_equal(g->nodes[21].source[0], 20);
    assert_int_equal(g->nodes[21].source[1], 0);
    assert_int_equal(g->nodes[21].consumers, 0);
    slb_graph_free(g);
}

/* As editors on Windows begin a text. */
static void test_a_mark_of_utf8_is_passed_over(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbGraph *g = NULL;
    assert_int_equal(parse("\xef\xbb\xbfinput y bicubic\r\nconv 1 3x3 full\r\n", &g, &err), SLB_OK);
    assert_int_equal(g->conv_count, 1);
    assert_true(g->text[0] == 'i');
    slb_graph_free(g);
}

static void test_names_repeats_and_comments(void **state)
{
    (void)state;
    const char *text = "# a comment\n\ninput y bicubic # and one behind\r\n"
                       "conv 8 3x3 full relu\nrepeat 2\n\tname skip\n  repeat 3\n conv 8 1x1 low\n"
                       "end\nadd skip\nend\nconv 1 3x3 full";
    SlbError err = {0};
    SlbGraph *g = NULL;
    assert_int_equal(parse(text, &g, &err), SLB_OK);
    assert_string_equal(g->text, text);
    assert_int_equal(g->conv_count, 8);
    assert_int_equal(g->node_count, 11);
    assert_int_equal(g->nodes[5].op, SLB_OP_ADD);
    assert_int_equal(g->nodes[5].source[1], 1); /* skip: behind the first convolution */
    assert_int_equal(g->nodes[9].source[1], 5); /* and, given again, behind the first sum */
    assert_int_equal(g->nodes[1].consumers, 2);
    assert_int_equal(slb_graph_radius(g), 2); /* 1x1 kernels add nothing */
    slb_graph_free(g);
}

static void test_networks_that_enlarge(void **state)
{
    (void)state;
    const char *text = "input rgb\nconv 8 3x3 full\nname x\nconv 8 3x3 low norm relu\n"
                       "conv 8 3x3 low norm\nadd x\nlrelu\nconv 32 3x3 low relu\nshuffle 2\n"
                       "conv 12 3x3 full\nshuffle 2\n";
    SlbError err = {0};
    SlbGraph *g = NULL;
    assert_int_equal(parse(text, &g, &err), SLB_OK);
    assert_false(g->enlarged);
    assert_int_equal(g->scale, 4);
    static const int channels[] = {3, 8, 8, 8, 8, 8, 32, 8, 12, 3};
    static const int scales[] = {1, 1, 1, 1, 1, 1, 1, 2, 2, 4};
    static const int positive[] = {1, 0, 1, 0, 0, 0, 1, 1, 0, 0};
    assert_int_equal(g->node_count, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(g->nodes[i].channels, channels[i]);
        assert_int_equal(g->nodes[i].scale, scales[i]);
        assert_int_equal(g->nodes[i].positive, positive[i]);
    }
    assert_int_equal(g->nodes[5].op, SLB_OP_LRELU);
    assert_int_equal(g->nodes[7].op, SLB_OP_SHUFFLE);
    assert_int_equal(g->nodes[7].factor, 2);
    assert_int_equal(slb_graph_radius(g), 5);
    slb_graph_free(g);
}

static void test_branches(void **state)
{
    (void)state;
    const char *text = "input rgb\nconv 12 3x3 full\nshuffle 2\nname base\nfrom input\n"
                       "conv 8 3x3 full\nname head\nconv 8 1x1 low\nname side\nfrom head\n"
                       "conv 8 1x1 low\nadd side\nconv 12 3x3 full\nshuffle 2\nadd base\n";
    SlbError err = {0};
    SlbGraph *g = NULL;
    assert_int_equal(parse(text, &g, &err), SLB_OK);
    static const int source[] = {-1, 0, 1, 0, 3, 3, 5, 6, 7, 8};
    assert_int_equal(g->node_count, 10);
    for (int i = 0; i < 10; i++) assert_int_equal(g->nodes[i].source[0], source[i]);
    assert_int_equal(g->nodes[6].source[1], 4);
    assert_int_equal(g->nodes[9].source[1], 2);
    assert_int_equal(g->nodes[0].consumers, 2);
    assert_int_equal(g->nodes[3].consumers, 2);
    assert_int_equal(slb_graph_radius(g), 2);
    slb_graph_free(g);
}

static void test_wrong_texts_are_refused_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "no convolution"},
        {"input y bicubic\n", "no convolution"},
        {"conv 1 3x3 full\n", "line 1: the first line must be"},
        {"input cmyk bicubic\n", "line 1: unknown kind of input 'cmyk'"},
        {"input rgb bicubic\n", "line 1: only y can be enlarged first"},
        {"input y\nconv 1 3x3 full\n", "it has no shuffle"},
        {"input rgb\nconv 12 3x3 full\nshuffle 2\nconv 1 3x3 full\n", "must have 3 channels"},
        {"input y\nconv 6 3x3 full\nshuffle 2\n", "line 3: the channels are no multiple"},
        {"input y\nconv 4 3x3 full\nshuffle 1\n", "line 3: shuffle wants a factor"},
        {"input y\nconv 4 3x3 full\nshuffle 2\nadd input\n", "line 4: the current tensor has "
                                                             "another resolution than 'input'"},
        {"input y\nconv 36 3x3 full\nshuffle 2\nshuffle 3\n", "line 4: more than 4 times"},
        {"input y bicubic\nconv 4 3x3 full\nshuffle 2\n", "line 3: shuffle does not go with"},
        {"input y nearest\n", "nearest"},
        {"input y bicubic\ninput y bicubic\n", "line 2: a second input"},
        {"input y bicubic\nconv 1 3x3 full\nsoftmax\n", "line 3: unknown word 'softmax'"},
        {"input y bicubic\nconv 0 3x3 full\n", "line 2: channels must be 1 to 1024, not '0'"},
        {"input y bicubic\nconv 1025 3x3 full\n", "1025"},
        {"input y bicubic\nconv 99999999999999999999 3x3 full\n", "channels"},
        {"input y bicubic\nconv -1 3x3 full\n", "channels"},
        {"input y bicubic\nconv 1 5x5 full\n", "5x5"},
        {"input y bicubic\nconv 1 3x3 half\n", "half"},
        {"input y bicubic\nconv 1 3x3 full relu norm\n", "norm"},
        {"input y bicubic\nconv 1 3x3 full norm\n", "norm goes with low"},
        {"input y bicubic\nconv 1 3x3 full norm sbn\n", "norm goes with low"},
        {"input y bicubic\nconv 1 3x3 low sbn\n", "'sbn'"},
        {"input y bicubic\nconv 1 3x3 low norm relu sbn\n", "'sbn'"},
        {"input y bicubic\nconv 1 3x3\n", "wrong number of words"},
        {"input y bicubic\nconv 1 3x3 full relu x y z w\n", "too many words"},
        {"input y bicubic\nconv 2 3x3 full\n", "the last tensor must have 1 channel"},
        {"input y bicubic\nconv 2 3x3 full\nadd input\n", "another number of channels"},
        {"input y bicubic\nconv 1 3x3 full\nadd nowhere\n", "line 3: no tensor has the name"},
        {"input y bicubic\nconv 1 3x3 full\nfrom nowhere\n", "line 3: no tensor has the name"},
        {"input y bicubic\nconv 1 3x3 full\nfrom input\n", "nothing follows 'from'"},
        {"input y bicubic\nfrom\n", "wrong number of words"},
        {"input y bicubic\nconv 1 3x3 full\nname input\n", "taken"},
        {"input y bicubic\nrepeat 2\nconv 1 3x3 full\n\n#\n", "line 2: a repeat has no end"},
        {"input y bicubic\nend\n", "line 2: end without repeat"},
        {"input y bicubic\nconv 2 3x3 full\nname a\nconv 2 3x3 full\n\nfrom a\nconv 1 3x3 full\n",
         "line 4: nothing is made of this line's tensor"},
        {"input y bicubic\nrepeat 0\nend\n", "repeat wants a number"},
        {"input y bicubic\nrepeat 1024\nconv 1 1x1 low\nconv 1 1x1 low\nend\n", "more layers"},
        {"input y bicubic\nrepeat 1024\nrepeat 1024\nrepeat 1024\nend\nend\nend\n", "too long"},
        {"input y bicubic\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1\n"
         "repeat 1\nrepeat 1\n",
         "nested too deeply"},
        {"input y bicubic\nconv 1 3x3 fulllllllllllllllllllllllllllllllllllllllllll\n", "31 char"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SlbError err = {0};
        SlbGraph *g = NULL;
        assert_int_equal(parse(bad[i].text, &g, &err), SLB_E_MODEL);
        assert_null(g);
        assert_int_equal(err.status, SLB_E_MODEL);
        if (!strstr(err.message, bad[i].message) || strncmp(err.message, "t.net: ", 7) != 0)
            fail_msg("case %zu: '%s' lacks '%s'", i, err.message, bad[i].message);
    }
}

static void test_limits_and_zero_bytes(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbGraph *g = NULL;
    assert_int_equal(slb_graph_parse("input y bicubic\n\0conv 1 3x3 full", 32, "t", &g, &err),
                     SLB_E_MODEL);
    char *big = test_malloc(SLB_MAX_NET_BYTES + 1);
    memset(big, '\n', SLB_MAX_NET_BYTES + 1);
    assert_int_equal(slb_graph_parse(big, SLB_MAX_NET_BYTES + 1, "t", &g, &err), SLB_E_MODEL);
    test_free(big);
    assert_int_equal(parse("input y bicubic\nconv 1024 1x1 full\nrepeat 28\nconv 1024 3x3 full\n"
                           "end\nconv 1 1x1 full\n",
                           &g, &err),
                     SLB_OK);
    slb_graph_free(g);
    assert_int_equal(parse("input y bicubic\nconv 1024 1x1 full\nrepeat 29\nconv 1024 3x3 full\n"
                           "end\nconv 1 1x1 full\n",
                           &g, &err),
                     SLB_E_MODEL);
    assert_non_null(strstr(err.message, "line 4: more weights than"));
    assert_int_equal(slb_graph_open("/nowhere/x.net", &g, &err), SLB_E_MODEL);
    assert_int_equal(slb_graph_open("", &g, &err), SLB_E_MODEL);
    slb_graph_free(NULL);
}

static void test_out_of_memory_is_reported(void **state)
{
    (void)state;
    for (long n = 1; n <= 4; n++) {
        SlbError err = {0};
        SlbGraph *g = NULL;
        slb_mem_fail_at(n);
        assert_int_equal(parse("input y bicubic\nconv 1 3x3 full\n", &g, &err), SLB_E_MEMORY);
        slb_mem_fail_at(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vdsr_is_the_network_of_the_paper),
        cmocka_unit_test(test_a_mark_of_utf8_is_passed_over),
        cmocka_unit_test(test_names_repeats_and_comments),
        cmocka_unit_test(test_networks_that_enlarge),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_wrong_texts_are_refused_with_their_line),
        cmocka_unit_test(test_limits_and_zero_bytes),
        cmocka_unit_test(test_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
