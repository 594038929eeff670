/* JPEG: what is read is what libjpeg decodes, in every coding; what is written is near it. */
#include <stdio.h>

#include <jpeglib.h>

#include "base/mem.h"
#include "img/codec.h"
#include "unit/folder.h"

/* A smooth picture, so that JPEG is near to it. */
static SlbImage smooth(uint32_t width, uint32_t height, int channels)
{
    SlbImage image = noise(width, height, channels, 8, 1);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                image.data[y * image.stride_bytes + x * (uint32_t)channels + (uint32_t)c] =
                    (unsigned char)((x * (unsigned)(c + 1) + y * 2) % 511 > 255
                                        ? 510 - (x * (unsigned)(c + 1) + y * 2) % 511
                                        : (x * (unsigned)(c + 1) + y * 2) % 511);
    return image;
}

typedef struct Coding {
    J_COLOR_SPACE space, stored;
    bool progressive;
    unsigned restart_rows;
    bool unmarked; /* without Adobe's marker */
} Coding;

/* By libjpeg itself, so that the reader is held against something else than the writer. */
static void write_jpeg(const char *path, const SlbImage *image, const Coding *coding)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = image->info.width;
    jpeg.image_height = image->info.height;
    jpeg.input_components = image->info.channels;
    jpeg.in_color_space = coding->space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, coding->stored);
    if (coding->unmarked) jpeg.write_Adobe_marker = FALSE;
    jpeg_set_quality(&jpeg, 90, TRUE);
    if (coding->progressive) jpeg_simple_progression(&jpeg);
    jpeg.restart_in_rows = (int)coding->restart_rows;
    jpeg_start_compress(&jpeg, TRUE);
    for (uint32_t y = 0; y < image->info.height; y++) {
        JSAMPROW row = image->data + y * image->stride_bytes;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    assert_int_equal(fclose(file), 0);
}

/* The largest difference of any sample. */
static int worst(const SlbImage *a, const SlbImage *b)
{
    int most = 0;
    assert_memory_equal(&a->info, &b->info, sizeof a->info);
    for (uint32_t y = 0; y < a->info.height; y++)
        for (uint32_t x = 0; x < a->info.width; x++)
            for (int c = 0; c < a->info.channels; c++) {
                int d = abs((int)sample_of(a, x, y, c) - (int)sample_of(b, x, y, c));
                if (d > most) most = d;
            }
    return most;
}

static void test_codings(void **state)
{
    static const Coding grey = {JCS_GRAYSCALE, JCS_GRAYSCALE, false, 0, false};
    static const Coding colour[] = {{JCS_RGB, JCS_YCbCr, false, 0, false},
                                    {JCS_RGB, JCS_YCbCr, true, 0, false},
                                    {JCS_RGB, JCS_YCbCr, false, 1, false},
                                    {JCS_RGB, JCS_RGB, false, 0, false}};
    const char *path = in_folder("a.bin"); /* the name says nothing */
    SlbImage in = smooth(61, 45, 3), base, out;
    SlbError err = {0};
    (void)state;
    for (int i = 0; i < 4; i++) {
        write_jpeg(path, &in, &colour[i]);
        assert_ok(slb_image_load(path, NULL, &out, &err), &err);
        assert_true(worst(&in, &out) <= 24); /* 4:2:0 at the folds of the picture */
        if (i == 0) base = out;
        if (i == 1 || i == 2) assert_same_picture(&base, &out); /* the same coefficients */
        if (i) slb_image_free(&out);
    }
    slb_image_free(&base);
    slb_image_free(&in);
    in = smooth(61, 45, 1);
    write_jpeg(path, &in, &grey);
    assert_ok(slb_image_load(path, NULL, &out, &err), &err);
    assert_true(worst(&in, &out) <= 8);
    slb_image_free(&out);
    slb_image_free(&in);
    unlink(path);
}

