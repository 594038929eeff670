#include "quant/levels.h"

#include <string.h>

/* The bit-widths that weights may have. To add one of at most 4 bits: a row here, and the number in
 * net/model.c (meta_bits). More than 4 do not fit: kernels count on integers of -15..15
 * (kern/conv_u8.h), the search on 16 levels (MAX_LEVELS there). */
static const SlbLevels table[] = {
    {1, 2},
    {2, 4},
    {4, 16},
};

const SlbLevels *slb_levels(int bits)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].bits == bits) return &table[i];
    return NULL;
}

double slb_level_value(const SlbLevels *levels, int index)
{
    return (double)slb_level_integer(levels, index) / (levels->count - 1);
}

size_t slb_packed_bytes(const SlbLevels *levels, size_t count)
{
    size_t bits = (size_t)levels->bits;
    return count / 8 * bits + (count % 8 * bits + 7) / 8; /* never overflows, unlike count * bits */
}

void slb_pack(const SlbLevels *levels, const uint8_t *index, size_t count, uint8_t *packed)
{
    memset(packed, 0, slb_packed_bytes(levels, count));
    unsigned held = 0, bits = 0; /* bits not yet written, and their number */
    for (size_t i = 0; i < count; i++) {
        held |= (unsigned)index[i] << bits;
        bits += (unsigned)levels->bits;
        for (; bits >= 8; bits -= 8, held >>= 8) *packed++ = (uint8_t)held;
    }
    if (bits) *packed = (uint8_t)held;
}

bool slb_unpack(const SlbLevels *levels, const uint8_t *packed, size_t count, uint8_t *index)
{
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < count; i++) {
        if (bits < (unsigned)levels->bits) {
            held |= (unsigned)*packed++ << bits;
            bits += 8;
        }
        index[i] = (uint8_t)(held & (unsigned)(levels->count - 1));
        held >>= levels->bits;
        bits -= (unsigned)levels->bits;
    }
    return held == 0;
}
