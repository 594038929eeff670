/* The float kernel of fixed order for one instruction set: included by edge.c, edge_avx2.c and
 * edge_avx512.c, which define NAME. The text is the same for all, and the order of its sums does
 * not depend on how many of them a register holds; the flags only make the vectors wider. */
#include <string.h>

#include "kern/edge.h"
#include "kern/unroll.h"
#include "quant/requant.h"

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum {
    PARTS = SLB_OUT_BLOCK,      /* partial sums of an output; also outputs finished together */
    VECTORS = PARTS / LANES,    /* that hold them */
    MOST_SPREAD = SLB_EDGE_FEW, /* input channels */
    /* Worked on together, as many as there are registers for. */
    PIXELS = LANES == 16 ? 4 : 2,
    OUTPUTS = LANES == 16  ? 4
              : LANES == 8 ? 2
                           : 1, /* divides PARTS */
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

/* Few input channels (a constant): 16 outputs from o on of `count` (a constant) pixels together, a
 * sum for every channel, which are the only partial sums that are not 0. */
static inline __attribute__((always_inline)) void spread(const SlbConvEdge *a, size_t pixel, int o,
                                                         int channels, int count)
{
    size_t outputs = (size_t)slb_out_padded(a->out_channels);
    const float *w = a->weight + o;
    Vector sum[PIXELS][MOST_SPREAD][VECTORS];
    SLB_UNROLL
    for (int n = 0; n < count * channels * VECTORS; n++)
        sum[n / VECTORS / channels][n / VECTORS % channels][n % VECTORS] = (Vector){0};
    for (int t = 0; t < a->taps; t++) {
        const float *x = a->in[t] + pixel * a->in_stride;
        SLB_UNROLL
        for (int i = 0; i < channels; i++, w += outputs) {
            SLB_UNROLL
            for (int k = 0; k < VECTORS; k++) {
                Vector weight = load(w + k * LANES);
                SLB_UNROLL
                for (int p = 0; p < count; p++)
                    sum[p][i][k] += x[(size_t)p * a->in_stride + (size_t)i] * weight;
            }
        }
    }
    SLB_UNROLL
    for (int p = 0; p < count; p++) {
        SLB_UNROLL
        for (int k = 0; k < VECTORS; k++) {
            if (channels > 2) sum[p][0][k] += sum[p][2][k]; /* the fourth, and on, are 0 */
            if (channels > 1) sum[p][0][k] += sum[p][1][k] + 0.0f;
        }
        store(a, pixel + (size_t)p, o, sum[p][0]);
    }
}

static inline __attribute__((always_inline)) void spread_all(const SlbConvEdge *a, int channels)
{
    size_t p = 0;
    for (; p + PIXELS <= a->pixels; p += PIXELS)
        for (int o = 0; o < a->out_channels; o += PARTS) spread(a, p, o, channels, PIXELS);
    for (; p < a->pixels; p++)
        for (int o = 0; o < a->out_channels; o += PARTS) spread(a, p, o, channels, 1);
}

/* One step of the sum of the parts of every output: j and j + half. `half` is a constant. */
static inline __attribute__((always_inline)) void add_halves(float part[PARTS][PARTS], int outputs,
                                                             int half)
{
    for (int o = 0; o < outputs; o++)
        for (int j = 0; j < half; j++) part[o][j] += part[o][j + half];
}

/* Partial sums in halves: 0 + 8, 1 + 9, ...; 0 + 4, ... */
static inline void add_parts(float part[PARTS][PARTS], int outputs, float *out)
{
    add_halves(part, outputs, 8);
    add_halves(part, outputs, 4);
    add_halves(part, outputs, 2);
    for (int o = 0; o < outputs; o++) out[o] = part[o][0] + part[o][1];
}

/* Many input channels: the partial sums of `outputs` outputs from o on of `count` pixels, both
 * constants. */
static inline __attribute__((always_inline)) void gather(const SlbConvEdge *a, size_t pixel, int o,
                                                         int count, int outputs,
                                                         float part[][PARTS][PARTS])
{
    size_t padded = (size_t)slb_out_padded(a->in_channels), step = (size_t)a->taps * padded;
    const float *w = a->weight + (size_t)o * step;
    Vector sum[PIXELS][OUTPUTS][VECTORS];
    SLB_UNROLL
    for (int n = 0; n < count * outputs * VECTORS; n++)
        sum[n / VECTORS / outputs][n / VECTORS % outputs][n % VECTORS] = (Vector){0};
    for (int t = 0; t < a->taps; t++) {
        const float *x = a->in[t] + pixel * a->in_stride;
        for (size_t i = 0; i < padded; i += PARTS, w += PARTS) {
            SLB_UNROLL
            for (int k = 0; k < VECTORS; k++) {
                Vector weight[OUTPUTS];
                SLB_UNROLL
                for (int n = 0; n < outputs; n++)
                    weight[n] = load(w + (size_t)n * step + k * LANES);
                SLB_UNROLL
                for (int p = 0; p < count; p++) {
                    Vector in = load(x + (size_t)p * a->in_stride + i + k * LANES);
                    SLB_UNROLL
                    for (int n = 0; n < outputs; n++) sum[p][n][k] += in * weight[n];
                }
            }
        }
    }
    SLB_UNROLL
    for (int p = 0; p < count; p++) {
        SLB_UNROLL
        for (int n = 0; n < outputs; n++)
            memcpy(part[p][o % PARTS + n], sum[p][n], sizeof sum[p][n]);
    }
}

/* `count` (a constant) pixels, all outputs. */
static inline __attribute__((always_inline)) void gather_all(const SlbConvEdge *a, size_t pixel,
                                                             int count)
{
    for (int o = 0; o < a->out_channels; o += PARTS) {
        float part[PIXELS][PARTS][PARTS];
        int n = o, end = o + PARTS < a->out_channels ? o + PARTS : a->out_channels;
        for (; n + OUTPUTS <= end; n += OUTPUTS) gather(a, pixel, n, count, OUTPUTS, part);
        for (; n < end; n++) gather(a, pixel, n, count, 1, part);
        for (int p = 0; p < count; p++) {
            float sum[PARTS] = {0};
            Vector v[VECTORS];
            add_parts(part[p], end - o, sum);
            memcpy(v, sum, sizeof v);
            store(a, pixel + (size_t)p, o, v);
        }
    }
}

void NAME(const SlbConvEdge *a)
{
    size_t p = 0;
    switch (a->in_channels) {
    case 1: spread_all(a, 1); break;
    case 2: spread_all(a, 2); break;
    case 3: spread_all(a, 3); break;
    default:
        for (; p + PIXELS <= a->pixels; p += PIXELS) gather_all(a, p, PIXELS);
        for (; p < a->pixels; p++) gather_all(a, p, 1);
    }
}