/* What is left of white by four inks; Adobe's 255 is no ink. */
static void test_cmyk_becomes_rgb(void **state)
{
    static const Coding codings[] = {{JCS_CMYK, JCS_CMYK, false, 0, false},
                                     {JCS_CMYK, JCS_YCCK, false, 0, false},
                                     {JCS_CMYK, JCS_CMYK, false, 0, true}};
    const char *path = in_folder("a.jpg");
    SlbImage in = smooth(61, 45, 4), want = smooth(61, 45, 3), out;
    SlbError err = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        for (size_t p = 0; p < 61 * 45; p++)
            for (size_t c = 0; c < 3; c++) {
                int ink = in.data[4 * p + c], black = in.data[4 * p + 3];
                want.data[3 * p + c] =
                    (unsigned char)(i < 2 ? ink * black / 255 : (255 - ink) * (255 - black) / 255);
            }
        write_jpeg(path, &in, &codings[i]);
        assert_ok(slb_image_load(path, NULL, &out, &err), &err);
        assert_true(worst(&out, &want) <= 24);
        assert_non_null(strstr(out.meta.note, "CMYK"));
        slb_image_free(&out);
    }
    slb_image_free(&want);
    slb_image_free(&in);
    unlink(path);
}

/* Without the end marker, or with bytes lost inside, libjpeg gives a picture and a warning. */
static void test_warnings_are_errors(void **state)
{
    static const Coding coding = {JCS_RGB, JCS_YCbCr, false, 0, false};
    const char *path = in_folder("a.jpg");
    static unsigned char bytes[1 << 16];
    SlbImage in = smooth(64, 64, 3), out;
    SlbError err = {0};
    (void)state;
    write_jpeg(path, &in, &coding);
    FILE *file = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    write_bytes(path, bytes, n - 2);
    assert_int_equal(slb_image_load(path, NULL, &out, &err), SLB_E_INPUT);
    assert_message(&err, SLB_E_INPUT, path);
    memmove(bytes + n - 100, bytes + n - 40, 40); /* 60 bytes are gone, the end marker stands */
    write_bytes(path, bytes, n - 60);
    assert_int_equal(slb_image_load(path, NULL, &out, &err), SLB_E_INPUT);
    assert_message(&err, SLB_E_INPUT, path);
    slb_image_free(&in);
    unlink(path);
}

/* Filler ahead of the end marker is none of the pixels', and noted; anything else there is what a
 * damaged scan left over. */
static void test_filler_ahead_of_the_end(void **state)
{
    static const Coding coding = {JCS_RGB, JCS_YCbCr, false, 0, false};
    static const struct {
        const char *pattern;
        size_t pattern_bytes, bytes;
        bool valid, told; /* 0xff ahead of a marker is what the format allows */
    } cases[] = {
        {"\0", 1, 40, true, true},
        {"\xff", 1, 40, true, false},
        {"\0\xff\xff", 3, 20000, true, true},
        {"\xff\0", 2, 40, true, true},
        {"\0\0\1\0", 4, 40, false, false},
        {"lost", 4, 40, false, false},
    };
    const char *path = in_folder("a.jpg");
    static unsigned char bytes[1 << 16];
    SlbImage in = smooth(64, 64, 3), want, out;
    SlbError err = {0};
    (void)state;
    write_jpeg(path, &in, &coding);
    assert_ok(slb_image_load(path, NULL, &want, &err), &err);
    assert_string_equal(want.meta.note, "");
    FILE *file = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t end = n - 2 + cases[i].bytes;
        for (size_t at = n - 2; at < end; at++)
            bytes[at] = (unsigned char)cases[i].pattern[(at - (n - 2)) % cases[i].pattern_bytes];
        write_bytes(path, bytes, end); /* no end at all */
        assert_int_equal(slb_image_load(path, NULL, &out, &err), SLB_E_INPUT);
        memcpy(bytes + end, "\xff\xd9", 2);
        write_bytes(path, bytes, end + 2);
        if (cases[i].valid) {
            assert_ok(slb_image_load(path, NULL, &out, &err), &err);
            assert_string_equal(
                out.meta.note,
                cases[i].told ? "bytes of filler stand between its pixels and its end" : "");
            assert_same_picture(&out, &want);
            slb_image_free(&out);
        } else {
            assert_int_equal(slb_image_load(path, NULL, &out, &err), SLB_E_INPUT);
            assert_message(&err, SLB_E_INPUT, path);
        }
    }
    slb_image_free(&want);
    slb_image_free(&in);
    unlink(path);
}

