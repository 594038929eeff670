/* CMYK: by the picture's ICC profile in a build with lcms2, by a formula in one without. The second
 * is made here once more, whatever this build has. */
#include <stdio.h>

#include <jpeglib.h>

#define slb_cmyk_library plain_library
#define slb_inks_open plain_open
#define slb_inks_mix plain_mix
#define slb_inks_close plain_close
#define SlbInks PlainInks
#define tell plain_tell
#include "img/codec_cmyk.c"
#undef slb_cmyk_library
#undef slb_inks_open
#undef slb_inks_mix
#undef slb_inks_close
#undef SlbInks
#undef tell

#include "img/codec.h"
#include "unit/folder.h"

/* Of this build, hidden by the names above. */
const char *slb_cmyk_library(void);

enum { HEADER = 128, PROFILE_BYTES = HEADER + 16 + 1888 }; /* a table of one tag, and that */

static void put32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* An ICC profile of version 2 for a press whose every ink is grey: paper is L* = 100, black or all
 * inks together 0, any other mixture 50. No formula takes cyan for grey. */
static void make_profile(unsigned char profile[PROFILE_BYTES])
{
    unsigned char *tag = profile + HEADER + 16, *at = tag + 48;
    memset(profile, 0, PROFILE_BYTES);
    put32(profile, PROFILE_BYTES);
    put32(profile + 8, 0x02400000);
    memcpy(profile + 12, "prtrCMYKLab ", 12);
    memcpy(profile + 36, "acsp", 4);
    put32(profile + 68, 0xf6d6); /* D50 */
    put32(profile + 72, 0x10000);
    put32(profile + 76, 0xd32d);
    put32(profile + HEADER, 1); /* tags */
    memcpy(profile + HEADER + 4, "A2B0", 4);
    put32(profile + HEADER + 8, HEADER + 16);
    put32(profile + HEADER + 12, 1888);
    memcpy(tag, "mft1\0\0\0\0\4\3\2", 12);                         /* 4 inks, 3 values, 2 nodes */
    for (int i = 0; i < 3; i++) put32(tag + 12 + 16 * i, 0x10000); /* the unit matrix */
    for (int i = 0; i < 4 * 256; i++) *at++ = (unsigned char)i;
    for (int node = 0; node < 16; node++) { /* black varies fastest */
        *at++ = node == 0 ? 255 : node & 1 || node == 14 ? 0 : 128;
        *at++ = 128;
        *at++ = 128;
    }
    for (int i = 0; i < 3 * 256; i++) *at++ = (unsigned char)i;
    assert_ptr_equal(at, profile + PROFILE_BYTES);
}

static unsigned get32(const unsigned char *at)
{
    return (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
}

/* 16x16 pixels of one mixture, the inks as Adobe has them (255: none) or the other way round. */
static void write_flat(const char *path, const unsigned char mixture[4], bool adobe,
                       J_COLOR_SPACE stored, const unsigned char *profile)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    JSAMPLE row[16 * 4];
    JSAMPROW rows = row;
    unlink(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 16 * 4; i++)
        row[i] = (JSAMPLE)(adobe ? 255 - mixture[i % 4] : mixture[i % 4]);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = 16;
    jpeg.input_components = 4;
    jpeg.in_color_space = JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, stored);
    jpeg.write_Adobe_marker = adobe;
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    if (profile) jpeg_write_icc_profile(&jpeg, profile, get32(profile));
    for (int y = 0; y < 16; y++) jpeg_write_scanlines(&jpeg, &rows, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    assert_int_equal(fclose(file), 0);
}

/* What a reader makes of it: `colour` to 2, RGB of 8 bits without a profile, and a note. */
static void assert_read(const char *path, const int colour[3], const char *note)
{
    SlbImage image;
    SlbError err = {0};
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    assert_int_equal(image.info.channels, 3);
    for (int i = 0; i < 16 * 3; i++)
        if (abs((int)image.data[i] - colour[i % 3]) > 2)
            fail_msg("%d, %d, %d instead of %d, %d, %d", image.data[0], image.data[1],
                     image.data[2], colour[0], colour[1], colour[2]);
    assert_null(image.meta.icc.data);
    if (!strstr(image.meta.note, note)) fail_msg("'%s' lacks '%s'", image.meta.note, note);
    slb_image_free(&image);
}

