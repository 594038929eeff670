/* What the tests of metadata share. */
#ifndef SLBSR_TESTS_UNIT_META_H
#define SLBSR_TESTS_UNIT_META_H

#include <zlib.h>

#include "unit/folder.h"

enum { EXIF = 170 };

static inline void put(unsigned char *p, int bytes, int big, unsigned value)
{
    for (int i = 0; i < bytes; i++) p[big ? bytes - 1 - i : i] = (unsigned char)(value >> (8 * i));
}

static inline void entry(unsigned char *p, int big, unsigned tag, unsigned type, unsigned value)
{
    put(p, 2, big, tag);
    put(p + 2, 2, big, type);
    put(p + 4, 4, big, 1);
    put(p + 8, type == 3 ? 2 : 4, big, value);
}

/* Two directories, their densities, and a thumbnail's directory at 150. */
static inline void make_exif(unsigned char exif[EXIF], int big, unsigned orientation)
{
    memset(exif, 0, EXIF);
    memcpy(exif, big ? "MM" : "II", 2);
    put(exif + 2, 2, big, 42);
    put(exif + 4, 4, big, 8);
    put(exif + 8, 2, big, 5);
    entry(exif + 10, big, 0x0100, 3, 40);
    entry(exif + 22, big, 0x0112, 3, orientation);
    entry(exif + 34, big, 0x011a, 5, 120);
    entry(exif + 46, big, 0x011b, 5, 128);
    entry(exif + 58, big, 0x8769, 4, 76);
    put(exif + 70, 4, big, 150);
    put(exif + 76, 2, big, 2);
    entry(exif + 78, big, 0xa002, 3, 40000);
    entry(exif + 90, big, 0xa003, 4, 20);
    put(exif + 120, 4, big, 72);
    put(exif + 124, 4, big, 1);
    put(exif + 128, 4, big, 1201);
    put(exif + 132, 4, big, 10);
    put(exif + 150, 2, big, 1);
    entry(exif + 152, big, 0x0112, 3, orientation);
}

static inline unsigned get(const unsigned char *p, int bytes, int big)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | p[big ? i : bytes - 1 - i];
    return v;
}

static inline void set_block(SlbBlock *block, const void *data, size_t bytes)
{
    SlbError err;
    assert_ok(slb_block_set(block, data, bytes, &err), &err);
}

static inline void same_block(const SlbBlock *a, const SlbBlock *b)
{
    assert_int_equal(a->bytes, b->bytes);
    assert_memory_equal(a->data, b->data, a->bytes);
}

static inline void write_chunk(FILE *file, const char *type, const void *data, size_t bytes)
{
    unsigned char head[8], tail[4];
    put(head, 4, 1, (unsigned)bytes);
    memcpy(head + 4, type, 4);
    uLong crc = crc32(crc32(0, head + 4, 4), data, (uInt)bytes);
    put(tail, 4, 1, (unsigned)crc);
    assert_int_equal(fwrite(head, 1, 8, file), 8);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fwrite(tail, 1, 4, file), 4);
}

#endif