static void test_quality_and_sampling(void **state)
{
    const char *path = in_folder("a.jpg");
    SlbImage in = smooth(80, 60, 3), out;
    SlbError err = {0};
    struct stat best, least;
    (void)state;
    const SlbWriteOptions q100 = {.overwrite = true, .jpeg_quality = 100};
    const SlbWriteOptions q1 = {.overwrite = true, .jpeg_quality = 1};
    const SlbWriteOptions q101 = {.overwrite = true, .jpeg_quality = 101};
    assert_ok(slb_image_save(path, &in, &q1, &err), &err);
    stat(path, &least);
    assert_ok(slb_image_save(path, &in, &q100, &err), &err);
    stat(path, &best);
    assert_true(best.st_size > 2 * least.st_size);
    assert_ok(slb_image_load(path, NULL, &out, &err), &err);
    assert_true(worst(&in, &out) <= 3); /* colour at full resolution */
    assert_int_equal(slb_image_save(path, &in, &q101, &err), SLB_E_USAGE);
    slb_image_free(&out);
    slb_image_free(&in);
    unlink(path);
}

/* The default: 95, 4:4:4. */
static void test_default_is_good(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2) {
        const char *path = in_folder("a.jpg");
        SlbImage in = smooth(80, 60, channels), out;
        SlbError err = {0};
        assert_ok(slb_image_save(path, &in, NULL, &err), &err);
        assert_ok(slb_image_load(path, NULL, &out, &err), &err);
        assert_true(worst(&in, &out) <= 8);
        slb_image_free(&out);
        slb_image_free(&in);
        unlink(path);
    }
}

/* Saves a small picture at `path` and puts segments behind the first two bytes. */
static void save_with(const char *path, const void *segments, size_t bytes)
{
    static char whole[1 << 14];
    SlbImage in = smooth(16, 16, 1);
    SlbError err = {0};
    assert_ok(slb_image_save(path, &in, NULL, &err), &err);
    slb_image_free(&in);
    FILE *file = fopen(path, "r+b");
    size_t n = fread(whole, 1, sizeof whole, file);
    rewind(file);
    assert_int_equal(fwrite(whole, 1, 2, file), 2);
    assert_int_equal(fwrite(segments, 1, bytes, file), bytes);
    assert_int_equal(fwrite(whole + 2, 1, n - 2, file), n - 2);
    assert_int_equal(fclose(file), 0);
}

/* A string's bytes and their number. */
#define SEGMENTS(text) text, sizeof(text) - 1

static void assert_block(const SlbBlock *block, const char *text)
{
    assert_int_equal(block->bytes, strlen(text));
    if (*text) assert_memory_equal(block->data, text, block->bytes);
}

/* Of Photoshop's resources the IPTC records alone, wherever they stand; comments, one or several.
 */
static void test_iptc_and_comments(void **state)
{
    static const struct {
        const char *segments;
        size_t bytes;
        const char *iptc, *comment, *note;
    } cases[] = {
        {SEGMENTS("\xff\xfe\0\7hello\xff\xfe\0\2\xff\xfe\0\4ho"), "", "hello\nho", ""},
        {SEGMENTS("\xff\xed\0\37Photoshop 3.0\0008BIM\4\4\0\0\0\0\0\3abc"), "abc", "", ""},
        {SEGMENTS("\xff\xed\0\63Photoshop 3.0\0008BIM\4\x09\3nam\0\0\0\3odd\0"
                  "8BIM\4\4\1x\0\0\0\4abcdz"),
         "abcd", "", ""},
        {SEGMENTS("\xff\xed\0\34Photoshop 3.0\0008BIM\3\xed\0\0\0\0\0\0"), "", "", ""},
        {SEGMENTS("\xff\xed\0\37Photoshop 3.0\0008BIM\4\4\0\0\0\0\0\4abc"), "", "",
         "its IPTC data are damaged or go on in a second segment: left out"},
    };
    const char *path = in_folder("a.jpg"), *other = in_folder("b.jpg"), *png = in_folder("c.png");
    SlbImage image, again;
    SlbError err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        save_with(path, cases[i].segments, cases[i].bytes);
        assert_ok(slb_image_load(path, NULL, &image, &err), &err);
        assert_string_equal(image.meta.note, cases[i].note);
        assert_block(&image.meta.iptc, cases[i].iptc);
        assert_block(&image.meta.comment, cases[i].comment);
        assert_ok(slb_image_save(other, &image, NULL, &err), &err);
        assert_ok(slb_image_load(other, NULL, &again, &err), &err);
        assert_block(&again.meta.iptc, cases[i].iptc);
        assert_block(&again.meta.comment, cases[i].comment);
        slb_image_free(&again);
        slb_image_free(&image);
        unlink(path);
        unlink(other);
    }
    save_with(path, cases[0].segments, cases[0].bytes);
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    char note[SLB_NOTE_BYTES];
    assert_ok(slb_writer_check(png, &image.info, &image.meta, NULL, note, &err), &err);
    assert_string_equal(note, "PNG holds no comment as JPEG does: left out");
    slb_image_free(&image);
    unlink(path);
}

