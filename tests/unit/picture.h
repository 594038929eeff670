/* What the tests of pictures share. */
#ifndef SLBSR_TESTS_UNIT_PICTURE_H
#define SLBSR_TESTS_UNIT_PICTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "img/image.h"

/* Fails the test with the message of the library. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        if ((call) != SLB_OK) fail_msg("%s", (err)->message);                                      \
    } while (0)

/* A small generator of fixed sequences (xorshift32): state in, next state out. */
static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static inline uint32_t sample_of(const SlbImage *image, uint32_t x, uint32_t y, int c)
{
    const unsigned char *row = image->data + y * image->stride_bytes;
    size_t i = (size_t)x * (size_t)image->info.channels + (size_t)c;
    if (image->info.depth == 8) return row[i];
    return ((const uint16_t *)(const void *)row)[i];
}

/* A picture of noise over the full range; the caller frees it. */
static inline SlbImage noise(uint32_t width, uint32_t height, int channels, int depth,
                             uint32_t seed)
{
    SlbImage image = {0};
    SlbError err = {0};
    SlbImageInfo info = {width, height, channels, depth};
    assert_ok(slb_image_alloc(&image, info, &err), &err);
    for (uint32_t y = 0; y < height; y++)
        for (size_t i = 0; i < slb_row_bytes(&info); i++)
            image.data[y * image.stride_bytes + i] = (unsigned char)(next_random(&seed) >> 11);
    return image;
}

static inline void assert_same_picture(const SlbImage *a, const SlbImage *b)
{
    assert_memory_equal(&a->info, &b->info, sizeof a->info);
    for (uint32_t y = 0; y < a->info.height; y++)
        assert_memory_equal(a->data + y * a->stride_bytes, b->data + y * b->stride_bytes,
                            slb_row_bytes(&a->info));
}

/* Skips the running test when the data sets beside the project are missing. */
static inline void need_shared_data(void)
{
    if (access(SLBSR_SHARED_DATA "/eval/Set5/HR", R_OK) == 0) return;
    print_message("skipped: no data sets in %s\n", SLBSR_SHARED_DATA);
    skip();
}

#endif
