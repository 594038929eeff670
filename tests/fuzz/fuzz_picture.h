/* For the targets of picture formats: reads a whole picture, as every command does. */
#ifndef SLBSR_TESTS_FUZZ_FUZZ_PICTURE_H
#define SLBSR_TESTS_FUZZ_FUZZ_PICTURE_H

#include "fuzz/fuzz.h"
#include "img/codec.h"

enum { FUZZ_PIXELS = 1 << 16 };

/* Adds up all samples, so that a memory checker sees those that were never written. */
static inline unsigned fuzz_sum(const SlbImage *image)
{
    unsigned sum = 0;
    for (size_t y = 0; y < image->info.height; y++)
        for (size_t i = 0; i < slb_row_bytes(&image->info); i++)
            sum += image->data[y * image->stride_bytes + i];
    return sum;
}

static inline void fuzz_picture(const uint8_t *data, size_t bytes)
{
    const SlbReadLimits limits = {.max_pixels = FUZZ_PIXELS};
    SlbImage image = {0};
    SlbError err = {0};
    SlbStatus status = slb_image_load(fuzz_file(data, bytes), &limits, &image, &err);
    fuzz_status(status, SLB_E_INPUT, &err);
    if (status != SLB_OK) {
        fuzz_want(!image.data && !image.meta.icc.data, "half a picture after a failure");
        return;
    }
    const SlbImageInfo *info = &image.info;
    fuzz_want(info->width && info->height && (uint64_t)info->width * info->height <= FUZZ_PIXELS,
              "a picture beyond the limit");
    fuzz_want(info->channels >= 1 && info->channels <= 4, "channels");
    fuzz_want(info->depth == 8 || info->depth == 16, "depth");
    fuzz_use(fuzz_sum(&image));
    slb_image_free(&image);
}

#endif
