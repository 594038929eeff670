/* The packed convolution with AMX: TDPBUSD, unsigned codes times signed weights, summed in int32
 * without saturation, so exact in any order. How it is blocked: conv_amx_tmpl.h. */
#include <immintrin.h>

#include "kern/conv_u8.h"

#define ARGS SlbConvU8
#define ELEMENT int8_t
#define SUM int32_t
#define WEIGHT int8_t
#define DOT TILE_DPBUSD

#include "kern/conv_amx_tmpl.h"

/* 16 sums of one pixel to codes or floats, as conv_u8_avx512.c does it. */
ALWAYS_INLINE void finish(const SlbConvU8 *a, size_t pixel, int o, const int32_t *sums)
{
    size_t at = pixel * a->out_stride + (size_t)o;
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums)),
                             _mm512_load_ps(a->multiplier + o));
    const __m512 zero = _mm512_setzero_ps();
    if (a->out_u8) {
        v = _mm512_min_ps(_mm512_max_ps(v, zero), _mm512_set1_ps(a->code_max));
        _mm_store_si128((__m128i *)(a->out_u8 + at), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
    } else {
        _mm512_store_ps(a->out_f32 + at, a->relu ? _mm512_max_ps(v, zero) : v);
    }
}

/* From OIHW. */
static void pack_tile(const Unpacked *from, int tap, int o, Channels c, int8_t *to)
{
    for (int g = 0; g < c.count; g += GROUP)
        for (int lane = o; lane < o + LANES; lane++)
            for (int i = c.first + g; i < c.first + g + GROUP; i++) {
                bool there = lane < from->out_channels && i < from->in_channels && i >= c.fresh;
                *to++ = there ? from->weight[(lane * from->in_channels + i) * from->taps + tap] : 0;
            }
}

static size_t packed_bytes(int out_channels, int in_channels, int kernel)
{
    return packed_elements(blocks_of(slb_out_padded(in_channels)), kernel * kernel, out_channels);
}

static void pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed)
{
    Unpacked from = {.weight = oihw,
                     .taps = kernel * kernel,
                     .in_channels = in_channels,
                     .out_channels = out_channels};
    pack_all(&from, blocks_of(slb_out_padded(in_channels)), packed);
}

static void run(const SlbConvU8 *a)
{
    convolve(a, slb_out_padded(a->in_channels));
}

const SlbConvU8Kernel slb_conv_u8_amx = {.level = SLB_CPU_AMX,
                                         .name = "packed amx",
                                         .packed_bytes = packed_bytes,
                                         .pack = pack,
                                         .run = run};