/* What is not taken over is told: other pictures, films and the like behind the picture, whether a
 * segment tells of them or not, and segments of JUMBF. Filler there is nothing. */
static void test_more_is_told(void **state)
{
    static const char more[] = "only the main picture is taken: what stands behind it, such as a "
                               "film or a gain map, is left out";
    static const struct {
        const char *segments;
        size_t bytes;
        const char *behind;
        size_t behind_bytes;
        const char *note;
    } cases[] = {
        {SEGMENTS(""), SEGMENTS("\0\0\xff\0\r\n"), ""},
        {SEGMENTS(""), SEGMENTS("\0\0\0\30ftypmp42"), more},
        {SEGMENTS("\xff\xe2\0\12MPF\0II*\0"), SEGMENTS("\xff\xd8\xff\xe1"), more},
        {SEGMENTS("\xff\xe2\0\12MPX\0II*\0"), SEGMENTS(""), ""},
        {SEGMENTS("\xff\xeb\0\12JP\0\1\0\0\0\1\xff\xeb\0\12JP\0\1\0\0\0\2"), SEGMENTS(""),
         "its content credentials, or what else APP11 holds, are left out"},
    };
    const char *path = in_folder("a.jpg");
    SlbImage image;
    SlbError err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int far = 0; far < 2; far++) { /* behind what libjpeg reads at a time, too */
            static const char filler[10000];
            save_with(path, cases[i].segments, cases[i].bytes);
            FILE *file = fopen(path, "ab");
            if (far) fwrite(filler, 1, sizeof filler, file);
            fwrite(cases[i].behind, 1, cases[i].behind_bytes, file);
            assert_int_equal(fclose(file), 0);
            assert_ok(slb_image_load(path, NULL, &image, &err), &err);
            assert_string_equal(image.meta.note, cases[i].note);
            slb_image_free(&image);
            unlink(path);
        }
}

/* A profile is there three times while a picture is opened. */
static void test_memory_for_metadata(void **state)
{
    const char *path = in_folder("a.jpg");
    SlbImage image = noise(8, 8, 1, 8, 1);
    SlbReader *reader;
    SlbError err = {0};
    (void)state;
    image.meta.icc = (SlbBlock){slb_calloc(2 << 20, 1), 2 << 20};
    assert_ok(slb_image_save(path, &image, NULL, &err), &err);
    SlbReadLimits limits = {.meta_bytes = 5 << 20};
    assert_int_equal(slb_reader_open(path, &limits, &reader, &err), SLB_E_MEMORY);
    assert_non_null(strstr(err.message, "than the 5 MiB that are left for them; raise"));
    limits.meta_bytes = 7 << 20;
    assert_ok(slb_reader_open(path, &limits, &reader, &err), &err);
    assert_int_equal(slb_reader_meta(reader)->icc.bytes, 2 << 20);
    slb_reader_close(reader);
    unlink(path);
    slb_image_free(&image);
}

/* Segments that are passed over take no memory. */
static void test_memory_for_other_segments(void **state)
{
    enum { BYTES = 40 * 65535 };
    static char segments[BYTES];
    const SlbReadLimits limits = {.meta_bytes = 1 << 20};
    const char *path = in_folder("a.jpg");
    SlbReader *reader;
    SlbError err = {0};
    (void)state;
    for (char *s = segments; s < segments + BYTES; s += 65535)
        memcpy(s, "\xff\xe5\xff\xfd", 4); /* APP5, its marker and 65533 bytes */
    save_with(path, segments, sizeof segments);
    assert_ok(slb_reader_open(path, &limits, &reader, &err), &err);
    slb_reader_close(reader);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codings),
        cmocka_unit_test(test_cmyk_becomes_rgb),
        cmocka_unit_test(test_warnings_are_errors),
        cmocka_unit_test(test_filler_ahead_of_the_end),
        cmocka_unit_test(test_quality_and_sampling),
        cmocka_unit_test(test_default_is_good),
        cmocka_unit_test(test_iptc_and_comments),
        cmocka_unit_test(test_more_is_told),
        cmocka_unit_test(test_memory_for_metadata),
        cmocka_unit_test(test_memory_for_other_segments),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
