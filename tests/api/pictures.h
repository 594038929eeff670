/* What the tests of the C interface share. */
#ifndef SLBSR_TESTS_API_PICTURES_H
#define SLBSR_TESTS_API_PICTURES_H

#include <setjmp.h>
#include <slbsr.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_done(call, error)                                                                   \
    do {                                                                                           \
        if ((call) != SLBSR_OK) fail_msg("%s", (error)->text);                                     \
    } while (0)

static inline SlbsrOptions defaults(void)
{
    return (SlbsrOptions){.struct_bytes = sizeof(SlbsrOptions), .bits = 1, .threads = 2};
}

/* Smooth, so that results are not clipped; the caller frees its data with free(). */
static inline SlbsrImage picture(uint32_t width, uint32_t height, int channels, int depth,
                                 size_t gap)
{
    size_t stride = width * (size_t)(channels * depth / 8) + gap;
    SlbsrImage image = {malloc(stride * height), stride, width, height, channels, depth};
    assert_non_null(image.data);
    memset(image.data, 0xee, stride * height);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t i = 0; i < width * (uint32_t)channels; i++) {
            unsigned v = 40 + (i * 5 + y * 3 + i * y % 7) % 170;
            unsigned char *row = (unsigned char *)image.data + y * stride;
            if (depth == 8)
                row[i] = (unsigned char)v;
            else
                ((uint16_t *)(void *)row)[i] = (uint16_t)(v * 257);
        }
    return image;
}

static inline bool is_same(const SlbsrImage *a, const SlbsrImage *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    assert_int_equal(a->depth, b->depth);
    for (uint32_t y = 0; y < a->height; y++)
        if (memcmp((unsigned char *)a->data + y * a->stride_bytes,
                   (unsigned char *)b->data + y * b->stride_bytes,
                   a->width * (size_t)(a->channels * a->depth / 8)))
            return false;
    return true;
}

#endif
