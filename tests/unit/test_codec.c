/* Writing and reading back in every format, and all that must fail without leaving a file. */
#include <signal.h>
#include <sys/resource.h>

#include <stb/stb_image.h>

#include "base/mem.h"
#include "img/codec.h"
#include "unit/folder.h"

/* What each extension can hold: channel counts as digits, and the depth. */
static const struct {
    const char *name, *channels;
    int depth;
    bool exact; /* read back the same by slbsr itself */
} kinds[] = {
    {"a.png", "1234", 16, true}, {"a.pnm", "13", 16, true},   {"a.pgm", "1", 16, true},
    {"a.ppm", "3", 16, true},    {"a.pam", "1234", 16, true}, {"a.JPG", "13", 8, false},
    {"a.jpeg", "13", 8, false},  {"b.c.jpe", "13", 8, false}, {"a.bmp", "13", 8, false},
    {"a.tga", "1234", 8, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void check_round_trip(const char *path, int channels, int depth)
{
    SlbImage in = noise(37, 21, channels, depth, 9), out;
    SlbError err = {0};
    assert_ok(slb_image_save(path, &in, NULL, &err), &err);
    assert_ok(slb_image_load(path, NULL, &out, &err), &err);
    assert_same_picture(&in, &out);
    slb_image_free(&in);
    slb_image_free(&out);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(files_in_folder(), 0);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++)
        for (const char *c = kinds[i].channels; *c && kinds[i].exact; c++)
            for (int depth = 8; depth <= kinds[i].depth; depth += 8)
                check_round_trip(in_folder(kinds[i].name), *c - '0', depth);
}

/* stb_image as a second opinion: the files are what others take them for. */
static void check_by_stb(const char *path, const SlbImage *image)
{
    int w, h, n, channels = image->info.channels;
    /* BMP has no grey: three equal channels stand for one */
    unsigned char *out = stbi_load(path, &w, &h, &n, channels);
    assert_non_null(out);
    assert_int_equal(w, image->info.width);
    assert_int_equal(h, image->info.height);
    for (uint32_t y = 0; y < image->info.height; y++)
        assert_memory_equal(out + y * slb_row_bytes(&image->info),
                            image->data + y * image->stride_bytes, slb_row_bytes(&image->info));
    stbi_image_free(out);
}

static void test_others_read_the_same(void **state)
{
    static const char *const names[] = {"a.png", "a.pnm", "a.ppm", "a.pgm", "a.bmp", "a.tga"};
    (void)state;
    for (int i = 0; i < 6; i++)
        for (int channels = 1; channels <= 4; channels++) {
            SlbImageInfo info = {35, 18, channels, 8}, fit = info;
            const char *path = in_folder(names[i]);
            SlbImage image = noise(35, 18, channels, 8, 2);
            SlbError err = {0};
            assert_true(slb_format_fits(path, NULL, &fit));
            bool grey_only = strcmp(names[i], "a.pgm") == 0;
            if (fit.channels == channels && !(grey_only && channels > 1)) {
                assert_ok(slb_image_save(path, &image, NULL, &err), &err);
                check_by_stb(path, &image);
                unlink(path);
            }
            slb_image_free(&image);
        }
}

static void test_sixteen_bits_for_others(void **state)
{
    const char *path = in_folder("a.png");
    SlbImage image = noise(19, 7, 4, 16, 2);
    SlbError err = {0};
    int w, h, n;
    (void)state;
    assert_ok(slb_image_save(path, &image, NULL, &err), &err);
    unsigned short *out = stbi_load_16(path, &w, &h, &n, 0);
    assert_non_null(out);
    assert_int_equal(n, 4);
    for (uint32_t i = 0; i < 19 * 7 * 4; i++)
        assert_int_equal(out[i], sample_of(&image, i / 4 % 19, i / 4 / 19, (int)(i % 4)));
    stbi_image_free(out);
    slb_image_free(&image);
    unlink(path);
}

/* A few rows at a time, with room between rows that must stay as it is. */
static void test_row_by_row(void **state)
{
    const char *path = in_folder("a.png");
    SlbImage in = noise(11, 23, 3, 8, 6);
    unsigned char rows[7 * 40];
    SlbWriter *writer;
    SlbReader *reader;
    SlbError err = {0};
    (void)state;
    assert_ok(slb_writer_open(path, &in.info, NULL, NULL, &writer, &err), &err);
    for (uint32_t y = 0, n = 1; y < 23; y += n, n = y + 5 < 23 ? 5 : 23 - y)
        assert_ok(slb_writer_rows(writer, in.data + y * in.stride_bytes, in.stride_bytes, n, &err),
                  &err);
    assert_ok(slb_writer_finish(writer, &err), &err);
    assert_ok(slb_reader_open(path, NULL, &reader, &err), &err);
    assert_memory_equal(slb_reader_info(reader), &in.info, sizeof in.info);
    for (uint32_t y = 0, n = 7; y < 23; y += n, n = y + 7 < 23 ? 7 : 23 - y) {
        memset(rows, 0xcc, sizeof rows);
        assert_ok(slb_reader_rows(reader, rows, 40, n, &err), &err);
        for (uint32_t i = 0; i < n; i++) {
            assert_memory_equal(rows + i * 40, in.data + (y + i) * in.stride_bytes, 33);
            for (int k = 33; k < 40; k++) assert_int_equal(rows[i * 40 + (unsigned)k], 0xcc);
        }
    }
    assert_ok(slb_reader_rows(reader, rows, 40, 0, &err), &err);
    assert_int_equal(slb_reader_rows(reader, rows, 40, 1, &err), SLB_E_USAGE);
    slb_reader_close(reader);
    slb_image_free(&in);
    unlink(path);
}

static void test_reduced_to_what_fits(void **state)
{
    SlbImage in = noise(50, 9, 4, 16, 5), out;
    SlbError err = {0};
    (void)state;
    ((uint16_t *)(void *)in.data)[3] = 0; /* one clear pixel, one opaque */
    ((uint16_t *)(void *)in.data)[7] = 65535;
    assert_ok(slb_image_save(in_folder("a.ppm"), &in, NULL, &err), &err);
    assert_ok(slb_image_load(in_folder("a.ppm"), NULL, &out, &err), &err);
    assert_int_equal(out.info.channels, 3);
    assert_int_equal(out.info.depth, 16);
    assert_int_equal(sample_of(&out, 0, 0, 1), 65535);
    assert_int_equal(sample_of(&out, 1, 0, 1), sample_of(&in, 1, 0, 1));
    for (uint32_t i = 0; i < 50 * 9 * 3; i++) {
        uint32_t x = i / 3 % 50, y = i / 3 / 50;
        double alpha = sample_of(&in, x, y, 3) / 65535.0;
        double v = sample_of(&in, x, y, (int)(i % 3)) * alpha + 65535 * (1 - alpha);
        double off = sample_of(&out, x, y, (int)(i % 3)) - v;
        assert_true(off <= 0.5001 && off >= -0.5001);
    }
    unlink(in_folder("a.ppm"));
    slb_image_free(&out);
    slb_image_free(&in);
}

static void test_reduced_to_eight_bits(void **state)
{
    SlbImage in = noise(64, 9, 1, 16, 5);
    SlbError err = {0};
    int w, h, n;
    (void)state;
    assert_ok(slb_image_save(in_folder("a.tga"), &in, NULL, &err), &err);
    unsigned char *out = stbi_load(in_folder("a.tga"), &w, &h, &n, 1);
    assert_non_null(out);
    for (uint32_t i = 0; i < 64 * 9; i++)
        assert_int_equal(out[i], (int)(sample_of(&in, i % 64, i / 64, 0) / 257.0 + 0.5));
    stbi_image_free(out);
    slb_image_free(&in);
    unlink(in_folder("a.tga"));
}

static void test_what_fits(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++)
        for (int channels = 1; channels <= 4; channels++) {
            SlbImageInfo info = {4, 4, channels, 16};
            assert_true(slb_format_fits(kinds[i].name, NULL, &info));
            assert_int_equal(info.depth, kinds[i].depth);
            int expected = strchr(kinds[i].channels, '4') ? channels : (channels - 1) / 2 * 2 + 1;
            assert_int_equal(info.channels, expected);
        }
    SlbImageInfo info = {4, 4, 4, 16};
    assert_false(slb_format_fits("a.gif", NULL, &info));
    assert_false(slb_format_fits("png", NULL, &info));
    assert_false(slb_format_fits("a.png/b", NULL, &info));
    assert_false(slb_format_fits("a.pngx", NULL, &info));
    assert_false(slb_format_fits("a.", NULL, &info));
    assert_int_equal(info.channels, 4);
}

