/* The C interface: both ways to hand pictures over, strides, depths, limits, cancelling, contexts
 * in many threads. */
#include <pthread.h>
#include <stdio.h>

#include "api/pictures.h"
#include "base/mem.h"

/* ---- One call ---- */

static void test_one_call(void **state)
{
    (void)state;
    SlbsrError error;
    for (int channels = 1; channels <= 4; channels++)
        for (int depth = 8; depth <= 16; depth += 8) {
            SlbsrImage in = picture(13, 9, channels, depth, 6), out = {0};
            SlbsrOptions options = defaults();
            options.scale = 1.5;
            assert_done(slbsr_upscale(&options, &in, &out, &error), &error);
            assert_int_equal(out.width, 20);
            assert_int_equal(out.height, 14);
            assert_int_equal(out.channels, channels);
            assert_int_equal(out.depth, depth);
            assert_int_equal(out.stride_bytes, 20 * channels * depth / 8);
            slbsr_image_free(&out);
            assert_null(out.data);
            free(in.data);
        }
}

static void test_into_a_buffer_of_the_callers(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    SlbsrImage in = picture(13, 9, 4, 8, 0), want = {0}, out = picture(26, 18, 4, 8, 10);
    assert_done(slbsr_upscale(&options, &in, &want, &error), &error);
    assert_done(slbsr_upscale(&options, &in, &out, &error), &error);
    assert_true(is_same(&out, &want));
    for (uint32_t y = 0; y < 18; y++) /* not a byte beside the rows */
        for (size_t i = 26 * 4; i < out.stride_bytes; i++)
            assert_int_equal(((unsigned char *)out.data)[y * out.stride_bytes + i], 0xee);
    out.width--;
    assert_int_equal(slbsr_upscale(&options, &in, &out, &error), SLBSR_E_ARGUMENT);
    out.width++;
    out.stride_bytes = 26 * 4 - 1;
    assert_int_equal(slbsr_upscale(&options, &in, &out, &error), SLBSR_E_ARGUMENT);
    free(out.data);
    out = picture(26, 18, 4, 16, 0); /* finer than the picture */
    assert_done(slbsr_upscale(&options, &in, &out, &error), &error);
    for (size_t i = 0; i < 26 * 18 * 4; i++) {
        double fine = ((uint16_t *)out.data)[i] / 257.0;
        double coarse = ((unsigned char *)want.data)[i];
        assert_true(fine - coarse <= 0.5 && coarse - fine <= 0.5);
    }
    free(out.data);
    free(in.data);
    slbsr_image_free(&want);
}

/* ---- Rows ---- */

/* `how` tells the depth that is wanted, if not that of `in`. */
static SlbsrImage by_rows(SlbsrContext *context, const SlbsrImage *in, const SlbsrImage *how,
                          uint32_t most)
{
    SlbsrError error;
    SlbsrImage out = *how;
    uint32_t pushed = 0, pulled = 0;
    assert_done(slbsr_begin(context, in, &out, &error), &error);
    out.stride_bytes = out.width * (size_t)(out.channels * out.depth / 8) + 2;
    out.data = malloc(out.stride_bytes * out.height);
    for (;;) {
        uint32_t got, wanted = slbsr_wanted(context);
        assert_done(slbsr_pull(context, (unsigned char *)out.data + pulled * out.stride_bytes,
                               out.stride_bytes, most, &got, &error),
                    &error);
        pulled += got;
        if (got) continue;
        if (!wanted) break;
        if (wanted > most) wanted = most;
        assert_done(slbsr_push(context, (const unsigned char *)in->data + pushed * in->stride_bytes,
                               in->stride_bytes, wanted, &error),
                    &error);
        pushed += wanted;
    }
    assert_int_equal(pushed, in->height);
    assert_int_equal(pulled, out.height);
    return out;
}

static void test_rows_give_the_same_as_one_call(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    options.width = 45;
    options.max_memory_bytes = 6 << 20;
    SlbsrContext *context;
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    for (int channels = 1; channels <= 4; channels += 3)
        for (uint32_t most = 1; most < 40; most += 12) {
            SlbsrImage in = picture(17, 300, channels, 8, 4), want = {0};
            SlbsrImage out = by_rows(context, &in, &want, most);
            assert_done(slbsr_context_upscale(context, &in, &want, &error), &error);
            assert_true(is_same(&out, &want));
            free(out.data);
            free(in.data);
            slbsr_image_free(&want);
        }
    slbsr_context_free(context);
}

