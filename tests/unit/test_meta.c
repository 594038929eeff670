/* Metadata: carried through PNG and JPEG and between them, and brought up to date when a picture is
 * turned and resized. */
#include "base/mem.h"
#include "img/codec.h"
#include "img/exif.h"
#include "img/resize.h"
#include "unit/meta.h"

static void test_exif_follows(void **state)
{
    (void)state;
    unsigned char exif[EXIF];
    for (int big = 0; big < 2; big++) {
        SlbMetaChange change = {1, 2, 3, 80000, 60};
        make_exif(exif, big, 1);
        slb_exif_change(exif, EXIF, &change);
        assert_int_equal(get(exif + 10 + 2, 2, big), 4); /* grew to LONG */
        assert_int_equal(get(exif + 10 + 8, 4, big), 80000);
        assert_int_equal(get(exif + 78 + 8, 4, big), 80000);
        assert_int_equal(get(exif + 90 + 8, 4, big), 60);
        assert_int_equal(get(exif + 120, 4, big), 144);
        assert_int_equal(get(exif + 128, 4, big), 3603);
        assert_int_equal(get(exif + 70, 4, big), 150); /* the thumbnail is still right */

        change = (SlbMetaChange){6, 1.5, 1.5, 30, 60};
        make_exif(exif, big, 6);
        slb_exif_change(exif, EXIF, &change);
        assert_int_equal(slb_exif_orientation(exif, EXIF), 1);
        assert_int_equal(get(exif + 70, 4, big), 0); /* the thumbnail lies on its side: gone */
        assert_int_equal(get(exif + 120, 4, big), 1801500); /* 120.1 * 1.5 dpi, once the other's */
        assert_int_equal(get(exif + 124, 4, big), 10000);
        assert_int_equal(get(exif + 128, 4, big), 108);
        assert_int_equal(get(exif + 132, 4, big), 1);
    }
}

/* Nothing outside the block is touched, whatever it says; sanitizers watch. */
static void test_faulty_exif(void **state)
{
    (void)state;
    SlbMetaChange change = {6, 2, 2, 100000, 100000};
    uint32_t seed = 5;
    for (int round = 0; round < 20000; round++) {
        size_t bytes = round < EXIF ? (size_t)round : EXIF;
        unsigned char *exif = malloc(bytes ? bytes : 1), whole[EXIF];
        make_exif(whole, round & 1, 6);
        for (int i = 0; round >= EXIF && i < 3; i++)
            whole[next_random(&seed) % EXIF] = (unsigned char)(next_random(&seed) >> 9);
        memcpy(exif, whole, bytes);
        slb_exif_change(exif, bytes, &change);
        free(exif);
    }
}

/* The packet of a changed picture. */
static void check_xmp(const char *before, const SlbMetaChange *change, const char *after)
{
    SlbMeta in = {0}, out;
    SlbError err;
    set_block(&in.xmp, before, strlen(before));
    assert_ok(slb_meta_derive(&in, change, &out, &err), &err);
    assert_string_equal((char *)out.xmp.data, after);
    assert_int_equal(out.xmp.bytes, strlen(after));
    slb_meta_free(&out);
    slb_meta_free(&in);
}

/* Densities change places with the axes; fractions keep what they are worth. */
static void test_xmp_densities(void **state)
{
    (void)state;
    static const SlbMetaChange turned = {6, 1, 2, 3, 4}, larger = {1, 1.3, 4 / 3.0, 3, 4};
    check_xmp("<x tiff:XResolution=\"72/1\"><tiff:YResolution>300/1</tiff:YResolution>", &turned,
              "<x tiff:XResolution=\"300/1\"><tiff:YResolution>144/1</tiff:YResolution>");
    check_xmp("<x tiff:XResolution=\"72/1\">", &turned, "<x tiff:XResolution=\"72/1\">");
    check_xmp("<x tiff:XResolution=\"72/1\" tiff:YResolution=\"72/1\">", &larger,
              "<x tiff:XResolution=\"936/10\" tiff:YResolution=\"96/1\">");
    check_xmp("<x tiff:XResolution=\"1/1\" tiff:YResolution=\"100/3\">", &larger,
              "<x tiff:XResolution=\"13/10\" tiff:YResolution=\"1333333/30000\">");
}

