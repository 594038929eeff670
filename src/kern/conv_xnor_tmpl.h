/* The counting convolution for one vector width: included by conv_xnor.c and conv_xnor_ISA.c, which
 * define LANES (of 32 bits), PIXELS (worked on together), NAME, the vector `Bits` and its
 *
 *   static inline Bits count(Bits x);
 *
 * the number of ones of every lane (then WHOLE_LANES is 1) or of every byte (then it is 0). */
#include <string.h>

#include "kern/conv_xnor.h"
#include "kern/unroll.h"
#include "quant/requant.h"

typedef int32_t Ints __attribute__((vector_size(LANES * 4)));
typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef float LooseFloats __attribute__((vector_size(LANES * 4), aligned(4)));

enum {
    BLOCK = SLB_OUT_BLOCK,
    VECTORS = BLOCK / LANES,
    CHUNK = 16,       /* words of 4 bytes, at most, between two looks at how full bytes are */
    MOST_COUNTS = 31, /* of 8 that fit a byte */
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE uint32_t word(const uint8_t *four)
{
    uint32_t bits;
    memcpy(&bits, four, sizeof bits);
    return bits;
}

/* Counts in bytes to those of lanes. */
ALWAYS_INLINE Bits fold(Bits x)
{
    x = (x & 0x00ff00ffu) + ((x >> 8) & 0x00ff00ffu);
    return (x & 0xffffu) + (x >> 16);
}

/* 16 finished sums of a pixel to codes or floats, as quant/requant.h has it. */
ALWAYS_INLINE void store(const SlbConvXnor *a, size_t pixel, int o, const Ints sum[VECTORS])
{
    size_t at = pixel * a->out_stride + (size_t)o;
    for (int k = 0; k < VECTORS; k++, at += LANES, o += LANES) {
        Floats v = __builtin_convertvector(sum[k], Floats) * *(const Floats *)(a->multiplier + o);
        Floats positive = (Floats)((Ints)v & (v > 0.0f));
        if (a->out_f32) {
            *(LooseFloats *)(a->out_f32 + at) = a->relu ? positive : v;
            continue;
        }
        Floats most = (Floats){0} + a->code_max;
        Ints low = positive < most;
        v = (Floats)(((Ints)positive & low) | ((Ints)most & ~low));
        Ints code = __builtin_convertvector((v + 8388608.0f) - 8388608.0f, Ints);
        for (int j = 0; j < LANES; j++) a->out_u8[at + (size_t)j] = (uint8_t)code[j];
    }
}

/* Of n products `differ` ones have different signs. The correction for the border is that of
 * conv_xnor.h. */
ALWAYS_INLINE void finish(const SlbConvXnor *a, size_t pixel, int o, const Bits differ[VECTORS])
{
    const int32_t *tap_sum = (const int32_t *)a->weight + o;
    unsigned outside = a->outside | (pixel == 0 ? a->first_outside : 0) |
                       (pixel + 1 == a->pixels ? a->last_outside : 0);
    Ints sum[VECTORS];
    int32_t products = a->taps * a->in_channels;
    for (int k = 0; k < VECTORS; k++)
        sum[k] = *(const Ints *)(a->bias + o + k * LANES) + products - 2 * (Ints)differ[k];
    for (int t = 0; outside; t++, outside >>= 1, tap_sum += a->out_channels)
        for (int k = 0; (outside & 1) && k < VECTORS; k++)
            sum[k] += *(const Ints *)(tap_sum + k * LANES);
    store(a, pixel, o, sum);
}

/* Outputs o..o + 15 of `pixels` pixels; `pixels` and, where it matters, `words` are constants. */
ALWAYS_INLINE void tile(const SlbConvXnor *a, size_t pixel, int o, int pixels, int words)
{
    size_t sums = (size_t)a->taps * (size_t)a->out_channels;
    const uint32_t *weight =
        (const uint32_t *)a->weight + sums + (size_t)o * (size_t)a->taps * (size_t)words;
    Bits part[PIXELS][VECTORS] = {{{0}}}, whole[PIXELS][VECTORS] = {{{0}}};
    int counts = 0;
    for (int t = 0; t < a->taps; t++)
        for (int first = 0; first < words; first += CHUNK) {
            const uint8_t *in = a->in[t] + pixel * a->in_stride + (size_t)first * 4;
            int n = words - first < CHUNK ? words - first : CHUNK;
            if (!WHOLE_LANES && counts + n > MOST_COUNTS) {
                for (int p = 0; p < pixels; p++)
                    for (int k = 0; k < VECTORS; k++) {
                        whole[p][k] += fold(part[p][k]);
                        part[p][k] = (Bits){0};
                    }
                counts = 0;
            }
            counts += n;
            for (int i = 0; i < n; i++, in += 4, weight += BLOCK) {
                SLB_UNROLL
                for (int p = 0; p < pixels; p++) {
                    SLB_UNROLL
                    for (int k = 0; k < VECTORS; k++)
                        part[p][k] += count(*(const Bits *)(weight + k * LANES) ^
                                            word(in + (size_t)p * a->in_stride));
                }
            }
        }
    SLB_UNROLL
    for (int p = 0; p < pixels; p++) {
        for (int k = 0; k < VECTORS; k++)
            whole[p][k] += WHOLE_LANES ? part[p][k] : fold(part[p][k]);
        finish(a, pixel + (size_t)p, o, whole[p]);
    }
}

ALWAYS_INLINE void all(const SlbConvXnor *a, int words)
{
    size_t p = 0;
    for (; p + PIXELS <= a->pixels; p += PIXELS)
        for (int o = 0; o < a->out_channels; o += BLOCK) tile(a, p, o, PIXELS, words);
    for (; p < a->pixels; p++)
        for (int o = 0; o < a->out_channels; o += BLOCK) tile(a, p, o, 1, words);
}

void NAME(const SlbConvXnor *a)
{
    if (a->in_channels > 32 && a->in_channels <= 64)
        all(a, 2); /* the usual case, its loops unrolled */
    else
        all(a, (a->in_channels + 31) / 32);
}
