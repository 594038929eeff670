/* Y4M video: headers of every kind, frames there and back, and what is damaged. */
#include "base/io.h"
#include "base/mem.h"
#include "img/y4m.h"
#include "unit/folder.h"

/* The reader of a video that is made of `bytes`; NULL: it failed, with the status in *err. */
static SlbVideoReader *open_bytes(const void *bytes, size_t n, SlbError *err)
{
    SlbVideoReader *reader;
    const char *path = in_folder("in.y4m");
    write_bytes(path, bytes, n);
    FILE *file = fopen(path, "rb");
    unlink(path);
    assert_non_null(file);
    *err = (SlbError){0};
    SlbStatus s = slb_video_open(file, path, 0, &reader, err);
    assert_true((s == SLB_OK) == (reader != NULL));
    return reader;
}

static SlbVideoReader *open_text(const char *text, SlbError *err)
{
    return open_bytes(text, strlen(text), err);
}

typedef struct Kind {
    const char *words;
    SlbVideoInfo info;
} Kind;

static void test_headers(void **state)
{
    static const Kind kinds[] = {
        {"", {5, 3, 8, 3, 1, 1, 0.5, 0.5, false}},
        {" C420", {5, 3, 8, 3, 1, 1, 0.5, 0.5, false}},
        {" C420jpeg XCOLORRANGE=FULL", {5, 3, 8, 3, 1, 1, 0.5, 0.5, true}},
        {" C420mpeg2 XCOLORRANGE=LIMITED", {5, 3, 8, 3, 1, 1, 0.25, 0.5, false}},
        {" C420paldv", {5, 3, 8, 3, 1, 1, 0.25, 0.25, false}},
        {" C420p10", {5, 3, 10, 3, 1, 1, 0.25, 0.5, false}},
        {" C422", {5, 3, 8, 3, 1, 0, 0.25, 0.5, false}},
        {" C422p12", {5, 3, 12, 3, 1, 0, 0.25, 0.5, false}},
        {" C444 Ip", {5, 3, 8, 3, 0, 0, 0.5, 0.5, false}},
        {" C444p16 I?", {5, 3, 16, 3, 0, 0, 0.5, 0.5, false}},
        {" XYSCSS=444", {5, 3, 8, 3, 0, 0, 0.5, 0.5, false}},
        {" XYSCSS=422", {5, 3, 8, 3, 1, 0, 0.25, 0.5, false}},
        {" XYSCSS=420JPEG", {5, 3, 8, 3, 1, 1, 0.5, 0.5, false}},
        {" XYSCSS=420MPEG2", {5, 3, 8, 3, 1, 1, 0.25, 0.5, false}},
        {" XYSCSS=420PALDV", {5, 3, 8, 3, 1, 1, 0.25, 0.25, false}},
        {" XYSCSS=422P10", {5, 3, 10, 3, 1, 0, 0.25, 0.5, false}},
        {" XYSCSS=411 C444", {5, 3, 8, 3, 0, 0, 0.5, 0.5, false}},
        {" C420paldv XYSCSS=444", {5, 3, 8, 3, 1, 1, 0.25, 0.25, false}},
        {" Cmono", {5, 3, 8, 1, 0, 0, 0.5, 0.5, false}},
        {" Cmono10 F25:1 A1:1", {5, 3, 10, 1, 0, 0, 0.5, 0.5, false}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char text[200];
        SlbError err;
        snprintf(text, sizeof text, "YUV4MPEG2 W5 H3%s\n", kinds[i].words);
        SlbVideoReader *r = open_text(text, &err);
        if (!r) fail_msg("%s: %s", kinds[i].words, err.message);
        const SlbVideoInfo *is = slb_video_info(r), *want = &kinds[i].info;
        if (is->width != want->width || is->height != want->height || is->depth != want->depth ||
            is->planes != want->planes || is->shift_x != want->shift_x ||
            is->shift_y != want->shift_y || is->site_x != want->site_x ||
            is->site_y != want->site_y || is->full_range != want->full_range)
            fail_msg("%s is taken for something else", kinds[i].words);
        slb_video_close(r);
    }
}

/* What is told in the old way is refused in the same words. */
static void test_old_kind_is_named(void **state)
{
    SlbError err;
    (void)state;
    assert_null(open_text("YUV4MPEG2 W5 H5 XYSCSS=411\n", &err));
    assert_non_null(strstr(err.message, "video of the kind '411' is not supported"));
}

static void test_bad_headers(void **state)
{
    static const char *const bad[] = {
        "",
        "YUV4MPEG2",
        "YUV4MPEG2\n",
        "YUV4MPEG2 W5\n",
        "YUV4MPEG2 H5\n",
        "YUV4MPEG2 W0 H5\n",
        "YUV4MPEG2 W5 H-5\n",
        "YUV4MPEG2 W5 H5x\n",
        "YUV4MPEG2 W99999999999999999999 H5\n",
        "YUV4MPEG2 W2147483647 H2147483647\n",
        "YUV4MPEG2 W5 H5 C411\n",
        "YUV4MPEG2 W5 H5 XYSCSS=411\n",
        "YUV4MPEG2 W5 H5 XYSCSS=\n",
        "YUV4MPEG2 W5 H5 XYSCSS=420P8\n",
        "YUV4MPEG2 W5 H5 XYSCSS=420JPEGXXXXXXXXXXX\n",
        "YUV4MPEG2 W5 H5 C411 XYSCSS=420JPEG\n",
        "YUV4MPEG2 W5 H5 C420p\n",
        "YUV4MPEG2 W5 H5 C420p8\n",
        "YUV4MPEG2 W5 H5 C420p17\n",
        "YUV4MPEG2 W5 H5 C420p010\n",
        "YUV4MPEG2 W5 H5 C444alpha\n",
        "YUV4MPEG2 W5 H5 It\n",
        "YUV4MPEG2 W5 H5 Im\n",
        "YUV4MPEG2 W5 \1 H5\n",
        "YUV4MPEG1 W5 H5\n",
        "P5 5 5 255\n",
    };
    char text[3 * SLB_Y4M_LINE];
    SlbError err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (open_text(bad[i], &err)) fail_msg("'%s' is taken", bad[i]);
        assert_message(&err, SLB_E_INPUT, in_folder("in.y4m"));
    }
    memset(text, 'x', sizeof text);
    memcpy(text, "YUV4MPEG2 W5 H5 X", 17);
    assert_null(open_bytes(text, sizeof text, &err));
    assert_int_equal(err.status, SLB_E_INPUT);
}

