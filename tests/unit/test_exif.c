/* EXIF orientation: found in its block, in JPEG and PNG files, and applied. */
#include "picture.h"

#include <zlib.h>

#include "base/io.h"
#include "base/mem.h"
#include "img/codec.h"
#include "img/exif.h"

enum { BLOCK = 38 };
#define BEFORE_IEND SIZE_MAX /* for load_with */

static void put(unsigned char *p, int bytes, int big, unsigned value)
{
    for (int i = 0; i < bytes; i++) p[big ? bytes - 1 - i : i] = (unsigned char)(value >> (8 * i));
}

static unsigned get(const unsigned char *p, int bytes, int big)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | p[big ? i : bytes - 1 - i];
    return v;
}

/* A block of two entries: the image's width and the orientation. */
static void make_block(unsigned char block[BLOCK], int big, unsigned orientation)
{
    memset(block, 0, BLOCK);
    memcpy(block, big ? "MM" : "II", 2);
    put(block + 2, 2, big, 42);
    put(block + 4, 4, big, 8);
    put(block + 8, 2, big, 2);
    put(block + 10, 2, big, 0x0100);
    put(block + 12, 2, big, 3);
    put(block + 14, 4, big, 1);
    put(block + 18, 2, big, 7);
    put(block + 22, 2, big, 0x0112);
    put(block + 24, 2, big, 3);
    put(block + 26, 4, big, 1);
    put(block + 30, 2, big, orientation);
}

static void test_block(void **state)
{
    (void)state;
    unsigned char block[BLOCK];
    for (int big = 0; big < 2; big++)
        for (unsigned o = 0; o < 11; o++) {
            make_block(block, big, o);
            assert_int_equal(slb_exif_orientation(block, BLOCK), o >= 1 && o <= 8 ? o : 1);
        }
}

/* A long number says it too, and is reset too; what is no orientation and what was not applied
 * stays. */
static void test_long_orientation(void **state)
{
    (void)state;
    unsigned char block[BLOCK];
    const SlbMetaChange turned = {6, 1, 1, 7, 7}, kept = {1, 1, 1, 7, 7};
    for (int big = 0; big < 2; big++)
        for (unsigned o = 0; o < 11; o++) {
            unsigned char before[BLOCK];
            make_block(block, big, 1);
            put(block + 24, 2, big, 4);
            put(block + 30, 4, big, o);
            memcpy(before, block, BLOCK);
            bool valid = o >= 1 && o <= 8;
            assert_int_equal(slb_exif_orientation(block, BLOCK), valid ? o : 1);
            assert_int_equal(slb_exif_told_orientation(block, BLOCK), valid ? o : 0);
            slb_exif_change(block, BLOCK, &kept);
            assert_memory_equal(block, before, BLOCK);
            slb_exif_change(block, BLOCK, &turned);
            assert_int_equal(slb_exif_orientation(block, BLOCK), 1);
            if (!valid) assert_memory_equal(block, before, BLOCK);
        }
}

/* In a block of exactly the bytes, so that a sanitizer sees a read behind them. */
static void test_cut_and_wild_blocks(void **state)
{
    (void)state;
    unsigned char block[BLOCK];
    for (size_t bytes = 0; bytes <= BLOCK; bytes++) {
        unsigned char *cut = malloc(bytes ? bytes : 1);
        make_block(block, 1, 6);
        memcpy(cut, block, bytes);
        assert_int_equal(slb_exif_orientation(cut, bytes), bytes < 34 ? 1 : 6);
        free(cut);
    }
    const unsigned offsets[] = {36, 37, 38, 100, 0x7fffffff, 0xfffffffe, 0xffffffff};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        make_block(block, 0, 6);
        put(block + 4, 4, 0, offsets[i]);
        assert_int_equal(slb_exif_orientation(block, BLOCK), 1);
    }
}

/* Up to four, of two bytes each. */
static void put_shorts(unsigned char *p, int big, unsigned count, const unsigned *values)
{
    for (unsigned i = 0; i < count && i < 4; i++) put(p + 2 * i, 2, big, values[i]);
}