/* ---- what must fail, and leave nothing ---- */

static void check_refused(const char *path, const SlbImageInfo *info, SlbStatus expected)
{
    SlbWriter *writer = NULL;
    SlbError err = {0};
    assert_int_equal(slb_writer_open(path, info, NULL, NULL, &writer, &err), expected);
    assert_message(&err, expected, path);
    assert_null(writer);
}

/* By the check before the work too. */
static void check_unfit(const char *name, const SlbImageInfo *info)
{
    const char *path = in_folder(name);
    SlbError err = {0};
    char note[SLB_NOTE_BYTES];
    assert_int_equal(slb_writer_check(path, info, NULL, NULL, note, &err), SLB_E_OUTPUT);
    assert_message(&err, SLB_E_OUTPUT, path);
    check_refused(path, info, SLB_E_OUTPUT);
}

static void test_refused_before_writing(void **state)
{
    const SlbImageInfo rgb = {8, 8, 3, 8}, alpha = {8, 8, 4, 8}, deep = {8, 8, 3, 16};
    const SlbImageInfo wide = {70000, 1, 3, 8}, huge = {60000, 60000, 3, 8};
    (void)state;
    check_unfit("a.gif", &rgb);
    check_unfit("a", &rgb);
    check_unfit("a.jpg", &alpha);
    check_unfit("a.bmp", &alpha);
    check_unfit("a.ppm", &alpha);
    check_unfit("a.pgm", &rgb);
    check_unfit("a.jpg", &deep);
    check_unfit("a.tga", &deep);
    check_unfit("a.jpg", &wide);
    check_unfit("a.tga", &wide);
    check_unfit("a.bmp", &huge);
    check_unfit("a.tga", &huge);
    check_refused(in_folder("missing/a.png"), &rgb, SLB_E_OUTPUT);
    assert_int_equal(files_in_folder(), 0);
}

