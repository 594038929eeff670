/* The gradient of weights in bf16 with AMX. TDPBF16PS sums over pairs of pixels here:
 *
 *   grad[t][i][o] += sum_k x[i][pixels 2k, 2k + 1 shifted by tap t] . delta[pixels 2k, 2k + 1][o]
 *
 * The second factor is delta with its pixels interleaved in pairs, the first one the input turned
 * round: a row of pixels for each channel, so that a tap is but an offset into these rows, odd ones
 * too, and the input is turned once for all nine. This is done for a chunk of pixels at a time, in
 * the caller's scratch memory; behind the last pixel delta is zero.
 *
 * Then for each part of a chunk, pair of input tiles, pair of output tiles and tap: 2 x 2 tiles of
 * gradients are loaded, the products of the part's pixels added, and stored. Part by part, since
 * 256 pixels of 32 inputs (22 KiB with the rows above and below of a picture 41 wide) and of 32
 * outputs (16 KiB) stay in the first-level cache through nine taps. The order of sums is fixed:
 * chunks, parts and steps of 32 pixels as they come, in a step even and odd pixels apart.
 *
 * What to expect (reasoned, not measured; see conv_amx_tmpl.h): a step has 4 products, 64 cycles,
 * and 4 loads, two of them across cache lines for most taps: 48 cycles. 8 steps, 512 cycles, stand
 * against 4 loads and 4 stores of gradients, some 100 cycles that are hidden in part. Turning 32
 * pixels of 16 channels takes some 100 shuffles, where 64 outputs and nine taps need 576 cycles of
 * products. 55 to 70 % of the peak in all. */
#include "kern/conv_grad_amx.h"

#include "kern/amx_tile.h"
#include "kern/bf16_pairs.h"
#include "kern/unroll.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    LANES = SLB_TILE_LANES,
    STEP = 32, /* pixels of a product */
    CHUNK = 1024,
    PART = 256, /* both are multiples of STEP */
    TILE = LANES * STEP,
};

/* A chunk as the products take it. */
typedef struct Chunk {
    SlbBf16 *x;     /* [in_channels][x_row] */
    SlbBf16 *delta; /* [out_channels / LANES][CHUNK / 2][LANES][2] */
    size_t x_row;
    size_t pixels; /* a multiple of STEP */
} Chunk;

static size_t round_up(size_t value)
{
    return (value + STEP - 1) / STEP * STEP;
}

/* Pixels of a channel's row. An odd number of cache lines, so that the rows of a tile do not meet
 * in one set of the cache. */
static size_t row_of(size_t reach)
{
    return round_up(CHUNK + reach) | STEP;
}

size_t slb_grad_amx_scratch(int in_channels, int out_channels, size_t reach)
{
    size_t elements = (size_t)in_channels * row_of(reach) + (size_t)out_channels * CHUNK;
    return elements * sizeof(SlbBf16);
}