/* What stood behind the picture, which goes nowhere, is promised no more. */
static void test_xmp_of_more_pictures(void **state)
{
    (void)state;
    static const SlbMetaChange none = {1, 1, 1, 3, 4};
    check_xmp("<x GCamera:MotionPhoto=\"1\" GCamera:MotionPhotoVersion=\"1\" "
              "GCamera:MicroVideo=\"1\" GCamera:MicroVideoVersion=\"1\" "
              "GCamera:MicroVideoOffset=\"4000000\" hdrgm:Version=\"1.0\">"
              "<Camera:MotionPhoto>1</Camera:MotionPhoto>"
              "<Container:Item Item:Semantic=\"GainMap\" Item:Length='66171'/>",
              &none,
              "<x GCamera:MotionPhoto=\"0\" GCamera:MotionPhotoVersion=\"1\" "
              "GCamera:MicroVideo=\"0\" GCamera:MicroVideoVersion=\"1\" "
              "GCamera:MicroVideoOffset=\"0\" hdrgm:Version=\"0\">"
              "<Camera:MotionPhoto>0</Camera:MotionPhoto>"
              "<Container:Item Item:Semantic=\"GainMap\" Item:Length='0'/>");
}

static void test_xmp_follows(void **state)
{
    (void)state;
    static const char before[] =
        "<x tiff:Orientation=\"6\" tiff:XResolution='72/1' exif:PixelXDimension=\"7\">"
        "<tiff:ImageWidth>7</tiff:ImageWidth><tiff:YResolution>3000000/10000</tiff:YResolution>"
        "<a:tiff:ImageWidth>7<tiff:ImageLength>x</tiff:ImageLength> tiff:Orientation=\"";
    static const char after[] =
        "<x tiff:Orientation=\"1\" tiff:XResolution='6000000/10000' exif:PixelXDimension=\"12345\">"
        "<tiff:ImageWidth>12345</tiff:ImageWidth><tiff:YResolution>144/1</tiff:YResolution>"
        "<a:tiff:ImageWidth>7<tiff:ImageLength>x</tiff:ImageLength> tiff:Orientation=\"";
    SlbMeta in = {0}, out;
    SlbError err;
    SlbMetaChange change = {6, 2, 2, 12345, 678};
    set_block(&in.xmp, before, sizeof before - 1);
    assert_ok(slb_meta_derive(&in, &change, &out, &err), &err);
    assert_string_equal((char *)out.xmp.data, after);
    assert_int_equal(out.xmp.bytes, sizeof after - 1);
    slb_meta_free(&out);
    for (long n = 1; n <= 4; n++) { /* out of memory leaves nothing behind */
        slb_mem_fail_at(n);
        assert_int_equal(slb_meta_derive(&in, &change, &out, &err), SLB_E_MEMORY);
        assert_null(out.xmp.data);
    }
    slb_mem_fail_at(0);
    slb_meta_free(&in);
}

/* A picture with everything. The profile is the least that libpng takes for one. */
static SlbImage rich_picture(void)
{
    SlbImage image = noise(40, 20, 3, 8, 3);
    unsigned char icc[400] = {0}, exif[EXIF];
    put(icc, 4, 1, sizeof icc);
    icc[8] = 4;
    memcpy(icc + 12, "mntrRGB XYZ ", 12);
    memcpy(icc + 36, "acsp", 4);
    put(icc + 68, 4, 1, 0xf6d6);
    put(icc + 72, 4, 1, 0x10000);
    put(icc + 76, 4, 1, 0xd32d);
    for (uint32_t i = 132, seed = 9; i < sizeof icc;
         i++) /* libpng takes a short chunk for a cut one */
        icc[i] = i < 136 ? 0 : (unsigned char)(next_random(&seed) >> 9);
    make_exif(exif, 1, 1);
    set_block(&image.meta.icc, icc, sizeof icc);
    set_block(&image.meta.exif, exif, EXIF);
    set_block(&image.meta.xmp, "<x:xmpmeta/>", 12);
    image.meta.density_unit = SLB_DENSITY_METRE;
    image.meta.density_x = 300 / 0.0254;
    image.meta.density_y = 150 / 0.0254;
    return image;
}