static void test_no_place_to_write(void **state)
{
    const SlbImageInfo rgb = {8, 8, 3, 8};
    (void)state;
    write_bytes(in_folder("plain"), "text", 4);
    check_refused(in_folder("plain/a.png"), &rgb, SLB_E_OUTPUT); /* below a file: not even root */
    assert_int_equal(mkdir(in_folder("dir.png"), 0777), 0);
    check_refused(in_folder("dir.png"), &rgb, SLB_E_OUTPUT);
    assert_int_equal(files_in_folder(), 2);
    rmdir(in_folder("dir.png"));
    unlink(in_folder("plain"));
}

static void test_existing_file_is_kept(void **state)
{
    const char *path = in_folder("a.png");
    SlbImage image = noise(8, 8, 3, 8, 1), out;
    SlbError err = {0};
    (void)state;
    write_bytes(path, "precious", 8);
    assert_int_equal(slb_image_save(path, &image, NULL, &err), SLB_E_OUTPUT);
    assert_message(&err, SLB_E_OUTPUT, path);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 8);
    const SlbWriteOptions overwrite = {.overwrite = true};
    assert_ok(slb_image_save(path, &image, &overwrite, &err), &err);
    assert_ok(slb_image_load(path, NULL, &out, &err), &err);
    assert_same_picture(&image, &out);
    assert_int_equal(files_in_folder(), 1);
    slb_image_free(&image);
    slb_image_free(&out);
    unlink(path);
}

static void test_rows_are_counted(void **state)
{
    const char *path = in_folder("a.png");
    SlbImage in = noise(6, 4, 1, 8, 1);
    SlbWriter *writer;
    SlbError err = {0};
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        path = in_folder(kinds[i].name);
        if (!strchr(kinds[i].channels, '1')) continue;
        assert_ok(slb_writer_open(path, &in.info, NULL, NULL, &writer, &err), &err);
        assert_int_equal(slb_writer_rows(writer, in.data, in.stride_bytes, 5, &err), SLB_E_USAGE);
        assert_ok(slb_writer_rows(writer, in.data, in.stride_bytes, 3, &err), &err);
        assert_int_equal(files_in_folder(), 1); /* the temporary one */
        assert_int_equal(slb_writer_finish(writer, &err), SLB_E_USAGE);
        assert_int_equal(files_in_folder(), 0);
        assert_ok(slb_writer_open(path, &in.info, NULL, NULL, &writer, &err), &err);
        assert_ok(slb_writer_rows(writer, in.data, in.stride_bytes, 4, &err), &err);
        slb_writer_abort(writer);
        assert_int_equal(files_in_folder(), 0);
    }
    slb_writer_abort(NULL);
    slb_reader_close(NULL);
    slb_image_free(&in);
}

