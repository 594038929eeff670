/* Pictures in memory. */
#ifndef SLBSR_IMG_IMAGE_H
#define SLBSR_IMG_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "img/meta.h"

/* What a picture is, known from its header before any pixel is read. */
typedef struct SlbImageInfo {
    uint32_t width, height; /* pixels, at least 1 */
    int channels;           /* 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha (straight) */
    int depth;              /* bits of a sample: 8 (uint8_t) or 16 (native uint16_t) */
    /* Full scale is always 255 or 65535: PNG samples of 1, 2 and 4 bits and PNM's maxval are
     * widened. */
} SlbImageInfo;

/* Rows of interleaved samples (HWC). */
typedef struct SlbImage {
    SlbImageInfo info;
    size_t stride_bytes; /* from one row to the next */
    unsigned char *data; /* owned; slb_alloc */
    SlbMeta meta;        /* owned */
} SlbImage;

/* Allocates data for *image->info (meta stays as it is). SLB_E_MEMORY on failure, with nothing to
 * free. */
SLB_MUST_CHECK SlbStatus slb_image_alloc(SlbImage *image, SlbImageInfo info, SlbError *err);

/* Frees what *image owns and zeroes it. Safe on a zeroed image. */
void slb_image_free(SlbImage *image);

/* Bytes of one row without padding. */
static inline size_t slb_row_bytes(const SlbImageInfo *info)
{
    return (size_t)info->width * (size_t)info->channels * (size_t)(info->depth / 8);
}

#endif