static void test_wrong_rows_are_refused(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    SlbsrImage in = picture(17, 30, 3, 8, 0), out = {0};
    SlbsrContext *context;
    uint32_t got;
    unsigned char rows[4096];
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    assert_int_equal(slbsr_wanted(context), 0);
    assert_int_equal(slbsr_pull(context, rows, 0, 1, &got, &error), SLBSR_E_ARGUMENT);
    assert_int_equal(slbsr_push(context, rows, 0, 1, &error), SLBSR_E_ARGUMENT);
    assert_done(slbsr_begin(context, &in, &out, &error), &error);
    assert_int_equal(slbsr_wanted(context), 30);
    assert_int_equal(slbsr_push(context, in.data, 0, 31, &error), SLBSR_E_ARGUMENT);
    assert_int_equal(slbsr_push(context, in.data, 50, 1, &error), SLBSR_E_ARGUMENT);
    assert_done(slbsr_push(context, in.data, 0, 1, &error), &error);
    assert_done(slbsr_pull(context, rows, 0, 1, &got, &error), &error);
    assert_int_equal(got, 0);
    assert_done(slbsr_begin(context, &in, &out, &error), &error); /* anew */
    assert_int_equal(slbsr_wanted(context), 30);
    in.channels = 5;
    assert_int_equal(slbsr_begin(context, &in, &out, &error), SLBSR_E_ARGUMENT);
    assert_int_equal(slbsr_wanted(context), 0);
    in.channels = 3;
    in.width = in.height = UINT32_MAX;
    assert_int_equal(slbsr_begin(context, &in, &out, &error), SLBSR_E_ARGUMENT);
    in.width = in.height = INT32_MAX;
    assert_int_equal(slbsr_begin(context, &in, &out, &error), SLBSR_E_PICTURE);
    slbsr_context_free(context);
    options = defaults();
    options.width = 1;
    options.max_memory_bytes = (uint64_t)1 << 30;
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    in.width = 2000000000;
    in.height = 1;
    assert_int_equal(slbsr_begin(context, &in, &out, &error), SLBSR_E_ARGUMENT);
    slbsr_context_free(context);
    options = defaults();
    options.tta = 1;
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    in.width = 17;
    in.height = 30;
    assert_int_equal(slbsr_begin(context, &in, &out, &error), SLBSR_E_ARGUMENT);
    slbsr_context_free(context);
    options.tta = 0;
    options.wrap = SLBSR_WRAP_Y;
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    assert_int_equal(slbsr_begin(context, &in, &out, &error), SLBSR_E_ARGUMENT);
    slbsr_context_free(context);
    free(in.data);
}

static void test_rows_of_another_depth(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    SlbsrImage in = picture(17, 30, 3, 8, 0), out = {.depth = 16}, want = picture(34, 60, 3, 16, 0);
    SlbsrContext *context;
    assert_done(slbsr_upscale(&options, &in, &want, &error), &error);
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    SlbsrImage fine = by_rows(context, &in, &out, 7);
    assert_true(is_same(&fine, &want));
    slbsr_context_free(context);
    free(fine.data);
    free(want.data);
    free(in.data);
}

static int stop_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

static void test_cancelled_rows_are_given_up(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    options.progress = stop_at_once;
    SlbsrImage in = picture(17, 30, 3, 8, 0), out = {0};
    SlbsrContext *context;
    unsigned char row[34 * 3];
    uint32_t got = 9;
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    assert_done(slbsr_begin(context, &in, &out, &error), &error);
    assert_done(slbsr_push(context, in.data, 0, 30, &error), &error);
    assert_int_equal(slbsr_pull(context, row, 0, 1, &got, &error), SLBSR_CANCELLED);
    assert_int_equal(got, 0);
    assert_int_equal(slbsr_wanted(context), 0);
    assert_int_equal(slbsr_pull(context, row, 0, 1, &got, &error), SLBSR_E_ARGUMENT);
    slbsr_context_free(context);
    free(in.data);
}

static void test_memory_is_limited(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    SlbsrImage in = {.width = 4000, .height = 100000, .channels = 3, .depth = 8}, out = {0};
    SlbsrContext *context;
    options.max_memory_bytes = 40 << 20;
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    assert_done(slbsr_begin(context, &in, &out, &error), &error);
    assert_true(slbsr_wanted(context) < 500);
    slbsr_context_free(context);
    options.max_memory_bytes = 2 << 20;
    assert_done(slbsr_context_new(&options, &context, &error), &error);
    assert_int_equal(slbsr_begin(context, &in, &out, &error), SLBSR_E_MEMORY);
    assert_non_null(strstr(error.text, "MiB are needed"));
    slbsr_context_free(context);
}

