/* The float kernel of fixed order for one instruction set: included by edge.c, edge_avx2.c and
 * edge_avx512.c, which define NAME. The text is the same for all, and the order of its sums does
 * not depend on how many of them a register holds; the flags only make the vectors wider. */
#include <string.h>

#include "kern/edge.h"
#include "quant/requant.h"

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum {
    PARTS = SLB_OUT_BLOCK,      /* partial sums of an output; also outputs worked on together */
    VECTORS = PARTS / LANES,    /* that hold them */
    PIXELS = 4,                 /* worked on together */
    MOST_SPREAD = SLB_EDGE_FEW, /* input channels */
};

typedef float Vector __attribute__((vector_size(LANES * 4)));
typedef float Loose __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t Mask __attribute__((vector_size(LANES * 4)));

static inline Vector load(const float *from)
{
    return *(const Loose *)from;
}

/* 16 finished sums of one pixel, to floats or codes: quant/requant.h's slb_quantize_u8, on vectors.
 */
static inline void store(const SlbConvEdge *a, size_t pixel, int o, const Vector sum[VECTORS])
{
    size_t at = pixel * a->out_stride + (size_t)o;
    for (int k = 0; k < VECTORS; k++, at += LANES) {
        Vector v = sum[k] + load(a->bias + o + k * LANES);
        if (a->relu) v = (Vector)((Mask)v & (v > 0.0f));
        if (a->out_f32) {
            *(Loose *)(a->out_f32 + at) = v;
            continue;
        }
        Vector most = (Vector){0} + a->code_max;
        v *= a->inverse_step;
        v = (Vector)((Mask)v & (v > 0.0f));
        Mask low = v < most;
        v = (Vector)(((Mask)v & low) | ((Mask)most & ~low));
        v = (v + 8388608.0f) - 8388608.0f;
        int32_t code[LANES];
        Mask whole = __builtin_convertvector(v, Mask);
        memcpy(code, &whole, sizeof code);
        for (int j = 0; j < LANES; j++) a->out_u8[at + (size_t)j] = (uint8_t)code[j];
    }
}

/* Few input channels (a constant): 16 outputs from o on together, a sum for every channel, which
 * are the only partial sums that are not 0. */
static inline __attribute__((always_inline)) void spread(const SlbConvEdge *a, size_t pixel, int o,
                                                         int channels)
{
    size_t outputs = (size_t)slb_out_padded(a->out_channels);
    const float *w = a->weight + o;
    Vector sum[MOST_SPREAD][VECTORS] = {{{0}}};
    for (int t = 0; t < a->taps; t++) {
        const float *x = a->in[t] + pixel * a->in_stride;
        for (int i = 0; i < channels; i++, w += outputs)
            for (int k = 0; k < VECTORS; k++) sum[i][k] += x[i] * load(w + k * LANES);
    }
    for (int k = 0; k < VECTORS; k++) {
        if (channels > 2) sum[0][k] += sum[2][k]; /* the fourth, and those behind it, are 0 */
        if (channels > 1) sum[0][k] += sum[1][k] + 0.0f;
    }
    store(a, pixel, o, sum[0]);
}

/* Partial sums in halves: 0 + 8, 1 + 9, ...; 0 + 4, ... */
static inline float add_parts(const Vector sum[VECTORS])
{
    float part[PARTS];
    memcpy(part, sum, sizeof part);
    for (int half = PARTS / 2; half; half /= 2)
        for (int j = 0; j < half; j++) part[j] += part[j + half];
    return part[0];
}

/* Many input channels: output o of PIXELS pixels, or of `count` (a constant). */
static inline __attribute__((always_inline)) void gather(const SlbConvEdge *a, size_t pixel, int o,
                                                         int count, float *out)
{
    size_t padded = (size_t)slb_out_padded(a->in_channels);
    const float *w = a->weight + (size_t)o * (size_t)a->taps * padded;
    Vector sum[PIXELS][VECTORS] = {{{0}}};
    for (int t = 0; t < a->taps; t++) {
        const float *x = a->in[t] + pixel * a->in_stride;
        for (size_t i = 0; i < padded; i += PARTS, w += PARTS)
            for (int k = 0; k < VECTORS; k++) {
                Vector weight = load(w + k * LANES);
                for (int p = 0; p < count; p++)
                    sum[p][k] += load(x + (size_t)p * a->in_stride + i + k * LANES) * weight;
            }
    }
    for (int p = 0; p < count; p++) out[p * PARTS] = add_parts(sum[p]);
}

/* `count` (a constant) pixels, all outputs. */
static inline __attribute__((always_inline)) void gather_all(const SlbConvEdge *a, size_t pixel,
                                                             int count)
{
    for (int o = 0; o < a->out_channels; o += PARTS) {
        float sum[PIXELS * PARTS] = {0};
        int last = a->out_channels - o < PARTS ? a->out_channels - o : PARTS;
        for (int k = 0; k < last; k++) gather(a, pixel, o + k, count, sum + k);
        for (int p = 0; p < count; p++) {
            Vector v[VECTORS];
            memcpy(v, sum + p * PARTS, sizeof v);
            store(a, pixel + (size_t)p, o, v);
        }
    }
}

void NAME(const SlbConvEdge *a)
{
    if (a->in_channels <= MOST_SPREAD) {
        for (size_t p = 0; p < a->pixels; p++)
            for (int o = 0; o < a->out_channels; o += PARTS) {
                if (a->in_channels == 1)
                    spread(a, p, o, 1);
                else if (a->in_channels == 2)
                    spread(a, p, o, 2);
                else
                    spread(a, p, o, 3);
            }
        return;
    }
    size_t p = 0;
    for (; p + PIXELS <= a->pixels; p += PIXELS) gather_all(a, p, PIXELS);
    for (; p < a->pixels; p++) gather_all(a, p, 1);
}