static void test_carried_between_formats(void **state)
{
    (void)state;
    static const char *const names[] = {"a.png", "b.jpg", "c.jpg", "d.png"};
    SlbImage image = rich_picture(), next;
    SlbMeta first;
    SlbError err;
    SlbWriteOptions how = {.overwrite = true};
    SlbMetaChange none = {1, 1, 1, 40, 20};
    assert_ok(slb_meta_derive(&image.meta, &none, &first, &err), &err);
    for (int i = 0; i < 4; i++) {
        const char *path = in_folder(names[i]);
        assert_ok(slb_image_save(path, &image, &how, &err), &err);
        assert_ok(slb_image_load(path, NULL, &next, &err), &err);
        slb_image_free(&image);
        image = next;
        same_block(&image.meta.icc, &first.icc);
        same_block(&image.meta.exif, &first.exif);
        same_block(&image.meta.xmp, &first.xmp);
        assert_int_equal(image.meta.density_unit, SLB_DENSITY_METRE);
        assert_int_equal(image.meta.density_x * 0.0254 + 0.5, 300);
        assert_int_equal(image.meta.density_y * 0.0254 + 0.5, 150);
        assert_string_equal(image.meta.note, "");
    }
    SlbImage small;
    assert_ok(slb_resize_image(&image, 1, 2, SLB_EDGE_MIRROR, &small, &err), &err);
    assert_int_equal(small.meta.density_x * 0.0254 + 0.5, 150);
    assert_int_equal(get(small.meta.exif.data + 90 + 8, 4, 1), 10);
    slb_image_free(&small);
    for (int i = 0; i < 4; i++) unlink(in_folder(names[i]));
    slb_meta_free(&first);
    slb_image_free(&image);
}

/* The note of a writer; that of the check before is the same, and so is that of slb_image_save. */
static const char *note_of(const char *path, const SlbImage *image)
{
    static char note[SLB_NOTE_BYTES];
    char again[SLB_NOTE_BYTES];
    SlbWriteOptions how = {.overwrite = true};
    SlbWriter *writer;
    SlbError err;
    assert_ok(slb_writer_open(path, &image->info, &image->meta, &how, &writer, &err), &err);
    strcpy(note, slb_writer_note(writer));
    slb_writer_abort(writer);
    assert_ok(slb_writer_check(path, &image->info, &image->meta, &how, again, &err), &err);
    assert_string_equal(note, again);
    assert_ok(slb_image_save_noting(path, image, &how, again, &err), &err);
    assert_string_equal(note, again);
    unlink(path);
    return note;
}

static void make_large(SlbBlock *block, size_t bytes)
{
    slb_free(block->data);
    *block = (SlbBlock){slb_calloc(bytes + 1, 1), bytes};
}

