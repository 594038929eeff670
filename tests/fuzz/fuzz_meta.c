/* Metadata: EXIF and XMP are changed as for a picture that was turned and enlarged, and written,
 * the ICC profile too, into a PNG or JPEG file, which must be readable. Input: orientation, scale,
 * format, two lengths of 16 bits (little-endian), then EXIF, XMP and the profile. */
#include "fuzz/fuzz_picture.h"
#include "img/exif.h"

enum { HEAD = 7 };

static const char *folder(void)
{
    static char name[] = "/dev/shm/slbsr-fuzz-XXXXXX";
    static int made;
    if (!made) fuzz_want(mkdtemp(name) != NULL, "no folder in /dev/shm");
    made = 1;
    return name;
}

static SlbBlock block(const uint8_t **data, size_t *left, size_t bytes)
{
    SlbBlock b = {0};
    SlbError err;
    if (bytes > *left) bytes = *left;
    if (bytes) fuzz_want(slb_block_set(&b, *data, bytes, &err) == SLB_OK, "no memory");
    *data += bytes;
    *left -= bytes;
    return b;
}

static void write_and_read(SlbImage *image, const char *name)
{
    const SlbWriteOptions how = {.overwrite = true};
    char path[64];
    SlbImage again;
    SlbError err = {0};
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    fuzz_status(slb_image_save(path, image, &how, &err), SLB_OK, &err);
    fuzz_status(slb_image_load(path, NULL, &again, &err), SLB_OK, &err);
    unlink(path);
    rmdir(folder());
    fuzz_want(mkdir(folder(), 0700) == 0, "the folder was not empty");
    slb_image_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < HEAD) return 0;
    uint8_t sample[2] = {7, 9};
    int orientation = data[0] % 8 + 1, scale = data[1] % 4 + 1;
    const char *name = data[2] % 2 ? "a.jpg" : "a.png";
    size_t exif = data[3] | (size_t)data[4] << 8, xmp = data[5] | (size_t)data[6] << 8;
    SlbMeta meta = {.density_unit = (SlbDensityUnit)(data[2] / 2 % 3),
                    .density_x = data[3] * 100.0,
                    .density_y = data[5] * 100.0};
    SlbImage image = {.info = {2, 1, 1, 8}, .stride_bytes = 2, .data = sample};
    SlbMetaChange change = {orientation, scale, scale, 2, 1};
    SlbError err = {0};
    data += HEAD;
    bytes -= HEAD;
    meta.exif = block(&data, &bytes, exif);
    meta.xmp = block(&data, &bytes, xmp);
    meta.icc = block(&data, &bytes, bytes);
    int found = slb_exif_orientation(meta.exif.data, meta.exif.bytes);
    fuzz_want(found >= 1 && found <= 8, "an orientation that there is not");
    bool upright = orientation > 1 || found == 1;
    fuzz_status(slb_meta_derive(&meta, &change, &image.meta, &err), SLB_OK, &err);
    found = slb_exif_orientation(image.meta.exif.data, image.meta.exif.bytes);
    fuzz_want(!upright || found == 1, "an orientation that was not reset");
    write_and_read(&image, name);
    slb_meta_free(&image.meta);
    slb_meta_free(&meta);
    return 0;
}
