/* Every damaged picture of the folder beside this file, and every way to damage a small one. */
#include "base/folder.h"
#include "base/io.h"
#include "base/mem.h"
#include "img/codec.h"
#include "unit/folder.h"

static void check_bad(const char *path)
{
    SlbImage image;
    SlbError err = {0};
    SlbStatus status = slb_image_load(path, NULL, &image, &err);
    if (status != SLB_E_INPUT) fail_msg("%s: status %d", path, (int)status);
    assert_message(&err, SLB_E_INPUT, path);
    assert_null(image.data);
    assert_null(image.meta.icc.data);
}

static void test_walk_the_folder(void **state)
{
    static const char folder[] = SLBSR_SOURCE_DIR "/tests/bad/pictures";
    char **names;
    size_t count;
    SlbError err = {0};
    (void)state;
    assert_ok(slb_list_folder(folder, slb_read_extensions, &names, &count, &err), &err);
    assert_true(count >= 50);
    for (size_t i = 0; i < count; i++) check_bad(names[i]);
    slb_free_names(names, count);
}

static void test_no_file_at_all(void **state)
{
    (void)state;
    check_bad(in_folder("missing.png"));
    check_bad(test_folder);
    check_bad(SLBSR_SOURCE_DIR "/CMakeLists.txt");
    check_bad("/dev/null");
}

/* Line breaks in a name must not break the one line of the message. */
static void test_odd_name(void **state)
{
    SlbImage image;
    SlbError err = {0};
    (void)state;
    assert_int_equal(slb_image_load("no\nsuch\tfile.png", NULL, &image, &err), SLB_E_INPUT);
    assert_non_null(strstr(err.message, "no?such?file.png"));
}

typedef struct Sample {
    const char *name;
    SlbImage picture;
    unsigned char *bytes;
    size_t n;
} Sample;

static Sample make_sample(const char *name, int channels)
{
    Sample s = {.name = name, .picture = noise(9, 7, channels, 8, 3)};
    SlbImage read;
    SlbError err = {0};
    assert_ok(slb_image_save(in_folder(name), &s.picture, NULL, &err), &err);
    assert_ok(slb_read_file(in_folder(name), 1 << 20, SLB_E_INPUT, &s.bytes, &s.n, &err), &err);
    assert_ok(slb_image_load(in_folder(name), NULL, &read, &err), &err);
    slb_image_free(&s.picture);
    s.picture = read;
    unlink(in_folder(name));
    return s;
}

static void free_sample(Sample *s)
{
    slb_image_free(&s->picture);
    slb_free(s->bytes);
}

static void test_every_cut(void **state)
{
    static const char *const names[] = {"a.png", "a.jpg", "a.ppm", "a.pam"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        Sample s = make_sample(names[i], 3);
        for (size_t n = 0; n < s.n; n++) {
            write_bytes(in_folder(s.name), s.bytes, n);
            check_bad(in_folder(s.name));
        }
        free_sample(&s);
        unlink(in_folder(names[i]));
    }
}

/* PNG has checksums over everything: no flipped bit may pass. */
static void test_every_bit_of_a_png(void **state)
{
    Sample s = make_sample("a.png", 4);
    (void)state;
    for (size_t bit = 0; bit < s.n * 8; bit++) {
        s.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        write_bytes(in_folder(s.name), s.bytes, s.n);
        check_bad(in_folder(s.name));
        s.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    unlink(in_folder(s.name));
    free_sample(&s);
}

/* JPEG and PNM have none: a flipped bit may pass as another picture, but in good order, and the
 * size stays within what was allowed. */
static void test_every_bit_of_the_others(void **state)
{
    static const char *const names[] = {"a.jpg", "a.ppm", "a.pam"};
    const SlbReadLimits limits = {.max_pixels = 1 << 20};
    (void)state;
    for (int i = 0; i < 3; i++) {
        Sample s = make_sample(names[i], 3);
        size_t bad = 0;
        for (size_t bit = 0; bit < s.n * 8; bit++) {
            SlbImage image;
            SlbError err = {0};
            s.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            write_bytes(in_folder(s.name), s.bytes, s.n);
            s.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            SlbStatus status = slb_image_load(in_folder(s.name), &limits, &image, &err);
            if (status == SLB_OK) {
                assert_true((uint64_t)image.info.width * image.info.height <= limits.max_pixels);
                slb_image_free(&image);
            } else {
                assert_message(&err, SLB_E_INPUT, in_folder(s.name));
                bad++;
            }
        }
        assert_true(bad > 50); /* the header at least */
        unlink(in_folder(s.name));
        free_sample(&s);
    }
}

/* After damage a reader gives out nothing more. */
static void test_reader_after_damage(void **state)
{
    Sample s = make_sample("a.png", 3);
    unsigned char rows[7 * 27];
    SlbReader *reader;
    SlbError err = {0};
    (void)state;
    s.bytes[s.n - 20] ^= 1; /* within the last row or its checksum */
    write_bytes(in_folder(s.name), s.bytes, s.n);
    assert_ok(slb_reader_open(in_folder(s.name), NULL, &reader, &err), &err);
    assert_int_equal(slb_reader_rows(reader, rows, 27, 7, &err), SLB_E_INPUT);
    assert_int_not_equal(slb_reader_rows(reader, rows, 27, 1, &err), SLB_OK);
    slb_reader_close(reader);
    unlink(in_folder(s.name));
    free_sample(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk_the_folder),
        cmocka_unit_test(test_no_file_at_all),
        cmocka_unit_test(test_odd_name),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_every_bit_of_a_png),
        cmocka_unit_test(test_every_bit_of_the_others),
        cmocka_unit_test(test_reader_after_damage),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