/* What a format cannot hold is told. */
static void test_notes_of_writers(void **state)
{
    (void)state;
    SlbImage image = rich_picture();
    SlbMeta *m = &image.meta;
    assert_string_equal(note_of(in_folder("x.png"), &image), "");
    assert_string_equal(note_of(in_folder("x.jpg"), &image), "");
    assert_string_equal(note_of(in_folder("x.ppm"), &image),
                        "PPM holds no metadata: left out the ICC profile EXIF XMP");
    make_large(&m->xmp, 69999);
    m->gamma = 100000;
    assert_string_equal(note_of(in_folder("x.jpg"), &image),
                        "XMP of 69999 bytes is too large for JPEG: left out");
    make_large(&m->exif, 70000);
    make_large(&m->icc, 17000000);
    assert_string_equal(note_of(in_folder("x.jpg"), &image),
                        "EXIF of 70000 bytes is too large for JPEG: left out; "
                        "XMP of 69999 bytes is too large for JPEG: left out; "
                        "an ICC profile of 17000000 bytes is too large for JPEG: left out");
    slb_meta_free(m);
    m->gamma = 100000;
    assert_string_equal(note_of(in_folder("x.jpg"), &image),
                        "JPEG holds no gamma value: that of 1 was left out");
    slb_image_free(&image);
}

/* A profile of other pixels does not go into a PNG. */
static void test_note_of_a_profile(void **state)
{
    (void)state;
    SlbImage image = rich_picture(), grey = noise(4, 4, 2, 8, 1);
    set_block(&grey.meta.icc, image.meta.icc.data, image.meta.icc.bytes);
    memcpy(image.meta.icc.data + 16, "GRAY", 4);
    assert_string_equal(note_of(in_folder("x.png"), &image),
                        "the ICC profile is none for RGB: left out");
    assert_string_equal(note_of(in_folder("x.png"), &grey),
                        "the ICC profile is none for grey: left out");
    slb_image_free(&grey);
    slb_image_free(&image);
}

/* Primaries are told like a gamma value: where they are not those of sRGB, and nothing stands above
 * them. */
static void test_note_of_primaries(void **state)
{
    (void)state;
    static const int32_t usual[8] = {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000};
    SlbImage image = noise(4, 4, 3, 8, 1);
    SlbMeta *m = &image.meta;
    m->has_chroma = true;
    memcpy(m->chroma, usual, sizeof usual);
    assert_string_equal(note_of(in_folder("x.jpg"), &image), "");
    m->chroma[2] = 68000; /* Display P3 */
    assert_string_equal(
        note_of(in_folder("x.jpg"), &image),
        "JPEG holds no primaries: those of cHRM, which are not sRGB's, were left out");
    assert_string_equal(note_of(in_folder("x.png"), &image), "");
    m->srgb = 1;
    assert_string_equal(note_of(in_folder("x.jpg"), &image), "");
    slb_image_free(&image);
}

static void test_png_colours(void **state)
{
    (void)state;
    SlbImage image = noise(5, 5, 3, 16, 3), back;
    SlbError err;
    SlbWriteOptions how = {.overwrite = true};
    static const int32_t chroma[8] = {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000};
    image.meta.srgb = 2;
    image.meta.gamma = 45455;
    image.meta.has_chroma = true;
    memcpy(image.meta.chroma, chroma, sizeof chroma);
    image.meta.density_unit = SLB_DENSITY_ASPECT;
    image.meta.density_x = 2;
    image.meta.density_y = 1;
    assert_ok(slb_image_save(in_folder("x.png"), &image, &how, &err), &err);
    assert_ok(slb_image_load(in_folder("x.png"), NULL, &back, &err), &err);
    assert_int_equal(back.meta.srgb, 2);
    assert_int_equal(back.meta.gamma, 45455);
    assert_true(back.meta.has_chroma);
    assert_memory_equal(back.meta.chroma, chroma, sizeof chroma);
    assert_int_equal(back.meta.density_unit, SLB_DENSITY_ASPECT);
    assert_true(back.meta.density_x == 2 && back.meta.density_y == 1);
    unlink(in_folder("x.png"));
    slb_image_free(&back);
    slb_image_free(&image);
}

/* A mere ratio of densities is that of pixels, however many there are: it is exchanged by a turn,
 * and changes where width and height are scaled by different factors. Numbers that no file holds
 * become the nearest of the same ratio. */