static int stop(void *user, uint64_t done, uint64_t total)
{
    assert_true(done <= total && total == 40 * 40);
    return ++*(int *)user > 1;
}

static void test_progress_can_cancel(void **state)
{
    (void)state;
    SlbsrError error;
    int calls = 0;
    SlbsrOptions options = defaults();
    SlbsrImage in = picture(20, 20, 1, 8, 0), out = {0};
    options.progress = stop;
    options.progress_user = &calls;
    assert_int_equal(slbsr_upscale(&options, &in, &out, &error), SLBSR_CANCELLED);
    assert_true(calls > 1);
    assert_null(out.data);
    free(in.data);
}

static void test_failing_memory_leaves_nothing(void **state)
{
    (void)state;
    SlbsrError error;
    SlbsrOptions options = defaults();
    SlbsrImage in = picture(5, 4, 4, 8, 0), out = {0};
    SlbsrStatus s = SLBSR_E_MEMORY;
    long n = 1;
    for (; s != SLBSR_OK && n < 2000; n++) {
        slb_mem_fail_at(n);
        s = slbsr_upscale(&options, &in, &out, &error);
        slb_mem_fail_at(0);
        if (s == SLBSR_OK) break;
        assert_int_equal(s, SLBSR_E_MEMORY);
        assert_null(out.data);
    }
    assert_int_equal(s, SLBSR_OK);
    assert_true(n > 50);
    slbsr_image_free(&out);
    free(in.data);
}

static void test_words(void **state)
{
    (void)state;
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SLBSR_VERSION_MAJOR, SLBSR_VERSION_MINOR,
             SLBSR_VERSION_PATCH);
    assert_string_equal(slbsr_version(), version);
    assert_string_equal(slbsr_status_text(SLBSR_E_MEMORY), "out of memory");
    assert_string_equal(slbsr_status_text((SlbsrStatus)4), "unknown status");
}

/* ---- Threads ---- */

enum { WORKERS = 8 };

typedef struct Worker {
    pthread_t thread;
    int number, failed;
    SlbsrImage in, out;
    uint64_t seen;
} Worker;

static int count(void *user, uint64_t done, uint64_t total)
{
    (void)total;
    ((Worker *)user)->seen = done;
    return 0;
}

/* Three pictures by one context, the others at the same work beside it. */
static void *work(void *argument)
{
    Worker *w = argument;
    SlbsrError error;
    SlbsrOptions options = defaults();
    options.threads = 1 + w->number % 2;
    options.progress = count;
    options.progress_user = w;
    SlbsrContext *context;
    if (slbsr_context_new(&options, &context, &error) != SLBSR_OK) {
        w->failed = 1;
        return NULL;
    }
    for (int i = 0; i < 3 && !w->failed; i++) {
        slbsr_image_free(&w->out);
        w->failed = slbsr_context_upscale(context, &w->in, &w->out, &error) != SLBSR_OK;
    }
    slbsr_context_free(context);
    return NULL;
}

static void test_contexts_in_many_threads(void **state)
{
    (void)state;
    Worker workers[WORKERS] = {{0}};
    SlbsrError error;
    for (int i = 0; i < WORKERS; i++) {
        workers[i].number = i;
        workers[i].in = picture(20 + (uint32_t)i, 24, 1 + i % 4, 8, 0);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        Worker *w = &workers[i];
        SlbsrOptions options = defaults();
        SlbsrImage want = {0};
        assert_int_equal(pthread_join(w->thread, NULL), 0);
        assert_false(w->failed);
        assert_int_equal(w->seen, 4 * w->in.width * w->in.height);
        assert_done(slbsr_upscale(&options, &w->in, &want, &error), &error);
        assert_true(is_same(&w->out, &want));
        slbsr_image_free(&want);
        slbsr_image_free(&w->out);
        free(w->in.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_call),
        cmocka_unit_test(test_into_a_buffer_of_the_callers),
        cmocka_unit_test(test_rows_give_the_same_as_one_call),
        cmocka_unit_test(test_wrong_rows_are_refused),
        cmocka_unit_test(test_rows_of_another_depth),
        cmocka_unit_test(test_cancelled_rows_are_given_up),
        cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_progress_can_cancel),
        cmocka_unit_test(test_failing_memory_leaves_nothing),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_contexts_in_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
