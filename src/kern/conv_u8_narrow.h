/* Packed 3x3 convolutions of codes of at most 7 bits with a third fewer products, exactly:
 * Winograd's F(2, 3) along the rows, in whole numbers. For two neighbouring outputs of one row of
 * taps g0, g1, g2 on the codes d0..d3:
 *
 *   m0 = (d0 - d2) g0                  y0 = m0 + (m1 + m2) / 2
 *   m1 = (d1 + d2) (g0 + g1 + g2)      y1 = (m1 - m2) / 2 - m3
 *   m2 = (d2 - d1) (g0 - g1 + g2)
 *   m3 = (d1 - d3) g2
 *
 * m1 + m2 = 2 (d1 g1 + d2 (g0 + g2)) and m1 - m2 = 2 (d1 (g0 + g2) + d2 g1) are even, also summed
 * over rows and channels, so the halves are whole; the results are those of kern/conv_u8.h to the
 * bit. Codes of 0..127 make d1 + d2 at most 254 and the differences, with 128 added, 1..255:
 * unsigned bytes again. Weights grow to 3 * 15 = 45. The sum of 128 times the weights is taken away
 * again by the start of the sums. */
#ifndef SLBSR_KERN_CONV_U8_NARROW_H
#define SLBSR_KERN_CONV_U8_NARROW_H

#include "kern/conv_u8.h"

enum {
    SLB_NARROW_PRODUCTS = 4,   /* m0..m3 */
    SLB_NARROW_ROWS = 3,       /* of taps */
    SLB_NARROW_ROOM = 3 << 13, /* bytes of operands at a time: they stay in the first-level cache */
};

/* Weights, for true numbers of channels: int8_t [4 products][3 rows][padded in / 4][padded out][4],
 * then int32_t [4][padded out]: 128 times the sum of the weights of m0, (nothing), m2 and m3; then
 * int32_t [4]: by product, how many groups of four add up in 16 bits (conv_u8_avx2.c). `kernel`
 * is 3.
 */
size_t slb_narrow_packed_bytes(int out_channels, int in_channels, int kernel);
void slb_narrow_pack(const int8_t *oihw, int out_channels, int in_channels, int kernel,
                     void *packed);

/* The part behind the weights. */
static inline const int32_t *slb_narrow_middle(const SlbConvU8 *a)
{
    size_t in = (size_t)slb_out_padded(a->in_channels), out = (size_t)a->out_channels;
    const int8_t *weight = a->weight;
    return (const int32_t *)(const void *)(weight +
                                           SLB_NARROW_PRODUCTS * SLB_NARROW_ROWS * in * out);
}

static inline int slb_narrow_fit(const SlbConvU8 *a, int product)
{
    return slb_narrow_middle(a)[SLB_NARROW_PRODUCTS * a->out_channels + product];
}

/* What the sums of outputs o..o + count - 1 begin with: product k to start + k * row. */
static inline void slb_narrow_start(const SlbConvU8 *a, int o, int count, int row, int32_t *start)
{
    const int32_t *middle = slb_narrow_middle(a) + o, *bias = a->bias + o;
    for (int c = 0; c < count; c++) {
        start[c] = bias[c] - middle[c];
        start[row + c] = 0;
        start[2 * row + c] = -middle[2 * a->out_channels + c];
        start[3 * row + c] = -bias[c] - middle[3 * a->out_channels + c];
    }
}

/* Pairs of outputs whose operands are made at a time: a multiple of 6 where there is room for it.
 */
static inline size_t slb_narrow_pairs(size_t padded_channels)
{
    size_t pairs = SLB_NARROW_ROOM / (SLB_NARROW_PRODUCTS * SLB_NARROW_ROWS * padded_channels);
    return pairs < 6 ? pairs : pairs / 6 * 6;
}

#endif