static void put_entry(unsigned char *p, int big, unsigned tag, unsigned type, unsigned count,
                      unsigned value)
{
    put(p, 2, big, tag);
    put(p + 2, 2, big, type);
    put(p + 4, 4, big, count);
    put(p + 8, 4, big, value);
}

/* The main directory at 8, that of EXIF at 26 with an area of `count` numbers at 86, a place and
 * the directory at 68 with the size of the picture that this one belongs to. */
static void make_subject(unsigned char block[94], int big, unsigned count, const unsigned *area)
{
    static const unsigned place[] = {0, 19};
    memset(block, 0, 94);
    memcpy(block, big ? "MM" : "II", 2);
    put(block + 2, 2, big, 42);
    put(block + 4, 4, big, 8);
    put(block + 8, 2, big, 1);
    put_entry(block + 10, big, 0x8769, 4, 1, 26);
    put(block + 26, 2, big, 3);
    put_entry(block + 28, big, 0x9214, 3, count, 86);
    put_shorts(block + (count > 2 ? 86 : 36), big, count, area);
    put_entry(block + 40, big, 0xa005, 4, 1, 68);
    put_entry(block + 52, big, 0xa214, 3, 2, 0);
    put_shorts(block + 60, big, 2, place);
    put(block + 68, 2, big, 1);
    put_entry(block + 70, big, 0x1001, 3, 1, 0);
    put(block + 78, 2, big, 40);
}

/* The subject of a stored picture of 40 x 20 pixels is found where it lies in the result. */
static void test_subject_follows(void **state)
{
    (void)state;
    static const struct {
        SlbMetaChange change;
        unsigned count, area[4], want[4], place[2];
    } cases[] = {
        {{1, 2, 2, 80, 40}, 2, {10, 5}, {20, 10}, {0, 38}},
        {{1, 1.5, 3, 60, 60}, 4, {10, 5, 7, 2}, {15, 15, 11, 6}, {0, 57}},
        {{1, 1, 4, 40, 80}, 3, {10, 5, 3}, {10, 20, 6}, {0, 76}},
        {{3, 1, 1, 40, 20}, 4, {10, 5, 7, 2}, {29, 14, 7, 2}, {39, 0}},
        {{5, 1, 1, 20, 40}, 3, {10, 5, 3}, {5, 10, 3}, {19, 0}},
        {{6, 2, 2, 40, 80}, 4, {10, 5, 7, 2}, {28, 20, 4, 14}, {0, 0}},
        {{8, 1, 1, 20, 40}, 2, {10, 5}, {5, 29}, {19, 39}},
        {{2, 1, 1, 40, 20}, 2, {41, 5}, {0, 5}, {39, 19}},
        {{1, 10000, 1, 400000, 20}, 2, {10, 5}, {65535, 5}, {0, 19}},
    };
    unsigned char block[94], want[94];
    for (int big = 0; big < 2; big++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            unsigned count = cases[i].count, width = cases[i].change.width;
            make_subject(block, big, count, cases[i].area);
            make_subject(want, big, count, cases[i].want);
            put_shorts(want + 60, big, 2, cases[i].place);
            put_entry(want + 70, big, 0x1001, width > 65535 ? 4 : 3, 1, 0);
            put(want + 78, width > 65535 ? 4 : 2, big, width);
            assert_int_equal(slb_exif_change(block, 94, &cases[i].change), 94);
            assert_memory_equal(block, want, 94);
        }
}

/* Where a thumbnail stands, of which nothing may be left once the picture was turned: its
 * directory, which has a density and the pixels as JPEG, at 26, behind all else that there is, or
 * before a text; or its pixels are the main picture's text, which stays. */