/* Two frames of 3 x 3, 4:2:0 in 10 bits, the second with a sample beyond that. */
static size_t small_video(unsigned char *to)
{
    static const char header[] = "YUV4MPEG2 W3 F30000:1001 H3 Ip A4:3 C420p10 XMORE=1\n";
    static const char *const frames[] = {"FRAME\n", "FRAME Ip XLAST=2\n"};
    size_t n = sizeof header - 1;
    memcpy(to, header, n);
    for (size_t f = 0; f < 2; f++) {
        memcpy(to + n, frames[f], strlen(frames[f]));
        n += strlen(frames[f]);
        for (size_t i = 0; i < 9 + 4 + 4; i++) {
            unsigned v = (unsigned)(i * 61 + f * 500) % 1024;
            to[n++] = (unsigned char)(v & 255);
            to[n++] = (unsigned char)(v >> 8);
        }
    }
    to[n - 1] = 0xff;
    return n;
}

static void test_there_and_back(void **state)
{
    unsigned char bytes[512], *written;
    size_t n = small_video(bytes), count;
    SlbError err;
    SlbVideoWriter *w;
    SlbFrame frame;
    bool end = false;
    (void)state;
    SlbVideoReader *r = open_bytes(bytes, n, &err);
    const char *path = in_folder("out.y4m");
    assert_non_null(r);
    assert_int_equal(slb_frame_bytes(slb_video_info(r)), 2 * 17);
    assert_ok(slb_video_create(path, false, r, 3, 3, &w, &err), &err);
    assert_ok(slb_frame_alloc(&frame, slb_video_info(r), &err), &err);
    for (int f = 0; f < 2; f++) {
        assert_ok(slb_video_read(r, &frame, &end, &err), &err);
        assert_false(end);
        const uint16_t *y = (const uint16_t *)(const void *)frame.plane[0];
        assert_int_equal(y[2], (122 + f * 500) % 1024);
        assert_ok(slb_video_write(w, &frame, &err), &err);
    }
    const uint16_t *cr = (const uint16_t *)(const void *)frame.plane[2];
    assert_int_equal(cr[3], 1023);
    assert_string_equal(frame.parameters, " Ip XLAST=2");
    assert_ok(slb_video_read(r, &frame, &end, &err), &err);
    assert_true(end);
    assert_ok(slb_video_finish(w, &err), &err);
    assert_ok(slb_read_file(path, 1000, SLB_E_INPUT, &written, &count, &err), &err);
    /* The size comes first now, and the sample that was too large is the largest. */
    static const char header[] = "YUV4MPEG2 W3 H3 F30000:1001 Ip A4:3 C420p10 XMORE=1\n";
    memcpy(bytes, header, sizeof header - 1);
    bytes[n - 2] = 0xff, bytes[n - 1] = 3;
    assert_int_equal(count, n);
    assert_memory_equal(written, bytes, n);
    slb_free(written);
    slb_frame_free(&frame);
    slb_video_close(r);
    unlink(path);
}

