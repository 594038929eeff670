/* Reading every kind of PNG, made here by libpng's own writer. */
#include <png.h>

#include "base/mem.h"
#include "img/codec.h"
#include "unit/folder.h"

enum { W = 29, H = 13 };

typedef struct Kind {
    int color, bits; /* PNG_COLOR_TYPE_*, bits of a sample */
    bool interlaced, trns;
    bool grey; /* all colours of the palette are */
    const unsigned char *icc;
    png_uint_32 icc_bytes;
} Kind;

/* Sample i of row y as it is in the file: noise of the full range of the bit depth. */
static uint32_t raw_sample(const Kind *k, uint32_t y, uint32_t i)
{
    uint32_t seed = 1 + y * 1000 + i;
    for (int n = 0; n < 4; n++) next_random(&seed);
    return (seed >> 9) & ((1u << k->bits) - 1);
}

static int raw_channels(const Kind *k)
{
    switch (k->color) {
    case PNG_COLOR_TYPE_GRAY_ALPHA: return 2;
    case PNG_COLOR_TYPE_RGB: return 3;
    case PNG_COLOR_TYPE_RGB_ALPHA: return 4;
    default: return 1;
    }
}

static png_color palette_entry(const Kind *k, uint32_t i)
{
    png_byte grey = (png_byte)(i * 37 + 5);
    if (k->grey) return (png_color){grey, grey, grey};
    return (png_color){(png_byte)(i * 37 + 5), (png_byte)(i * 91 + 1), (png_byte)(255 - i)};
}

static void raw_row(const Kind *k, uint32_t y, unsigned char *row)
{
    uint32_t n = W * (uint32_t)raw_channels(k);
    memset(row, 0, (n * (uint32_t)k->bits + 7) / 8);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = raw_sample(k, y, i);
        if (k->bits == 16) {
            row[2 * i] = (unsigned char)(v >> 8);
            row[2 * i + 1] = (unsigned char)v;
        } else {
            uint32_t bit = i * (uint32_t)k->bits;
            row[bit / 8] |= (unsigned char)(v << (8 - k->bits - (int)(bit % 8)));
        }
    }
}

/* The transparent colour is that of the second pixel; of a palette, entry i has alpha 3 * i. */
static void set_trns(png_structp png, png_infop info, const Kind *k)
{
    png_byte alpha[4] = {0, 3, 6, 9};
    png_color_16 key = {.gray = (png_uint_16)raw_sample(k, 0, 1),
                        .red = (png_uint_16)raw_sample(k, 0, 3),
                        .green = (png_uint_16)raw_sample(k, 0, 4),
                        .blue = (png_uint_16)raw_sample(k, 0, 5)};
    png_set_tRNS(png, info, alpha, k->bits == 1 ? 2 : 4, &key);
}

static void write_png(const char *path, const Kind *k)
{
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[256];
    static unsigned char rows[H][W * 8];
    png_bytep pointers[H];
    assert_non_null(file);
    for (uint32_t i = 0; i < 256; i++) palette[i] = palette_entry(k, i);
    for (uint32_t y = 0; y < H; y++) raw_row(k, y, pointers[y] = rows[y]);
    png_init_io(png, file);
    png_set_IHDR(png, info, W, H, k->bits, k->color,
                 k->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0, 0);
    if (k->color == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 1 << k->bits);
    if (k->trns) set_trns(png, info, k);
    if (k->icc) png_set_iCCP(png, info, "p", 0, k->icc, k->icc_bytes);
    png_set_rows(png, info, pointers);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    assert_int_equal(fclose(file), 0);
}

/* What channel c of pixel x, y must be: full scale 255 or 65535, colours looked up, alpha added. */
static uint32_t expected_sample(const Kind *k, uint32_t x, uint32_t y, int c)
{
    int channels = raw_channels(k);
    uint32_t full = k->bits == 16 ? 65535 : 255;
    if (k->color == PNG_COLOR_TYPE_PALETTE) {
        uint32_t i = raw_sample(k, y, x);
        png_color entry = palette_entry(k, i);
        if (k->grey && !k->icc) c *= 3; /* one channel and alpha */
        return c == 0   ? entry.red
               : c == 1 ? entry.green
               : c == 2 ? entry.blue
               : i < 4  ? 3 * i
                        : 255;
    }
    if (c < channels)
        return raw_sample(k, y, x * (uint32_t)channels + (uint32_t)c) *
               (k->bits < 8 ? 255 / ((1u << k->bits) - 1) : 1);
    for (int i = 0; i < channels; i++) /* tRNS */
        if (raw_sample(k, y, x * (uint32_t)channels + (uint32_t)i) !=
            raw_sample(k, 0, (uint32_t)(channels + i)))
            return full;
    return 0;
}