static void test_thumbnail_goes(void **state)
{
    (void)state;
    static const SlbMetaChange kept = {1, 1, 1, 7, 7}, turned = {6, 1, 1, 7, 7};
    enum { AT_END, BEFORE, SHARED };
    for (int big = 0; big < 2; big++)
        for (int layout = 0; layout < 3; layout++) {
            unsigned char block[100] = {0}, before[100];
            memcpy(block, big ? "MM" : "II", 2);
            put(block + 2, 2, big, 42);
            put(block + 4, 4, big, 8);
            put(block + 8, 2, big, 1);
            put_entry(block + 10, big, 0x010e, 2, 8, layout == SHARED ? 80 : 92);
            if (layout == AT_END) put_entry(block + 10, big, 0x0100, 3, 1, 0);
            put(block + 22, 4, big, 26);
            put(block + 26, 2, big, 3);
            put_entry(block + 28, big, 0x011a, 5, 1, 72);
            put_entry(block + 40, big, 0x0201, 4, 1, 80);
            put_entry(block + 52, big, 0x0202, 4, 1, layout == BEFORE ? 12 : 20);
            memset(block + 72, 'x', 28);
            memcpy(before, block, 100);
            assert_int_equal(slb_exif_change(block, 100, &kept), 100);
            assert_int_equal(get(block + 22, 4, big), 26);
            memcpy(block, before, 100);
            size_t left = slb_exif_change(block, 100, &turned);
            assert_int_equal(left, layout == AT_END ? 26 : 100);
            for (size_t i = 22; i < left; i++)
                assert_int_equal(block[i], layout == BEFORE ? (i < 92 ? 0 : 'x')
                                           : i < 80         ? 0
                                                            : 'x');
            assert_int_equal(slb_exif_change(block, left, &turned), left);
        }
}

/* The picture "abc/def" and what becomes of it under each of the eight orientations. */
static void test_orient(void **state)
{
    (void)state;
    static const char *const upright[9] = {"abcdef", "abcdef", "cbafed", "fedcba", "defabc",
                                           "adbecf", "daebfc", "fcebda", "cfbead"};
    for (int depth = 8; depth <= 16; depth += 8)
        for (int o = 0; o <= 8; o++) {
            SlbError err;
            SlbImage image = {0};
            SlbImageInfo info = {3, 2, 3, depth};
            assert_ok(slb_image_alloc(&image, info, &err), &err);
            for (int i = 0; i < 18; i++) {
                int v = "abcdef"[i / 3] + i % 3 * 50;
                if (depth == 8)
                    image.data[i] = (unsigned char)v;
                else
                    ((uint16_t *)(void *)image.data)[i] = (uint16_t)(v * 300);
            }
            assert_ok(slb_image_orient(&image, o, &err), &err);
            uint32_t w = o >= 5 ? 2 : 3;
            assert_int_equal(image.info.width, w);
            assert_int_equal(image.info.height, 6 / w);
            for (uint32_t i = 0; i < 6; i++)
                for (int c = 0; c < 3; c++)
                    assert_int_equal(sample_of(&image, i % w, i / w, c),
                                     (upright[o][i] + c * 50) * (depth == 8 ? 1 : 300));
            slb_image_free(&image);
        }
}

static void test_orient_without_memory(void **state)
{
    (void)state;
    SlbError err;
    SlbImage image = {0};
    assert_ok(slb_image_alloc(&image, (SlbImageInfo){3, 2, 1, 8}, &err), &err);
    slb_mem_fail_at(1);
    assert_int_equal(slb_image_orient(&image, 6, &err), SLB_E_MEMORY);
    slb_mem_fail_at(0);
    assert_int_equal(image.info.width, 3);
    slb_image_free(&image);
}

/* Saves a 3 x 2 picture, black but for its first pixel, puts `extra` into the file at `at` and
 * loads it again. */
static void load_with(const char *name, const unsigned char *extra, size_t bytes, size_t at,
                      SlbImage *image)
{
    SlbError err;
    char folder[] = "/tmp/slbsr-exif-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(slb_image_alloc(image, (SlbImageInfo){3, 2, 1, 8}, &err), &err);
    memset(image->data, 0, 6);
    image->data[0] = 255;
    assert_ok(slb_image_save(path, image, &(SlbWriteOptions){.jpeg_quality = 100}, &err), &err);
    slb_image_free(image);
    unsigned char *file;
    size_t size;
    assert_ok(slb_read_file(path, 1 << 20, SLB_E_INPUT, &file, &size, &err), &err);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    if (at == BEFORE_IEND) at = size - 12;
    fwrite(file, 1, at, out);
    fwrite(extra, 1, bytes, out);
    fwrite(file + at, 1, size - at, out);
    assert_int_equal(fclose(out), 0);
    slb_free(file);
    SlbStatus status = slb_image_load(path, NULL, image, &err);
    unlink(path);
    rmdir(folder);
    assert_ok(status, &err);
}

