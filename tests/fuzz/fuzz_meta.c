/* Metadata: changed as for a picture that was turned and enlarged, and written with a small picture
 * of any kind and format; what can be read must be read again, and hold what the format keeps.
 *
 * Input: a byte each for the orientation (252 and more: into a file with a name, not into memory),
 * the scale, format and unit of density, channels and depth, and the colours that are told; for
 * these as many bytes as they take; two 16-bit densities; three 16-bit lengths; then EXIF, XMP,
 * texts as chunks of a PNG have them (a byte for the kind, one for the length), and the ICC
 * profile. Numbers are little-endian. */
#include "fuzz/fuzz_picture.h"
#include "img/exif.h"

enum { WIDTH = 2, HEIGHT = 1, SAMPLES = WIDTH * HEIGHT * 4, MAX_TEXTS = 8 };

static const char *const formats[] = {"png", "jpg", "pam", "bmp", "tga"}; /* the first 3 are read */
enum { PNG, JPG, PAM, FORMATS = sizeof formats / sizeof *formats };

/* ---- What there is to write ---- */

static SlbBlock block(FuzzInput *in, size_t bytes)
{
    SlbBlock b = {0};
    SlbError err;
    FuzzInput part = fuzz_part(in, bytes);
    if (part.left) fuzz_want(slb_block_set(&b, part.at, part.left, &err) == SLB_OK, "no memory");
    return b;
}

/* Without its checksum. */
static size_t put_chunk(uint8_t *to, const char *type, const void *data, size_t bytes)
{
    fuzz_put_u32(to, bytes);
    memcpy(to + 4, type, 4);
    if (bytes) memcpy(to + 8, data, bytes);
    return 12 + bytes;
}

/* Texts have a form that the reader of PNG makes: a PNG that has them is read. */
static SlbBlock texts(FuzzInput in)
{
    static const uint8_t head[] = {0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0};
    static const uint8_t pixel[] = {0x78, 0x01, 0x01, 2, 0, 0xfd, 0xff, 0, 0, 0, 2, 0, 1};
    static const char *const kinds[] = {"tEXt", "iTXt", "zTXt"};
    uint8_t png[8 + 4 * 32 + MAX_TEXTS * (12 + 255)] = "\x89PNG\r\n\x1a\n";
    SlbImage image;
    SlbError err;
    size_t used = 8;
    used += put_chunk(png + used, "IHDR", head, sizeof head);
    for (int i = 0; in.left && i < MAX_TEXTS; i++) {
        const char *kind = kinds[fuzz_byte(&in) % 3];
        FuzzInput text = fuzz_part(&in, fuzz_byte(&in));
        used += put_chunk(png + used, kind, text.at, text.left);
    }
    used += put_chunk(png + used, "IDAT", pixel, sizeof pixel);
    used += put_chunk(png + used, "IEND", NULL, 0);
    fuzz_mend_png(png, used);
    if (slb_image_load(fuzz_file(png, used), NULL, &image, &err) != SLB_OK) return (SlbBlock){0};
    SlbBlock taken = image.meta.texts;
    image.meta.texts = (SlbBlock){0};
    slb_image_free(&image);
    return taken;
}

static void take_colours(FuzzInput *in, SlbMeta *m)
{
    unsigned told = fuzz_byte(in);
    m->srgb = (int)(told % 8 % 5);
    m->has_chroma = told & 8;
    m->has_cicp = told & 16;
    if (told & 32) m->gamma = fuzz_u32(in) & INT32_MAX;
    for (int i = 0; m->has_chroma && i < 8; i++) m->chroma[i] = (int32_t)fuzz_u32(in);
    for (int i = 0; m->has_cicp && i < 4; i++) m->cicp[i] = (uint8_t)fuzz_byte(in);
}

static void take_blocks(FuzzInput *in, SlbMeta *m)
{
    m->density_x = fuzz_u16(in) * 100.0;
    m->density_y = fuzz_u16(in) * 100.0;
    size_t exif = fuzz_u16(in), xmp = fuzz_u16(in), text = fuzz_u16(in);
    m->exif = block(in, exif);
    m->xmp = block(in, xmp);
    m->texts = text ? texts(fuzz_part(in, text)) : (SlbBlock){0};
    m->icc = block(in, in->left);
}

/* ---- What came back ---- */

static bool same(const SlbBlock *a, const SlbBlock *b)
{
    return a->bytes == b->bytes && (!a->bytes || memcmp(a->data, b->data, a->bytes) == 0);
}

/* What libpng reads as EXIF at all; it writes anything. */
static bool is_exif(const SlbBlock *b)
{
    return b->bytes > 4 && (memcmp(b->data, "II*", 3) == 0 || memcmp(b->data, "MM\0*", 4) == 0);
}

