/* Forward and backward-data convolutions in bf16 with AMX: TDPBF16PS. How they are blocked:
 * conv_amx_tmpl.h. Sums begin with the bias and go over taps, then blocks of channels; in a block
 * those of even and of odd channels are summed apart. */
#include "kern/bf16_pairs.h"
#include "kern/conv_bf16.h"
#include "kern/conv_grad_amx.h"

#define ARGS SlbConvBf16
#define ELEMENT SlbBf16
#define SUM float
#define WEIGHT float
#define DOT TILE_DPBF16

#include "kern/conv_amx_tmpl.h"

/* Bias is in the sums already: ReLU, gate, rounding of 16 outputs of one pixel. */
ALWAYS_INLINE void finish(const SlbConvBf16 *a, size_t pixel, int o, const float *sums)
{
    __m512 v = _mm512_load_ps(sums);
    size_t at = pixel * a->out_stride + (size_t)o;
    if (a->relu) v = _mm512_max_ps(_mm512_setzero_ps(), v); /* in this order NaN stays NaN */
    if (a->gate) {
        const SlbBf16 *gate = a->gate + pixel * a->gate_stride + o;
        __m256i bits = _mm256_loadu_si256((const __m256i *)gate);
        v = _mm512_maskz_mov_ps(_mm256_cmpgt_epi16_mask(bits, _mm256_setzero_si256()), v);
    }
    if (a->out_float)
        _mm512_store_ps((float *)a->out + at, v);
    else
        _mm256_store_si256((__m256i *)((SlbBf16 *)a->out + at), (__m256i)_mm512_cvtneps_pbh(v));
}

/* From [taps][in][out]. All is even: a pair of channels is wholly fresh or not. */
static void pack_tile(const Unpacked *from, int tap, int o, Channels c, SlbBf16 *to)
{
    size_t row = (size_t)from->out_channels;
    for (int i = c.first; i < c.first + c.count; i += GROUP, to += LANES * GROUP) {
        const float *weight =
            from->weight + ((size_t)tap * (size_t)from->in_channels + (size_t)i) * row + o;
        bool one = i >= c.fresh && i < from->in_channels;
        bool two = i >= c.fresh && i + 1 < from->in_channels;
        _mm512_store_si512(to, slb_pair_floats(one ? weight : NULL, two ? weight + row : NULL));
    }
}

static Blocks blocks_of_pairs(int in_channels)
{
    return blocks_of(in_channels + (in_channels & 1));
}

static size_t packed(int taps, int in_channels, int out_channels)
{
    return packed_elements(blocks_of_pairs(in_channels), taps, out_channels);
}

static void pack(const float *weight, int taps, int in_channels, int out_channels, SlbBf16 *packed)
{
    Unpacked from = {
        .weight = weight, .taps = taps, .in_channels = in_channels, .out_channels = out_channels};
    pack_all(&from, blocks_of_pairs(in_channels), packed);
}

static void conv(const SlbConvBf16 *a)
{
    convolve(a, a->in_channels);
}

const SlbBf16Kernels slb_bf16_amx = {
    "amx", packed, pack, conv, slb_grad_amx_scratch, slb_grad_amx,
};
