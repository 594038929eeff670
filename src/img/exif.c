#include "img/exif.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

/* A TIFF structure: directories of entries of 12 bytes, each {tag, type, count, value or offset}.
 */
typedef struct Tiff {
    unsigned char *data; /* written by slb_exif_change alone */
    size_t bytes;
    bool little;
} Tiff;

enum {
    HEADER = 8,
    ENTRY = 12,
    TYPE_SHORT = 3,
    TYPE_LONG = 4,
    TYPE_RATIONAL = 5,
    TAG_WIDTH = 0x0100,
    TAG_HEIGHT = 0x0101,
    TAG_ORIENTATION = 0x0112,
    TAG_X_RESOLUTION = 0x011a,
    TAG_Y_RESOLUTION = 0x011b,
    TAG_EXIF_DIRECTORY = 0x8769,
    TAG_PIXEL_WIDTH = 0xa002,
    TAG_PIXEL_HEIGHT = 0xa003,
    TAG_FOCAL_X_RESOLUTION = 0xa20e,
    TAG_FOCAL_Y_RESOLUTION = 0xa20f,
};

static uint32_t get(const Tiff *t, size_t at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | t->data[at + (size_t)(t->little ? bytes - 1 - i : i)];
    return value;
}

static void put(const Tiff *t, size_t at, int bytes, uint32_t value)
{
    for (int i = 0; i < bytes; i++)
        t->data[at + (size_t)(t->little ? i : bytes - 1 - i)] = (unsigned char)(value >> (8 * i));
}