static void check_png(const SlbMeta *in, const SlbMeta *out, const char *note)
{
    SlbBlock xmp = in->xmp; /* a text: up to its first zero byte */
    if (xmp.data) xmp.bytes = strnlen((const char *)xmp.data, xmp.bytes);
    fuzz_want(!is_exif(&in->exif) || same(&in->exif, &out->exif), "other EXIF from a PNG");
    fuzz_want(same(&xmp, &out->xmp), "another XMP from a PNG");
    /* libpng writes profiles that pack into so little that it does not read them again. */
    fuzz_want(strstr(note, "ICC") || strstr(out->note, "too short") || same(&in->icc, &out->icc),
              "another profile from a PNG");
    fuzz_want(same(&in->texts, &out->texts), "other texts from a PNG");
    fuzz_want(in->has_cicp == out->has_cicp && memcmp(in->cicp, out->cicp, 4) == 0,
              "another cICP from a PNG");
}

static void check_jpeg(const SlbMeta *in, const SlbMeta *out, const char *note)
{
    fuzz_want(strstr(note, "EXIF") || same(&in->exif, &out->exif), "other EXIF from a JPEG");
    fuzz_want(strstr(note, "XMP") || same(&in->xmp, &out->xmp), "another XMP from a JPEG");
    fuzz_want(strstr(note, "ICC") || same(&in->icc, &out->icc), "another profile from a JPEG");
}

/* As it is stored: loading would turn it. */
static void check_stored(const char *path, const SlbImage *image, int format, const char *note)
{
    uint16_t samples[SAMPLES] = {0};
    SlbReader *reader;
    SlbError err = {0};
    fuzz_status(slb_reader_open(path, NULL, &reader, &err), SLB_OK, &err);
    const SlbImageInfo *info = slb_reader_info(reader);
    fuzz_want(info->width == WIDTH && info->height == HEIGHT, "another size");
    fuzz_status(slb_reader_rows(reader, samples, 0, HEIGHT, &err), SLB_OK, &err);
    if (format == JPG)
        check_jpeg(&image->meta, slb_reader_meta(reader), note);
    else
        fuzz_want(memcmp(info, &image->info, sizeof *info) == 0 &&
                      memcmp(samples, image->data, slb_row_bytes(info)) == 0,
                  "other samples");
    if (format == PNG) check_png(&image->meta, slb_reader_meta(reader), note);
    slb_reader_close(reader);
}

static const char *save_named(const SlbImage *image, const char *format, char *note)
{
    const SlbWriteOptions how = {.overwrite = true, .format = format};
    const char *path = fuzz_path("picture");
    SlbError err = {0};
    fuzz_status(slb_image_save_noting(path, image, &how, note, &err), SLB_OK, &err);
    return path;
}

static void write_and_read(const SlbImage *image, int format, bool named)
{
    char note[SLB_NOTE_BYTES];
    const char *path =
        named ? save_named(image, formats[format], note) : fuzz_save(image, formats[format], note);
    if (format <= PAM) check_stored(path, image, format, note);
    if (!named) return;
    unlink(path);
    fuzz_want(fuzz_left() == 0, "a file that was left over");
}

/* Derives the metadata of a picture that was turned and enlarged. */
static void derive(const SlbMeta *meta, int orientation, int scale, SlbMeta *out)
{
    const SlbMetaChange change = {orientation, scale, scale, WIDTH, HEIGHT};
    SlbError err = {0};
    int found = slb_exif_orientation(meta->exif.data, meta->exif.bytes);
    fuzz_want(found >= 1 && found <= 8, "an orientation that there is not");
    bool upright = orientation > 1 || found == 1;
    fuzz_status(slb_meta_derive(meta, &change, out, &err), SLB_OK, &err);
    found = slb_exif_orientation(out->exif.data, out->exif.bytes);
    fuzz_want(!upright || found == 1, "an orientation that was not reset");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    FuzzInput in = {data, bytes};
    uint16_t samples[SAMPLES] = {0x1234, 0xfedc, 7, 900, 65535, 0, 257, 0x8001};
    unsigned first = fuzz_byte(&in), scale = fuzz_byte(&in), how = fuzz_byte(&in),
             kind = fuzz_byte(&in);
    SlbMeta meta = {.density_unit = (SlbDensityUnit)(how / FORMATS % 3)};
    SlbImage image = {.info = {WIDTH, HEIGHT, (int)(kind % 4) + 1, kind & 4 ? 16 : 8},
                      .data = (unsigned char *)samples};
    image.stride_bytes = slb_row_bytes(&image.info);
    take_colours(&in, &meta);
    take_blocks(&in, &meta);
    derive(&meta, (int)(first % 8) + 1, (int)(scale % 4) + 1, &image.meta);
    write_and_read(&image, (int)(how % FORMATS), first >= 252);
    slb_meta_free(&image.meta);
    slb_meta_free(&meta);
    return 0;
}
