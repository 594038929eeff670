/* Numbers of the pack format (pack.h), for pack.c and pack_write.c. */
#ifndef SLBSR_TRAIN_PACK_FORMAT_H
#define SLBSR_TRAIN_PACK_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#define SLB_PACK_MAGIC "SLBPACK2"
#define SLB_PACK_FAMILY 7 /* bytes of the magic that all versions have */
enum { SLB_PACK_HEADER = 24, SLB_PACK_ENTRY = 24, SLB_PACK_CRC = 4, SLB_PACK_TILE = 64 };

/* Tiles in a row (or column) of so many pixels. */
static inline uint64_t slb_pack_across(uint32_t pixels)
{
    return ((uint64_t)pixels + SLB_PACK_TILE - 1) / SLB_PACK_TILE;
}

static inline uint64_t slb_pack_tiles(uint32_t width, uint32_t height)
{
    return slb_pack_across(width) * slb_pack_across(height);
}

/* CRC-32 of the samples of tile `tile` of a picture. */
static inline uint32_t slb_pack_crc(const uint8_t *samples, uint32_t width, uint32_t height,
                                    uint32_t channels, uint64_t tile)
{
    uint64_t across = slb_pack_across(width);
    uint64_t x = tile % across * SLB_PACK_TILE, y = tile / across * SLB_PACK_TILE;
    uint64_t columns = width - x < SLB_PACK_TILE ? width - x : SLB_PACK_TILE;
    uint64_t end = height - y < SLB_PACK_TILE ? height : y + SLB_PACK_TILE;
    unsigned long crc = crc32_z(0, NULL, 0);
    for (; y < end; y++)
        crc = crc32_z(crc, samples + (y * width + x) * channels, columns * channels);
    return (uint32_t)crc;
}

#endif