static bool open_tiff(Tiff *t, const unsigned char *exif, size_t bytes)
{
    if (bytes < HEADER || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M')) return false;
    *t = (Tiff){(unsigned char *)(uintptr_t)exif, bytes, exif[0] == 'I'};
    return get(t, 2, 2) == 42;
}

/* Where the entry of `tag` stands in the directory at `at`; 0: nowhere. */
static size_t find(const Tiff *t, size_t at, uint32_t tag)
{
    if (at < HEADER || at > t->bytes - 2) return 0;
    uint32_t entries = get(t, at, 2);
    for (at += 2; entries > 0 && at + ENTRY <= t->bytes; entries--, at += ENTRY)
        if (get(t, at, 2) == tag) return at;
    return 0;
}

int slb_exif_told_orientation(const unsigned char *exif, size_t bytes)
{
    Tiff t;
    if (!open_tiff(&t, exif, bytes)) return 0;
    size_t at = find(&t, get(&t, 4, 4), TAG_ORIENTATION);
    if (!at || get(&t, at + 4, 4) != 1) return 0;
    uint32_t type = get(&t, at + 2, 2);
    if (type != TYPE_SHORT && type != TYPE_LONG) return 0;
    uint32_t value = get(&t, at + 8, type == TYPE_SHORT ? 2 : 4);
    return value >= 1 && value <= 8 ? (int)value : 0;
}

int slb_exif_orientation(const unsigned char *exif, size_t bytes)
{
    int told = slb_exif_told_orientation(exif, bytes);
    return told ? told : 1;
}

/* Sets a number that is there already; a short one becomes long where that is needed. */
static void set(const Tiff *t, size_t directory, uint32_t tag, uint32_t value)
{
    size_t at = find(t, directory, tag);
    if (!at || get(t, at + 4, 4) != 1) return;
    uint32_t type = get(t, at + 2, 2);
    if (type != TYPE_SHORT && type != TYPE_LONG) return;
    if (type == TYPE_SHORT && value > UINT16_MAX) put(t, at + 2, 2, type = TYPE_LONG);
    put(t, at + 8, type == TYPE_SHORT ? 2 : 4, value);
}

/* Where the two numbers of a rational stand; 0: nowhere. */
static size_t rational(const Tiff *t, size_t directory, uint32_t tag)
{
    size_t at = find(t, directory, tag);
    if (!at || get(t, at + 2, 2) != TYPE_RATIONAL || get(t, at + 4, 4) != 1) return 0;
    size_t value = get(t, at + 8, 4);
    return value >= HEADER && value <= t->bytes && t->bytes - value >= 8 ? value : 0;
}

static void multiply(const Tiff *t, size_t at, double factor)
{
    if (!at || !get(t, at + 4, 4)) return;
    double n = get(t, at, 4) * factor, d = get(t, at + 4, 4);
    if (n != floor(n)) { /* no whole multiple: to a millionth of its value */
        n = round(n / d * 1e4);
        d = 1e4;
    }
    if (n > UINT32_MAX) {
        n = round(n / d);
        d = 1;
    }
    if (!(n <= UINT32_MAX)) return;
    put(t, at, 4, (uint32_t)n);
    put(t, at + 4, 4, (uint32_t)d);
}

/* A pair of densities: exchanged if the axes were, then multiplied. Both may stand in one place. */
static void scale_densities(const Tiff *t, size_t directory, uint32_t x_tag, uint32_t y_tag,
                            const SlbMetaChange *change)
{
    size_t x = rational(t, directory, x_tag), y = rational(t, directory, y_tag);
    if (x && y && x != y && change->orientation >= 5) {
        unsigned char kept[8];
        memcpy(kept, t->data + x, 8);
        memmove(t->data + x, t->data + y, 8);
        memcpy(t->data + y, kept, 8);
    }
    multiply(t, x, change->scale_x);
    if (y != x) multiply(t, y, change->scale_y);
}

/* Without its link the second directory, which is that of the thumbnail, is not found any more. */
static void drop_thumbnail(const Tiff *t, size_t directory)
{
    if (directory < HEADER || directory > t->bytes - 2) return;
    size_t link = directory + 2 + (size_t)get(t, directory, 2) * ENTRY;
    if (link <= t->bytes && t->bytes - link >= 4) put(t, link, 4, 0);
}

void slb_exif_change(unsigned char *exif, size_t bytes, const SlbMetaChange *change)
{
    Tiff t;
    if (!exif || !open_tiff(&t, exif, bytes)) return;
    size_t first = get(&t, 4, 4), at = find(&t, first, TAG_EXIF_DIRECTORY);
    size_t inner = at ? get(&t, at + 8, 4) : 0;
    bool upright = change->orientation > 1 || slb_exif_orientation(exif, bytes) == 1;
    set(&t, first, TAG_WIDTH, change->width);
    set(&t, first, TAG_HEIGHT, change->height);
    scale_densities(&t, first, TAG_X_RESOLUTION, TAG_Y_RESOLUTION, change);
    if (change->orientation > 1) drop_thumbnail(&t, first);
    if (inner && inner != first) {
        set(&t, inner, TAG_PIXEL_WIDTH, change->width);
        set(&t, inner, TAG_PIXEL_HEIGHT, change->height);
        scale_densities(&t, inner, TAG_FOCAL_X_RESOLUTION, TAG_FOCAL_Y_RESOLUTION, change);
    }
    /* Last: in a faulty block, what was changed above may lie within this directory. */
    if (upright && slb_exif_orientation(exif, bytes) != 1) set(&t, first, TAG_ORIENTATION, 1);
}

/* Where a pixel of the upright picture comes from: swap x and y first, then count from the right
 * (flip_x) or from below (flip_y) of the stored picture. */
typedef struct Turn {
    bool swap, flip_x, flip_y;
} Turn;

static void fill_row(const SlbImage *in, Turn turn, uint32_t y, unsigned char *out)
{
    size_t pixel = (size_t)in->info.channels * (size_t)(in->info.depth / 8);
    uint32_t width = turn.swap ? in->info.height : in->info.width;
    for (uint32_t x = 0; x < width; x++, out += pixel) {
        size_t from_x = turn.swap ? y : x, from_y = turn.swap ? x : y;
        if (turn.flip_x) from_x = in->info.width - 1 - from_x;
        if (turn.flip_y) from_y = in->info.height - 1 - from_y;
        memcpy(out, in->data + from_y * in->stride_bytes + from_x * pixel, pixel);
    }
}

SlbStatus slb_image_orient(SlbImage *image, int orientation, SlbError *err)
{
    static const Turn turns[9] = {
        [2] = {.flip_x = true},
        [3] = {.flip_x = true, .flip_y = true},
        [4] = {.flip_y = true},
        [5] = {.swap = true},
        [6] = {.swap = true, .flip_y = true},
        [7] = {.swap = true, .flip_x = true, .flip_y = true},
        [8] = {.swap = true, .flip_x = true},
    };
    if (orientation < 2 || orientation > 8) return SLB_OK;
    Turn turn = turns[orientation];
    SlbImage upright = {0};
    SlbImageInfo info = image->info;
    if (turn.swap) {
        info.width = image->info.height;
        info.height = image->info.width;
    }
    SlbStatus status = slb_image_alloc(&upright, info, err);
    if (status != SLB_OK) return status;
    for (uint32_t y = 0; y < info.height; y++)
        fill_row(image, turn, y, upright.data + y * upright.stride_bytes);
    slb_free(image->data);
    image->data = upright.data;
    image->info = upright.info;
    image->stride_bytes = upright.stride_bytes;
    return SLB_OK;
}