static const unsigned char none[4] = {0}, cyan[4] = {255}, black[4] = {0, 0, 0, 255};

static void test_profile_decides(void **state)
{
    static const struct {
        const unsigned char *mixture;
        int formula[3], profile[3];
    } cases[] = {{none, {255, 255, 255}, {255, 255, 255}},
                 {cyan, {0, 255, 255}, {119, 119, 119}},
                 {black, {0, 0, 0}, {0, 0, 0}}};
    const char *path = in_folder("a.jpg");
    unsigned char profile[PROFILE_BYTES];
    (void)state;
    make_profile(profile);
    for (int i = 0; i < 3; i++)
        for (int way = 0; way < 3; way++) { /* Adobe's CMYK and YCCK, CMYK of others */
            J_COLOR_SPACE stored = way == 1 ? JCS_YCCK : JCS_CMYK;
            write_flat(path, cases[i].mixture, way < 2, stored, profile);
            if (slb_cmyk_library())
                assert_read(path, cases[i].profile, "CMYK became sRGB by its ICC profile");
            else
                assert_read(path, cases[i].formula, "this build lacks lcms2");
            write_flat(path, cases[i].mixture, way < 2, stored, NULL);
            assert_read(path, cases[i].formula, "as it has no ICC profile");
        }
    unlink(path);
}

/* Not of CMYK, or without tables: the formula, and the note says so. */
static void test_useless_profiles(void **state)
{
    static const int colour[3] = {0, 255, 255};
    const char *path = in_folder("a.jpg"),
               *note = slb_cmyk_library() ? "its ICC profile cannot be used" : "lacks lcms2";
    unsigned char profile[PROFILE_BYTES];
    (void)state;
    make_profile(profile);
    memcpy(profile + 16, "RGB ", 4);
    write_flat(path, cyan, true, JCS_CMYK, profile);
    assert_read(path, colour, note);
    make_profile(profile);
    memcpy(profile + HEADER + 16, "none", 4); /* the type of its tables */
    write_flat(path, cyan, true, JCS_CMYK, profile);
    assert_read(path, colour, note);
    unlink(path);
}

/* Lcms takes its time for what stands in a profile: large ones are not given to it. */
static void test_large_profile(void **state)
{
    static const int grey[3] = {119, 119, 119}, colour[3] = {0, 255, 255};
    enum { MOST = 4 << 20 };
    static unsigned char profile[MOST + 1];
    const char *path = in_folder("a.jpg");
    (void)state;
    if (!slb_cmyk_library()) skip();
    make_profile(profile);
    put32(profile, MOST);
    write_flat(path, cyan, true, JCS_CMYK, profile);
    assert_read(path, grey, "CMYK became sRGB by its ICC profile");
    put32(profile, MOST + 1);
    write_flat(path, cyan, true, JCS_CMYK, profile);
    assert_read(path, colour, "its ICC profile cannot be used");
    unlink(path);
}

/* The build without lcms2: the profile is taken out, the note says why, colours are the formula's.
 */
static void test_without_lcms(void **state)
{
    static const unsigned char in[8] = {0, 0, 0, 0, 51, 102, 255, 0};
    unsigned char profile[PROFILE_BYTES], rgb[6];
    SlbMeta meta = {0};
    PlainInks *inks;
    SlbError err = {0};
    (void)state;
    make_profile(profile);
    assert_null(plain_library());
    assert_ok(slb_block_set(&meta.icc, profile, sizeof profile, &err), &err);
    assert_ok(plain_open(&meta, false, &inks, &err), &err);
    assert_null(meta.icc.data);
    assert_non_null(strstr(meta.note, "this build lacks lcms2, which reads its ICC profile"));
    plain_mix(inks, in, 2, rgb);
    assert_memory_equal(rgb, "\xff\xff\xff\xcc\x99\x00", 6);
    plain_close(inks);
    slb_meta_free(&meta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_decides),
        cmocka_unit_test(test_useless_profiles),
        cmocka_unit_test(test_large_profile),
        cmocka_unit_test(test_without_lcms),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