/* 16 x 16 dwords. */
ALWAYS_INLINE void transpose(__m512i v[16])
{
    __m512i w[16];
    SLB_UNROLL
    for (int i = 0; i < 16; i += 2) {
        w[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        w[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    SLB_UNROLL
    for (int i = 0; i < 16; i += 4) /* v[i + j]: in lane l column 4 l + j of rows i..i + 3 */
        SLB_UNROLL
    for (int j = 0; j < 2; j++) {
        v[i + 2 * j] = _mm512_unpacklo_epi64(w[i + j], w[i + 2 + j]);
        v[i + 2 * j + 1] = _mm512_unpackhi_epi64(w[i + j], w[i + 2 + j]);
    }
    SLB_UNROLL
    for (int j = 0; j < 4; j++) { /* lanes: a transpose of 4 x 4 */
        __m512i low = _mm512_shuffle_i32x4(v[j], v[4 + j], 0x44);
        __m512i high = _mm512_shuffle_i32x4(v[j], v[4 + j], 0xee);
        __m512i low2 = _mm512_shuffle_i32x4(v[8 + j], v[12 + j], 0x44);
        __m512i high2 = _mm512_shuffle_i32x4(v[8 + j], v[12 + j], 0xee);
        w[j] = _mm512_shuffle_i32x4(low, low2, 0x88);
        w[4 + j] = _mm512_shuffle_i32x4(low, low2, 0xdd);
        w[8 + j] = _mm512_shuffle_i32x4(high, high2, 0x88);
        w[12 + j] = _mm512_shuffle_i32x4(high, high2, 0xdd);
    }
    SLB_UNROLL
    for (int i = 0; i < 16; i++) v[i] = w[i];
}

/* 16 channels of STEP pixels, of which there are `there`, to rows of pixels. */
ALWAYS_INLINE void turn_block(const SlbBf16 *in, size_t stride, size_t there, SlbBf16 *out,
                              size_t out_row)
{
    __m512i v[16];
    SLB_UNROLL
    for (size_t k = 0; k < 16; k++) {
        const SlbBf16 *first = 2 * k < there ? in + 2 * k * stride : NULL;
        const SlbBf16 *second = 2 * k + 1 < there ? in + (2 * k + 1) * stride : NULL;
        v[k] = slb_pair_rows(first, second);
    }
    transpose(v);
    SLB_UNROLL
    for (size_t c = 0; c < 16; c++) _mm512_store_si512(out + c * out_row, v[c]);
}

/* `pixels` of the input, then zeros as far as the products read. */
static void turn(const SlbBf16 *in, const SlbGradBf16 *a, size_t pixels, size_t read,
                 const Chunk *chunk)
{
    for (size_t p = 0; p < read; p += STEP)
        for (int c = 0; c < a->in_channels; c += LANES) {
            SlbBf16 *out = chunk->x + (size_t)c * chunk->x_row + p;
            const SlbBf16 *from = in + p * a->in_stride + c;
            if (p + STEP <= pixels)
                turn_block(from, a->in_stride, STEP, out, chunk->x_row);
            else
                turn_block(from, a->in_stride, p < pixels ? pixels - p : 0, out, chunk->x_row);
        }
}

/* `pixels` of delta in pairs, then zeros up to chunk->pixels. */
static void pair_delta(const SlbGradBf16 *a, size_t done, size_t pixels, const Chunk *chunk)
{
    for (int o = 0; o < a->out_channels; o += LANES) {
        const SlbBf16 *from = a->delta + done * a->delta_stride + o;
        SlbBf16 *out = chunk->delta + (size_t)o * CHUNK;
        for (size_t p = 0; p < chunk->pixels; p += 2, out += 2 * LANES) {
            const SlbBf16 *first = p < pixels ? from + p * a->delta_stride : NULL;
            const SlbBf16 *second = p + 1 < pixels ? from + (p + 1) * a->delta_stride : NULL;
            _mm512_store_si512(out, slb_pair_rows(first, second));
        }
    }
}

/* 16 * ins input channels by 16 * outs output channels of one tap; both are constants. */
ALWAYS_INLINE void add_products(const SlbBf16 *x, size_t x_row, const SlbBf16 *delta, size_t steps,
                                float *grad, size_t grad_row, int ins, int outs)
{
    size_t x_bytes = x_row * sizeof *x, grad_bytes = grad_row * sizeof *grad;
    float *below = grad + LANES * grad_row;
    TILE_LOAD(0, grad, grad_bytes);
    if (outs == 2) TILE_LOAD(1, grad + LANES, grad_bytes);
    if (ins == 2) TILE_LOAD(2, below, grad_bytes);
    if (ins == 2 && outs == 2) TILE_LOAD(3, below + LANES, grad_bytes);
    for (size_t k = 0; k < steps; k++, x += STEP, delta += TILE) {
        TILE_LOAD(4, x, x_bytes);
        if (ins == 2) TILE_LOAD(5, x + LANES * x_row, x_bytes);
        TILE_LOAD(6, delta, SLB_TILE_ROW_BYTES);
        if (outs == 2) TILE_LOAD(7, delta + (size_t)CHUNK * LANES, SLB_TILE_ROW_BYTES);
        TILE_DPBF16(0, 4, 6);
        if (outs == 2) TILE_DPBF16(1, 4, 7);
        if (ins == 2) TILE_DPBF16(2, 5, 6);
        if (ins == 2 && outs == 2) TILE_DPBF16(3, 5, 7);
    }
    TILE_STORE(0, grad, grad_bytes);
    if (outs == 2) TILE_STORE(1, grad + LANES, grad_bytes);
    if (ins == 2) TILE_STORE(2, below, grad_bytes);
    if (ins == 2 && outs == 2) TILE_STORE(3, below + LANES, grad_bytes);
}

/* All taps of a pair of input tiles and a pair of output tiles, each of which may be single. */
static void add_taps(const SlbGradBf16 *a, const Chunk *c, size_t part, int i, int o)
{
    size_t row = (size_t)a->out_channels, steps = c->pixels - part;
    steps = (steps < PART ? steps : PART) / STEP;
    const SlbBf16 *delta = c->delta + (size_t)o * CHUNK + part * LANES;
    bool wide = i + LANES < a->in_channels, two = o + LANES < a->out_channels;
    for (int t = 0; t < a->taps; t++) {
        size_t offset = (size_t)(a->in[t] - a->in[0]) / a->in_stride;
        const SlbBf16 *x = c->x + (size_t)i * c->x_row + part + offset;
        float *grad = a->grad + ((size_t)t * (size_t)a->in_channels + (size_t)i) * row + o;
        if (wide && two)
            add_products(x, c->x_row, delta, steps, grad, row, 2, 2);
        else if (wide)
            add_products(x, c->x_row, delta, steps, grad, row, 2, 1);
        else if (two)
            add_products(x, c->x_row, delta, steps, grad, row, 1, 2);
        else
            add_products(x, c->x_row, delta, steps, grad, row, 1, 1);
    }
}

static void configure(void)
{
    SlbTileConfig config = {0};
    for (int i = 0; i < 8; i++) slb_tile_shape(&config, i, SLB_TILE_ROWS, SLB_TILE_ROW_BYTES);
    TILE_CONFIGURE(&config);
}

void slb_grad_amx(const SlbGradBf16 *a)
{
    size_t reach = (size_t)(a->in[a->taps - 1] - a->in[0]) / a->in_stride;
    Chunk chunk = {.x = a->scratch, .x_row = row_of(reach)};
    chunk.delta = chunk.x + (size_t)a->in_channels * chunk.x_row;
    configure();
    for (size_t done = 0; done < a->pixels; done += CHUNK) {
        size_t n = a->pixels - done < CHUNK ? a->pixels - done : CHUNK;
        chunk.pixels = round_up(n);
        turn(a->in[0] + done * a->in_stride, a, n + reach, chunk.pixels + reach, &chunk);
        pair_delta(a, done, n, &chunk);
        for (size_t part = 0; part < chunk.pixels; part += PART)
            for (int i = 0; i < a->in_channels; i += 2 * LANES)
                for (int o = 0; o < a->out_channels; o += 2 * LANES)
                    add_taps(a, &chunk, part, i, o);
    }
    TILE_RELEASE();
}
