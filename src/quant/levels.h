/* The weight levels V of SLB (paper.md section 1): n = 2^bits values, evenly spaced on [-1, 1], no
 * zero; and how their indices are packed in files. */
#ifndef SLBSR_QUANT_LEVELS_H
#define SLBSR_QUANT_LEVELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row a bit-width that weights may have; see levels.c. */
typedef struct SlbLevels {
    int bits;
    int count; /* n = 2^bits */
} SlbLevels;

/* NULL when there is no such bit-width (1, 2 and 4 there are). */
const SlbLevels *slb_levels(int bits);

/* v_index = (2 * index - (n - 1)) / (n - 1), index in 0..n-1. */
double slb_level_value(const SlbLevels *levels, int index);

/* The same times n - 1: the odd integer the kernels multiply with; fits an int8_t for up to 7 bits.
 */
static inline int slb_level_integer(const SlbLevels *levels, int index)
{
    return 2 * index - (levels->count - 1);
}

/* Bytes of `count` packed indices. */
size_t slb_packed_bytes(const SlbLevels *levels, size_t count);

/* Indices (one a byte) to packed form and back: `bits` bits an index, in order, least significant
 * bits first; unused bits of the last byte are zero (unpack gives false when they are not). */
void slb_pack(const SlbLevels *levels, const uint8_t *index, size_t count, uint8_t *packed);
bool slb_unpack(const SlbLevels *levels, const uint8_t *packed, size_t count, uint8_t *index);

#endif