/* Cut at every byte: the frames before are given out, the one that is cut is an error. */
/* A header of as many bytes as can be read: the same size fits, a longer number does not. */
static void test_long_header(void **state)
{
    static const char begin[] = "YUV4MPEG2 W5 H9 X";
    char text[SLB_Y4M_LINE];
    SlbError err;
    SlbVideoWriter *w;
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, begin, sizeof begin - 1);
    text[sizeof text - 1] = '\n';
    SlbVideoReader *r = open_bytes(text, sizeof text, &err), *again;
    const char *path = in_folder("out.y4m");
    assert_non_null(r);
    assert_int_equal(slb_video_create(path, false, r, 10, 9, &w, &err), SLB_E_INPUT);
    assert_null(w);
    assert_message(&err, SLB_E_INPUT, in_folder("in.y4m"));
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(slb_video_create(path, false, r, 9, 5, &w, &err), &err);
    assert_ok(slb_video_finish(w, &err), &err);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_ok(slb_video_open(file, path, 0, &again, &err), &err);
    slb_video_close(again);
    slb_video_close(r);
    unlink(path);
}

static void test_cut(void **state)
{
    unsigned char bytes[512];
    size_t n = small_video(bytes), header = 52, first = header + 6 + 34;
    (void)state;
    for (size_t cut = header; cut < n; cut++) {
        SlbError err;
        SlbFrame frame;
        bool end = false;
        int frames = 0;
        SlbVideoReader *r = open_bytes(bytes, cut, &err);
        assert_non_null(r);
        assert_ok(slb_frame_alloc(&frame, slb_video_info(r), &err), &err);
        SlbStatus s;
        while ((s = slb_video_read(r, &frame, &end, &err)) == SLB_OK && !end) frames++;
        assert_int_equal(frames, cut >= first);
        assert_int_equal(s, cut == header || cut == first ? SLB_OK : SLB_E_INPUT);
        slb_frame_free(&frame);
        slb_video_close(r);
    }
}

static void test_bad_frames(void **state)
{
    static const char *const bad[] = {"FRAMES\n", "frame\n", "FRAME\1\n", "\n"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[100];
        SlbError err;
        SlbFrame frame;
        bool end;
        snprintf(text, sizeof text, "YUV4MPEG2 W1 H1 Cmono\n%sx", bad[i]);
        SlbVideoReader *r = open_text(text, &err);
        assert_non_null(r);
        assert_ok(slb_frame_alloc(&frame, slb_video_info(r), &err), &err);
        assert_int_equal(slb_video_read(r, &frame, &end, &err), SLB_E_INPUT);
        slb_frame_free(&frame);
        slb_video_close(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),           cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_there_and_back),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_bad_frames),        cmocka_unit_test(test_long_header),
        cmocka_unit_test(test_old_kind_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