static void check_kind(const Kind *k)
{
    const char *path = in_folder("kind.png");
    SlbImage image;
    SlbError err = {0};
    write_png(path, k);
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    int channels = k->color == PNG_COLOR_TYPE_PALETTE && (!k->grey || k->icc) ? 3 : raw_channels(k);
    assert_int_equal(image.info.channels, channels + k->trns);
    assert_int_equal(image.info.depth, k->bits == 16 ? 16 : 8);
    assert_int_equal(image.info.width, W);
    assert_int_equal(image.info.height, H);
    for (uint32_t y = 0; y < H; y++)
        for (uint32_t x = 0; x < W; x++)
            for (int c = 0; c < image.info.channels; c++)
                if (sample_of(&image, x, y, c) != expected_sample(k, x, y, c))
                    fail_msg("colour type %d, %d bits, interlaced %d, tRNS %d: channel %d of "
                             "(%u, %u) is %u, not %u",
                             k->color, k->bits, k->interlaced, k->trns, c, x, y,
                             sample_of(&image, x, y, c), expected_sample(k, x, y, c));
    slb_image_free(&image);
    unlink(path);
}

static void test_every_kind(void **state)
{
    static const int colors[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_PALETTE, PNG_COLOR_TYPE_RGB,
                                 PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB_ALPHA};
    (void)state;
    for (int i = 0; i < 5; i++)
        for (int bits = i < 2 ? 1 : 8; bits <= (i == 1 ? 8 : 16); bits *= 2)
            for (int variant = 0; variant < (i < 3 ? 4 : 2); variant++)
                for (int grey = 0; grey < (i == 1 ? 2 : 1); grey++)
                    check_kind(&(Kind){.color = colors[i],
                                       .bits = bits,
                                       .interlaced = variant & 1,
                                       .trns = variant & 2,
                                       .grey = grey});
}

/* Interlaced pictures are given out in parts like all others. */
static void test_interlaced_row_by_row(void **state)
{
    const Kind k = {.color = PNG_COLOR_TYPE_RGB, .bits = 16, .interlaced = true};
    const char *path = in_folder("kind.png");
    uint16_t row[W * 3];
    SlbReader *reader;
    SlbError err = {0};
    (void)state;
    write_png(path, &k);
    assert_ok(slb_reader_open(path, NULL, &reader, &err), &err);
    for (uint32_t y = 0; y < H; y++) {
        assert_ok(slb_reader_rows(reader, row, sizeof row, 1, &err), &err);
        for (uint32_t i = 0; i < W * 3; i++) assert_int_equal(row[i], raw_sample(&k, y, i));
    }
    slb_reader_close(reader);
    unlink(path);
}

/* A palette index beyond the palette must not read beyond it either. */
static void test_palette_index_out_of_range(void **state)
{
    const char *path = in_folder("kind.png");
    unsigned char row[W];
    png_color palette[2] = {{1, 2, 3}, {4, 5, 6}};
    png_bytep pointers[H];
    SlbImage image;
    SlbError err = {0};
    (void)state;
    for (uint32_t i = 0; i < W; i++) row[i] = (unsigned char)(i * 9);
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    for (int y = 0; y < H; y++) pointers[y] = row;
    png_init_io(png, file);
    png_set_check_for_invalid_index(png, 0);
    png_set_IHDR(png, info, W, H, 8, PNG_COLOR_TYPE_PALETTE, 0, 0, 0);
    png_set_PLTE(png, info, palette, 2);
    png_set_rows(png, info, pointers);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
    SlbStatus status = slb_image_load(path, NULL, &image, &err);
    if (status == SLB_OK) {
        assert_int_equal(sample_of(&image, 0, 0, 2), 3);
        slb_image_free(&image);
    } else {
        assert_message(&err, SLB_E_INPUT, path);
    }
    unlink(path);
}

