/* What commands do with whole pictures besides loading and saving them. */
#ifndef SLBSR_CLI_PICTURE_H
#define SLBSR_CLI_PICTURE_H

#include <limits.h>
#include <string.h>

#include "img/image.h"

/* Row for the option table of a command that reads pictures and whose settings have an int
 * `max_pixels`, which goes into SlbReadLimits. */
/* clang-format off */
#define MAX_PIXELS_OPTION(Settings)                                                                \
    {0, "max-pixels", OPTION_INT, offsetof(Settings, max_pixels), "N", NULL, 1, INT_MAX,           \
     "1073741824", false, "refuse pictures of more pixels, before memory is taken for them"}
/* clang-format on */

/* Drops columns on the right and rows at the bottom, in place, until both sides are multiples of
 * `scale`. SLB_E_INPUT when a side is shorter than that; `name` is for the message. */
SLB_MUST_CHECK SlbStatus cli_crop_to_multiple(SlbImage *image, const char *name, int scale,
                                              SlbError *err);

/* Sample `channel` of pixel (x, y), 0..255 whatever the depth. */
static inline double cli_sample(const SlbImage *image, size_t x, size_t y, size_t channel)
{
    const unsigned char *row = image->data + y * image->stride_bytes;
    size_t i = x * (size_t)image->info.channels + channel;
    if (image->info.depth == 8) return row[i];
    uint16_t v;
    memcpy(&v, row + i * sizeof v, sizeof v);
    return v / 257.0;
}

/* Texts of notes on what `kept`, which is what a format can hold (slb_format_fits), lacks of
 * `asked`; "" where there is nothing to say. */
typedef struct Reduction {
    char alpha[64], depth[64];
} Reduction;
void cli_reduction(const SlbImageInfo *asked, const SlbImageInfo *kept, const uint8_t background[3],
                   Reduction *notes);

/* "slbsr: FILE: note: ..." on standard error; nothing when the note is empty. */
void cli_print_note(const char *path, const char *note);

/* What stands behind the last '/' of a path. */
const char *cli_base_name(const char *path);

#endif