static void test_shape_of_pixels(void **state)
{
    (void)state;
    static const struct {
        double x, y;
        SlbMetaChange change;
        uint32_t png_x, png_y, jpeg_x, jpeg_y;
    } cases[] = {
        {2, 1, {1, 1, 1, 5, 5}, 2, 1, 2, 1},
        {200, 100, {1, 1.3, 1.3, 130, 65}, 200, 100, 200, 100},
        {200, 100, {6, 3, 3, 30, 60}, 100, 200, 100, 200},
        {200, 100, {1, 67.0 / 50, 101.0 / 75, 67, 101}, 200, 100, 200, 100},
        {4, 3, {1, 2, 1, 1000, 500}, 8, 3, 8, 3},
        {4, 3, {1, 1, 1.5, 1000, 500}, 8, 9, 8, 9},
        {1, 1, {8, 1, 1.25, 1000, 500}, 4, 5, 4, 5},
        {200000, 300000, {1, 2, 2, 1000, 500}, 200000, 300000, 2, 3},
        {4000000000, 2, {1, 2, 2, 1000, 500}, 2000000000, 1, 65535, 1},
    };
    SlbImage image = noise(5, 5, 1, 8, 3), back;
    SlbMeta plain = {.density_unit = SLB_DENSITY_ASPECT};
    SlbError err;
    SlbWriteOptions how = {.overwrite = true};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int jpeg = 0; jpeg < 2; jpeg++) {
            const char *path = in_folder(jpeg ? "x.jpg" : "x.png");
            plain.density_x = cases[i].x;
            plain.density_y = cases[i].y;
            assert_ok(slb_meta_derive(&plain, &cases[i].change, &image.meta, &err), &err);
            assert_ok(slb_image_save(path, &image, &how, &err), &err);
            assert_ok(slb_image_load(path, NULL, &back, &err), &err);
            assert_int_equal(back.meta.density_unit, SLB_DENSITY_ASPECT);
            assert_int_equal(back.meta.density_x, jpeg ? cases[i].jpeg_x : cases[i].png_x);
            assert_int_equal(back.meta.density_y, jpeg ? cases[i].jpeg_y : cases[i].png_y);
            unlink(path);
            slb_image_free(&back);
        }
    slb_image_free(&image);
}

/* A JPEG of very many segments: those up to the limit are kept, the picture is read. */
static void test_flood_of_segments(void **state)
{
    (void)state;
    SlbImage image = noise(8, 8, 1, 8, 3), back;
    SlbError err;
    SlbWriteOptions how = {.overwrite = true};
    const char *path = in_folder("flood.jpg"), *flood = in_folder("flood2.jpg");
    static unsigned char segment[65537] = {0xff, 0xe1, 0xff, 0xff};
    memcpy(segment + 4, "nothing", 8);
    assert_ok(slb_image_save(path, &image, &how, &err), &err);
    FILE *in = fopen(path, "rb"), *out = fopen(flood, "wb");
    assert_true(in && out);
    for (int i = 0; i < 2; i++) fputc(fgetc(in), out);
    for (int i = 0; i < 300; i++) assert_int_equal(fwrite(segment, 1, sizeof segment, out), 65537);
    for (int c; (c = fgetc(in)) != EOF;) fputc(c, out);
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_ok(slb_image_load(flood, NULL, &back, &err), &err);
    assert_non_null(strstr(back.meta.note, "more than 16 MiB of metadata"));
    unlink(path);
    unlink(flood);
    slb_image_free(&back);
    slb_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exif_follows),      cmocka_unit_test(test_faulty_exif),
        cmocka_unit_test(test_xmp_densities),     cmocka_unit_test(test_xmp_of_more_pictures),
        cmocka_unit_test(test_xmp_follows),       cmocka_unit_test(test_carried_between_formats),
        cmocka_unit_test(test_notes_of_writers),  cmocka_unit_test(test_png_colours),
        cmocka_unit_test(test_note_of_a_profile), cmocka_unit_test(test_note_of_primaries),
        cmocka_unit_test(test_flood_of_segments), cmocka_unit_test(test_shape_of_pixels),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