/* The smallest ICC profile that is one: a header, no tags, zeros up to `bytes`. */
static unsigned char *icc_profile(size_t bytes, const char *space)
{
    unsigned char *p = calloc(bytes, 1);
    p[0] = (unsigned char)(bytes >> 24);
    p[1] = (unsigned char)(bytes >> 16);
    p[2] = (unsigned char)(bytes >> 8);
    p[3] = (unsigned char)bytes;
    p[8] = 2;
    memcpy(p + 12, "mntr", 4);
    memcpy(p + 16, space, 4);
    memcpy(p + 20, "XYZ ", 4);
    memcpy(p + 36, "acsp", 4);
    memcpy(p + 68, "\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d", 12); /* D50 */
    return p;
}

/* From PNG to memory, from there to PNG and to JPEG, and back: the same bytes. */
static void test_profile_is_kept(void **state)
{
    enum { BYTES = 150000 }; /* three JPEG markers */
    unsigned char *icc = icc_profile(BYTES, "RGB ");
    const Kind k = {.color = PNG_COLOR_TYPE_RGB, .bits = 8, .icc = icc, .icc_bytes = BYTES};
    SlbImage image, again;
    SlbError err = {0};
    (void)state;
    write_png(in_folder("kind.png"), &k);
    assert_ok(slb_image_load(in_folder("kind.png"), NULL, &image, &err), &err);
    unlink(in_folder("kind.png"));
    static const char *const names[] = {"a.png", "a.jpg"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(image.meta.icc.bytes, BYTES);
        assert_memory_equal(image.meta.icc.data, icc, BYTES);
        assert_ok(slb_image_save(in_folder(names[i]), &image, NULL, &err), &err);
        assert_ok(slb_image_load(in_folder(names[i]), NULL, &again, &err), &err);
        unlink(in_folder(names[i]));
        slb_image_free(&image);
        image = again;
    }
    assert_int_equal(image.meta.icc.bytes, BYTES);
    assert_memory_equal(image.meta.icc.data, icc, BYTES);
    slb_image_free(&image);
    /* A profile of colours keeps a palette of greys from becoming one channel. */
    check_kind(&(Kind){
        .color = PNG_COLOR_TYPE_PALETTE, .bits = 8, .grey = true, .icc = icc, .icc_bytes = BYTES});
    free(icc);
}

/* What is no profile, or one of another colour space, does not keep a picture from being saved. */
static void test_strange_profile_is_left_out(void **state)
{
    SlbImage image = noise(5, 5, 3, 8, 1), out;
    SlbError err = {0};
    (void)state;
    unsigned char *grey = icc_profile(132, "GRAY");
    for (int i = 0; i < 2; i++) {
        image.meta.icc.bytes = i ? 132 : 11;
        image.meta.icc.data = slb_alloc(image.meta.icc.bytes, 1);
        memcpy(image.meta.icc.data, i ? grey : (const void *)"not an icc!", image.meta.icc.bytes);
        assert_ok(slb_image_save(in_folder("a.png"), &image, NULL, &err), &err);
        assert_ok(slb_image_load(in_folder("a.png"), NULL, &out, &err), &err);
        assert_same_picture(&image, &out);
        assert_null(out.meta.icc.data);
        slb_image_free(&out);
        slb_free(image.meta.icc.data);
        image.meta.icc.data = NULL;
        unlink(in_folder("a.png"));
    }
    free(grey);
    slb_image_free(&image);
}

static void test_compression_level(void **state)
{
    SlbImage image = noise(200, 100, 1, 8, 1);
    SlbError err = {0};
    struct stat fast, small;
    (void)state;
    for (uint32_t i = 0; i < 20000; i++) image.data[i] = (unsigned char)(i / 7 * i / 900);
    const SlbWriteOptions one = {.png_level = 1}, nine = {.png_level = 9}, ten = {.png_level = 10};
    assert_ok(slb_image_save(in_folder("1.png"), &image, &one, &err), &err);
    assert_ok(slb_image_save(in_folder("9.png"), &image, &nine, &err), &err);
    assert_int_equal(slb_image_save(in_folder("10.png"), &image, &ten, &err), SLB_E_USAGE);
    stat(in_folder("1.png"), &fast);
    stat(in_folder("9.png"), &small);
    assert_true(small.st_size < fast.st_size);
    unlink(in_folder("1.png"));
    unlink(in_folder("9.png"));
    slb_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_interlaced_row_by_row),
        cmocka_unit_test(test_palette_index_out_of_range),
        cmocka_unit_test(test_profile_is_kept),
        cmocka_unit_test(test_strange_profile_is_left_out),
        cmocka_unit_test(test_compression_level),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
