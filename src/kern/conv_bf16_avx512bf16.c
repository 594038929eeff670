#include <immintrin.h>
#include <string.h>

#include "kern/bf16_pairs.h"
#include "kern/conv_bf16.h"
#include "kern/conv_grad.h"
#include "kern/unroll.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The register tile: 6 pixels (or input channels) by 4 vectors of 16 sums. */
enum { ROWS = 6, VECTORS = 4, LANES = 16, CHUNK_PIXELS = 96 };

/* Output channels that one chunk's sums have room for; wider layers go in parts. */
enum { PART_OUT = 64 };

/* Adds `pairs` products of pairs to rows x vectors sums: sum[r][v] += a[r][k] . b[k][v]. The pairs
 * of row r stand at a + r * a_row + k * a_pair, those of b at b + k * b_pair. */
ALWAYS_INLINE void tile(const SlbBf16 *a, size_t a_row, size_t a_pair, const SlbBf16 *b,
                        size_t b_pair, size_t pairs, float *sums, size_t sums_row, int rows,
                        int vectors)
{
    __m512 sum[ROWS][VECTORS];
    SLB_UNROLL
    for (int r = 0; r < rows; r++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++)
            sum[r][v] = _mm512_load_ps(sums + (size_t)r * sums_row + v * LANES);
    }
    for (size_t k = 0; k < pairs; k++) {
        __m512bh w[VECTORS];
        SLB_UNROLL
        for (int v = 0; v < vectors; v++)
            w[v] = (__m512bh)_mm512_load_si512(b + k * b_pair + (size_t)v * 2 * LANES);
        SLB_UNROLL
        for (int r = 0; r < rows; r++) {
            __m512bh x = slb_pair_everywhere(a + (size_t)r * a_row + k * a_pair);
            SLB_UNROLL
            for (int v = 0; v < vectors; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, w[v]);
        }
    }
    SLB_UNROLL
    for (int r = 0; r < rows; r++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++)
            _mm512_store_ps(sums + (size_t)r * sums_row + v * LANES, sum[r][v]);
    }
}

/* One tap of a part of at most PART_OUT output channels, `vectors` a constant. */
ALWAYS_INLINE void add_tap(const SlbConvBf16 *a, const SlbBf16 *in, const SlbBf16 *weight,
                           float *sums, size_t pixels, int vectors)
{
    size_t pairs = (size_t)a->in_channels / 2, b_pair = (size_t)a->out_channels * 2;
    size_t p = 0;
    for (; p + ROWS <= pixels; p += ROWS)
        tile(in + p * a->in_stride, a->in_stride, 2, weight, b_pair, pairs, sums + p * PART_OUT,
             PART_OUT, ROWS, vectors);
    for (; p < pixels; p++)
        tile(in + p * a->in_stride, a->in_stride, 2, weight, b_pair, pairs, sums + p * PART_OUT,
             PART_OUT, 1, vectors);
}

/* Bias is in the sums already: ReLU, gate, rounding. */
ALWAYS_INLINE void store(const SlbConvBf16 *a, const float *sums, size_t first, int part,
                         int channels, size_t pixels)
{
    const __m512 zero = _mm512_setzero_ps();
    for (size_t p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c += LANES) {
            __m512 s = _mm512_load_ps(sums + p * PART_OUT + c);
            size_t at = (first + p) * a->out_stride + (size_t)(part + c);
            if (a->relu) s = _mm512_max_ps(zero, s); /* in this order NaN stays NaN */
            if (a->gate) {
                const SlbBf16 *g = a->gate + (first + p) * a->gate_stride + part + c;
                __m256i gate = _mm256_loadu_si256((const __m256i *)g);
                __mmask16 open = _mm256_cmpgt_epi16_mask(gate, _mm256_setzero_si256());
                s = _mm512_maskz_mov_ps(open, s);
            }
            if (a->out_float)
                _mm512_store_ps((float *)a->out + at, s);
            else
                _mm256_store_si256((__m256i *)((SlbBf16 *)a->out + at),
                                   (__m256i)_mm512_cvtneps_pbh(s));
        }
}

static void conv(const SlbConvBf16 *a)
{
    _Alignas(64) float sums[CHUNK_PIXELS * PART_OUT];
    size_t tap_size = (size_t)a->in_channels * (size_t)a->out_channels;
    for (size_t done = 0; done < a->pixels; done += CHUNK_PIXELS) {
        size_t n = a->pixels - done < CHUNK_PIXELS ? a->pixels - done : CHUNK_PIXELS;
        for (int part = 0; part < a->out_channels; part += PART_OUT) {
            int channels = a->out_channels - part < PART_OUT ? a->out_channels - part : PART_OUT;
            for (size_t p = 0; p < n; p++)
                for (int c = 0; c < channels; c++)
                    sums[p * PART_OUT + (size_t)c] = a->bias ? a->bias[part + c] : 0.0f;
            for (int t = 0; t < a->taps; t++) {
                const SlbBf16 *in = a->in[t] + done * a->in_stride;
                const SlbBf16 *weight = a->weight + (size_t)t * tap_size + (size_t)part * 2;
                if (channels == PART_OUT) {
                    add_tap(a, in, weight, sums, n, VECTORS);
                    continue;
                }
                for (int c = 0; c < channels; c += LANES)
                    add_tap(a, in, weight + (size_t)c * 2, sums + c, n, 1);
            }
            store(a, sums, done, part, channels, n);
        }
    }
}

