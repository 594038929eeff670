#include "img/exif.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static uint32_t get(const unsigned char *p, int bytes, bool little)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | p[little ? bytes - 1 - i : i];
    return value;
}

int slb_exif_orientation(const unsigned char *exif, size_t bytes)
{
    enum { HEADER = 8, ENTRY = 12, TAG = 0x0112, SHORT = 3 };
    if (bytes < HEADER || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M')) return 1;
    bool little = exif[0] == 'I';
    size_t at = get(exif + 4, 4, little); /* of the first directory */
    if (get(exif + 2, 2, little) != 42 || at > bytes - 2) return 1;
    uint32_t entries = get(exif + at, 2, little);
    for (at += 2; entries > 0 && at + ENTRY <= bytes; entries--, at += ENTRY) {
        const unsigned char *entry = exif + at;
        if (get(entry, 2, little) != TAG || get(entry + 2, 2, little) != SHORT) continue;
        uint32_t value = get(entry + 8, 2, little);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
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
