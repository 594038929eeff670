#include "kern/conv_u8_narrow.h"

#include <stdlib.h>

enum { GROUP = 4 };

size_t slb_narrow_packed_bytes(int out_channels, int in_channels, int kernel)
{
    size_t in = (size_t)slb_out_padded(in_channels), out = (size_t)slb_out_padded(out_channels);
    (void)kernel;
    return SLB_NARROW_PRODUCTS * (SLB_NARROW_ROWS * in * out + (out + 1) * sizeof(int32_t));
}

/* The weight of product k of one row of taps. */
static int operand(const int8_t *g, int k)
{
    switch (k) {
    case 0: return g[0];
    case 1: return g[0] + g[1] + g[2];
    case 2: return g[0] - g[1] + g[2];
    default: return g[2];
    }
}

void slb_narrow_pack(const int8_t *oihw, int out_channels, int in_channels, int kernel,
                     void *packed)
{
    enum { TAPS = 9 };
    int in = slb_out_padded(in_channels), out = slb_out_padded(out_channels);
    int32_t largest[SLB_NARROW_PRODUCTS] = {1, 1, 1, 1};
    int8_t *w = packed;
    (void)kernel;
    for (int k = 0; k < SLB_NARROW_PRODUCTS; k++)
        for (int row = 0; row < SLB_NARROW_ROWS; row++)
            for (int i = 0; i < in; i += GROUP)
                for (int o = 0; o < out; o++)
                    for (int j = i; j < i + GROUP; j++) {
                        bool there = o < out_channels && j < in_channels;
                        int at = (o * in_channels + j) * TAPS + row * 3;
                        *w = (int8_t)(there ? operand(oihw + at, k) : 0);
                        if (abs(*w) > largest[k]) largest[k] = abs(*w);
                        w++;
                    }
    int32_t *behind = (int32_t *)(void *)w;
    for (int k = 0; k < SLB_NARROW_PRODUCTS; k++)
        for (int o = 0; o < out; o++) {
            int32_t sum = 0;
            for (int t = 0; o < out_channels && k != 1 && t < in_channels * 3; t++)
                sum += operand(oihw + o * in_channels * TAPS + t * 3, k);
            *behind++ = 128 * sum;
        }
    for (int k = 0; k < SLB_NARROW_PRODUCTS; k++)
        *behind++ = INT16_MAX / (2 * UINT8_MAX * largest[k]);
}