/* Interleaves pixel rows 2k and 2k+1: out[k][c] = (in[2k][c], in[2k+1][c]). */
ALWAYS_INLINE void interleave(const SlbBf16 *in, size_t stride, int channels, size_t pairs,
                              SlbBf16 *out)
{
    for (size_t k = 0; k < pairs; k++)
        for (int c = 0; c < channels; c += LANES) {
            const SlbBf16 *first = in + 2 * k * stride + c;
            _mm512_store_si512(out + (k * (size_t)channels + (size_t)c) * 2,
                               slb_pair_rows(first, first + stride));
        }
}

/* grad[i][o] += pairs of pixels; x is interleaved [pair][in_channels][2], delta
 * [pair][out_channels][2]. */
static void grad_tap(const SlbBf16 *x, int in_channels, const SlbBf16 *delta, int out_channels,
                     size_t pairs, float *grad)
{
    size_t row = (size_t)out_channels, x_pair = (size_t)in_channels * 2, d_pair = row * 2;
    int o = 0;
    for (; o + VECTORS * LANES <= out_channels; o += VECTORS * LANES) {
        int i = 0;
        for (; i + ROWS <= in_channels; i += ROWS)
            tile(x + i * 2, 2, x_pair, delta + o * 2, d_pair, pairs, grad + (size_t)i * row + o,
                 row, ROWS, VECTORS);
        for (; i < in_channels; i += 2) /* multiples of 16 leave 0, 2 or 4 */
            tile(x + i * 2, 2, x_pair, delta + o * 2, d_pair, pairs, grad + (size_t)i * row + o,
                 row, 2, VECTORS);
    }
    for (; o < out_channels; o += LANES)
        for (int i = 0; i < in_channels; i += 4)
            tile(x + i * 2, 2, x_pair, delta + o * 2, d_pair, pairs, grad + (size_t)i * row + o,
                 row, 4, 1);
}

static void grad(const SlbGradBf16 *a)
{
    enum { PAIRS = SLB_GRAD_CHUNK / 2 };
    /* Of each row of three taps: pairs that begin at tap 0 (and, a pair later, tap 2) and at tap 1.
     */
    _Alignas(64) SlbBf16 even[(PAIRS + 1) * 2 * SLB_GRAD_MAX_CHANNELS];
    _Alignas(64) SlbBf16 odd[PAIRS * 2 * SLB_GRAD_MAX_CHANNELS];
    _Alignas(64) SlbBf16 delta[PAIRS * 2 * SLB_GRAD_MAX_CHANNELS];
    size_t tap_size = (size_t)a->in_channels * (size_t)a->out_channels;
    size_t pair_size = (size_t)a->in_channels * 2;
    for (size_t done = 0; done < a->pixels; done += SLB_GRAD_CHUNK) {
        size_t n = a->pixels - done < SLB_GRAD_CHUNK ? a->pixels - done : SLB_GRAD_CHUNK;
        size_t pairs = (n + 1) / 2;
        interleave(a->delta + done * a->delta_stride, a->delta_stride, a->out_channels, pairs,
                   delta);
        if (n & 1) /* the partner of the last pixel is outside: it must not count */
            for (int c = 0; c < a->out_channels; c++)
                delta[((pairs - 1) * (size_t)a->out_channels + (size_t)c) * 2 + 1] = 0;
        for (int t = 0; t < a->taps; t += 3) {
            const SlbBf16 *in = a->in[t] + done * a->in_stride;
            float *sums = a->grad + (size_t)t * tap_size;
            interleave(in, a->in_stride, a->in_channels, a->taps == 1 ? pairs : pairs + 1, even);
            grad_tap(even, a->in_channels, delta, a->out_channels, pairs, sums);
            if (a->taps == 1) break;
            interleave(in + a->in_stride, a->in_stride, a->in_channels, pairs, odd);
            grad_tap(odd, a->in_channels, delta, a->out_channels, pairs, sums + tap_size);
            grad_tap(even + pair_size, a->in_channels, delta, a->out_channels, pairs,
                     sums + 2 * tap_size);
        }
    }
}

static size_t packed_elements(int taps, int in_channels, int out_channels)
{
    return (size_t)taps * (size_t)(in_channels + (in_channels & 1)) * (size_t)out_channels;
}

/* To [taps][ceil(in / 2)][out][2]: pairs of input channels. */
static void pack(const float *weight, int taps, int in_channels, int out_channels, SlbBf16 *packed)
{
    size_t out = (size_t)out_channels;
    for (int t = 0; t < taps; t++)
        for (int i = 0; i < in_channels; i += 2) {
            const float *first = weight + ((size_t)t * (size_t)in_channels + (size_t)i) * out;
            const float *second = i + 1 < in_channels ? first + out : NULL;
            for (size_t o = 0; o < out; o += LANES, packed += 2 * LANES)
                _mm512_store_si512(packed, slb_pair_floats(first + o, second ? second + o : NULL));
        }
}

static size_t grad_scratch(int in_channels, int out_channels, size_t reach)
{
    (void)in_channels, (void)out_channels, (void)reach;
    return 0;
}

const SlbBf16Kernels slb_bf16_avx512 = {
    "avx512-bf16", packed_elements, pack, conv, grad_scratch, grad,
};
