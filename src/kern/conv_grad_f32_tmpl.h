/* The weight gradient for one vector width: see conv_f32_tmpl.h. The register tile is INPUTS input
 * channels by VECTORS vectors of output channels; it stays in registers for a chunk of pixels. */
#include "kern/conv_grad.h"
#include "kern/unroll.h"

typedef float Vec __attribute__((vector_size(LANES * 4), aligned(LANES * 4)));

enum { TILE_OUT = LANES * VECTORS };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE void tile(const SlbGradF32 *a, const float *in, const float *delta, float *grad,
                        size_t pixels, int inputs, int vectors)
{
    size_t row = (size_t)a->out_channels;
    Vec sum[INPUTS][VECTORS];
    SLB_UNROLL
    for (int i = 0; i < inputs; i++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = *(const Vec *)(grad + (size_t)i * row + v * LANES);
    }
    for (size_t p = 0; p < pixels; p++) {
        Vec d[VECTORS];
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) d[v] = *(const Vec *)(delta + v * LANES);
        SLB_UNROLL
        for (int i = 0; i < inputs; i++) {
            float x = in[i];
            SLB_UNROLL
            for (int v = 0; v < vectors; v++) sum[i][v] += x * d[v];
        }
        in += a->in_stride;
        delta += a->delta_stride;
    }
    SLB_UNROLL
    for (int i = 0; i < inputs; i++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) *(Vec *)(grad + (size_t)i * row + v * LANES) = sum[i][v];
    }
}

ALWAYS_INLINE void inputs_by(const SlbGradF32 *a, const float *in, const float *delta, float *grad,
                             size_t pixels, int vectors)
{
    size_t row = (size_t)a->out_channels;
    int i = 0;
    for (; i + INPUTS <= a->in_channels; i += INPUTS)
        tile(a, in + i, delta, grad + (size_t)i * row, pixels, INPUTS, vectors);
    for (; i < a->in_channels; i++)
        tile(a, in + i, delta, grad + (size_t)i * row, pixels, 1, vectors);
}

void NAME(const SlbGradF32 *a)
{
    size_t tap_size = (size_t)a->in_channels * (size_t)a->out_channels;
    for (size_t done = 0; done < a->pixels; done += SLB_GRAD_CHUNK) {
        size_t n = a->pixels - done < SLB_GRAD_CHUNK ? a->pixels - done : SLB_GRAD_CHUNK;
        const float *delta = a->delta + done * a->delta_stride;
        for (int t = 0; t < a->taps; t++) {
            const float *in = a->in[t] + done * a->in_stride;
            float *grad = a->grad + (size_t)t * tap_size;
            int o = 0;
            for (; o + TILE_OUT <= a->out_channels; o += TILE_OUT)
                inputs_by(a, in, delta + o, grad + o, n, VECTORS);
            for (; o < a->out_channels; o += LANES) inputs_by(a, in, delta + o, grad + o, n, 1);
        }
    }
}