/* A full disk, played by a limit on the size of files: at every stage of the writing. */
static void check_full_disk(const char *path, const SlbImage *image, rlim_t limit, bool old)
{
    struct rlimit before, small;
    const SlbWriteOptions overwrite = {.overwrite = true};
    SlbError err = {0};
    if (old) write_bytes(path, "old", 3);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    SlbStatus status = slb_image_save(path, image, &overwrite, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, SLB_E_OUTPUT);
    assert_message(&err, SLB_E_OUTPUT, path);
    assert_non_null(strstr(err.message, strerror(EFBIG)));
    assert_int_equal(files_in_folder(), old);
    struct stat st;
    if (old) assert_true(stat(path, &st) == 0 && st.st_size == 3);
    unlink(path);
}

static void test_full_disk(void **state)
{
    (void)state;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < KINDS; i++) {
        const char *path = in_folder(kinds[i].name);
        SlbImage image = noise(150, 150, kinds[i].channels[0] - '0', 8, 1);
        SlbError err = {0};
        struct stat st;
        assert_ok(slb_image_save(path, &image, NULL, &err), &err);
        assert_int_equal(stat(path, &st), 0);
        unlink(path);
        check_full_disk(path, &image, 0, false);
        check_full_disk(path, &image, 5000, true);
        check_full_disk(path, &image, (rlim_t)st.st_size - 1, true);
        slb_image_free(&image);
    }
    signal(SIGXFSZ, handler);
}

/* Every allocation of a save and of a load fails in turn: SLB_E_MEMORY, no leak, no file. */
static long fail_each_allocation(const char *path, const SlbImage *image, bool load)
{
    SlbImage out;
    for (long n = 1;; n++) {
        SlbError err = {0};
        slb_mem_fail_at(n);
        SlbStatus status =
            load ? slb_image_load(path, NULL, &out, &err) : slb_image_save(path, image, NULL, &err);
        slb_mem_fail_at(0);
        if (status == SLB_OK) {
            if (load) slb_image_free(&out);
            return n;
        }
        assert_int_equal(status, SLB_E_MEMORY);
        assert_non_null(strstr(err.message, "memory"));
        assert_int_equal(files_in_folder(), load);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        const char *path = in_folder(kinds[i].name);
        SlbImage image = noise(31, 17, kinds[i].channels[0] - '0', 8, 1);
        assert_true(fail_each_allocation(path, &image, false) > 2);
        if (strcmp(path + strlen(path) - 3, "bmp") != 0 &&
            strcmp(path + strlen(path) - 3, "tga") != 0)
            assert_true(fail_each_allocation(path, &image, true) > 2);
        slb_image_free(&image);
        unlink(path);
    }
}

static void test_limit_of_pixels(void **state)
{
    static const char *const names[] = {"a.png", "a.jpg", "a.ppm"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        const char *path = in_folder(names[i]);
        SlbImage image = noise(20, 10, 3, 8, 1), out;
        SlbError err = {0};
        SlbReadLimits limits = {.max_pixels = 200};
        assert_ok(slb_image_save(path, &image, NULL, &err), &err);
        assert_ok(slb_image_load(path, &limits, &out, &err), &err);
        slb_image_free(&out);
        limits.max_pixels = 199;
        assert_int_equal(slb_image_load(path, &limits, &out, &err), SLB_E_INPUT);
        assert_message(&err, SLB_E_INPUT, path);
        slb_image_free(&image);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_others_read_the_same),
        cmocka_unit_test(test_sixteen_bits_for_others),
        cmocka_unit_test(test_row_by_row),
        cmocka_unit_test(test_reduced_to_what_fits),
        cmocka_unit_test(test_reduced_to_eight_bits),
        cmocka_unit_test(test_what_fits),
        cmocka_unit_test(test_refused_before_writing),
        cmocka_unit_test(test_no_place_to_write),
        cmocka_unit_test(test_existing_file_is_kept),
        cmocka_unit_test(test_rows_are_counted),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_limit_of_pixels),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
