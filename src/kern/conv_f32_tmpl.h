/* The float convolution for one vector width: included by conv_f32.c and conv_f32_ISA.c,
 * which define LANES (floats in a vector), PIXELS and VECTORS (the register
 * tile: PIXELS * VECTORS accumulators) and NAME. Written with the compiler's vector extensions, so
 * that one text serves every instruction set. */
#include <string.h>

#include "kern/conv_f32.h"
#include "kern/unroll.h"

typedef float Vec __attribute__((vector_size(LANES * 4), aligned(LANES * 4)));

/* Output channels that one register tile covers. */
enum { TILE_OUT = LANES * VECTORS };

/* Pixels whose accumulators stay in the first-level cache while the taps go by. */
enum { CHUNK_PIXELS = 96 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Adds one tap to a tile of `pixels` x `vectors` (constants at every call). */
ALWAYS_INLINE void tile(const float *in, size_t in_stride, const float *weight,
                        size_t weight_stride, int in_channels, float *out, size_t out_stride,
                        int pixels, int vectors)
{
    Vec sum[PIXELS][VECTORS];
    SLB_UNROLL
    for (int p = 0; p < pixels; p++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++)
            sum[p][v] = *(const Vec *)(out + (size_t)p * out_stride + v * LANES);
    }
    for (int i = 0; i < in_channels; i++) {
        Vec w[VECTORS];
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) w[v] = *(const Vec *)(weight + v * LANES);
        weight += weight_stride;
        SLB_UNROLL
        for (int p = 0; p < pixels; p++) {
            float x = in[(size_t)p * in_stride + (size_t)i];
            SLB_UNROLL
            for (int v = 0; v < vectors; v++) sum[p][v] += x * w[v];
        }
    }
    SLB_UNROLL
    for (int p = 0; p < pixels; p++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++)
            *(Vec *)(out + (size_t)p * out_stride + v * LANES) = sum[p][v];
    }
}

ALWAYS_INLINE void columns(const SlbConvF32 *a, const float *in, const float *weight, float *out,
                           size_t pixels, int vectors)
{
    size_t p = 0;
    for (; p + PIXELS <= pixels; p += PIXELS)
        tile(in + p * a->in_stride, a->in_stride, weight, (size_t)a->out_channels, a->in_channels,
             out + p * a->out_stride, a->out_stride, PIXELS, vectors);
    for (; p < pixels; p++)
        tile(in + p * a->in_stride, a->in_stride, weight, (size_t)a->out_channels, a->in_channels,
             out + p * a->out_stride, a->out_stride, 1, vectors);
}

static void start(const SlbConvF32 *a, float *out, size_t pixels)
{
    for (size_t p = 0; p < pixels; p++) {
        if (a->bias)
            memcpy(out + p * a->out_stride, a->bias, (size_t)a->out_channels * sizeof *out);
        else
            memset(out + p * a->out_stride, 0, (size_t)a->out_channels * sizeof *out);
    }
}

static void rectify(const SlbConvF32 *a, float *out, size_t pixels)
{
    for (size_t p = 0; p < pixels; p++) {
        float *o = out + p * a->out_stride;
        for (int c = 0; c < a->out_channels; c++)
            o[c] = o[c] < 0.0f ? 0.0f : o[c]; /* NaN stays NaN */
    }
}

void NAME(const SlbConvF32 *a)
{
    size_t tap_size = (size_t)a->in_channels * (size_t)a->out_channels;
    for (size_t done = 0; done < a->pixels; done += CHUNK_PIXELS) {
        size_t n = a->pixels - done < CHUNK_PIXELS ? a->pixels - done : CHUNK_PIXELS;
        float *out = a->out + done * a->out_stride;
        start(a, out, n);
        for (int t = 0; t < a->taps; t++) {
            const float *in = a->in[t] + done * a->in_stride;
            const float *weight = a->weight + (size_t)t * tap_size;
            int o = 0;
            for (; o + TILE_OUT <= a->out_channels; o += TILE_OUT)
                columns(a, in, weight + o, out + o, n, VECTORS);
            for (; o < a->out_channels; o += LANES) columns(a, in, weight + o, out + o, n, 1);
        }
        if (a->relu) rectify(a, out, n);
    }
}