/* Orientation 6: the first stored pixel comes to the upper right. */
static void check_turned(SlbImage *image)
{
    assert_int_equal(image->info.width, 2);
    assert_int_equal(image->info.height, 3);
    for (uint32_t i = 0; i < 6; i++)
        assert_in_range(sample_of(image, i % 2, i / 2, 0), i == 1 ? 240 : 0, i == 1 ? 255 : 15);
    slb_image_free(image);
}

static void test_jpeg(void **state)
{
    (void)state;
    SlbImage image = {0};
    unsigned char extra[BLOCK + 10] = {0xff, 0xe1, 0, BLOCK + 8, 'E', 'x', 'i', 'f', 0, 0};
    make_block(extra + 10, 1, 6);
    load_with("a.jpg", extra, sizeof extra, 2, &image);
    check_turned(&image);
}

static void test_png(void **state)
{
    (void)state;
    SlbImage image = {0};
    unsigned char extra[BLOCK + 12] = {0, 0, 0, BLOCK, 'e', 'X', 'I', 'f'};
    make_block(extra + 8, 0, 6);
    put(extra + 8 + BLOCK, 4, 1, (unsigned)crc32(0, extra + 4, BLOCK + 4));
    load_with("a.png", extra, sizeof extra, 33, &image); /* behind IHDR */
    check_turned(&image);
    load_with("a.png", extra, sizeof extra, BEFORE_IEND, &image); /* behind the picture */
    check_turned(&image);
}

/* Orientation 6 in XMP alone, as an attribute and as an element; that of EXIF counts before it. */
static void test_xmp_orientation(void **state)
{
    (void)state;
    static const char name[] = "http://ns.adobe.com/xap/1.0/";
    static const char *const packets[] = {
        "<x tiff:Orientation=\"6\"/>", "<x><tiff:Orientation>6</tiff:Orientation></x>",
        "<x tiff:Orientation='9'/>", "<x tiff:Orientation=\"66\"/>",
        "<x atiff:Orientation=\"6\"/>"};
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++)
        for (unsigned exif = 0; exif < 2; exif++) {
            SlbImage image = {0};
            unsigned char extra[200] = {0xff, 0xe1},
                          block[BLOCK + 10] = {0xff, 0xe1, 0, BLOCK + 8, 'E', 'x', 'i', 'f', 0, 0};
            size_t n = strlen(packets[i]), bytes = 4 + sizeof name + n;
            put(extra + 2, 2, 1, (unsigned)(bytes - 2));
            memcpy(extra + 4, name, sizeof name);
            memcpy(extra + 4 + sizeof name, packets[i], n);
            make_block(block + 10, 1, exif); /* 0 says nothing, 1 upright */
            memcpy(extra + bytes, block, sizeof block);
            load_with("a.jpg", extra, bytes + sizeof block, 2, &image);
            bool turned = i < 2 && !exif;
            assert_string_equal((char *)image.meta.xmp.data,
                                !turned ? packets[i]
                                : i     ? "<x><tiff:Orientation>1</tiff:Orientation></x>"
                                        : "<x tiff:Orientation=\"1\"/>");
            if (turned) {
                slb_meta_free(&image.meta);
                check_turned(&image);
            } else {
                assert_int_equal(image.info.width, 3);
                slb_image_free(&image);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_long_orientation),
        cmocka_unit_test(test_xmp_orientation),
        cmocka_unit_test(test_cut_and_wild_blocks),
        cmocka_unit_test(test_subject_follows),
        cmocka_unit_test(test_thumbnail_goes),
        cmocka_unit_test(test_orient),
        cmocka_unit_test(test_orient_without_memory),
        cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_png),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
