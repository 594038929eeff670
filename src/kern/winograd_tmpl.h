/* Winograd's convolution for one vector width: included by winograd.c and winograd_ISA.c, which
 * define LANES (floats in a vector), ROWS and VECTORS (the register tile of the products), NAME and
 * MULTIPLY_GRAD (the sum of outer products: kern/conv_grad.h). Written with the compiler's vector
 * extensions, so that one text serves every instruction set. */
#include <string.h>

#include "kern/conv_grad.h"
#include "kern/winograd.h"

typedef float Vec __attribute__((vector_size(LANES * 4), aligned(LANES * 4)));
typedef int32_t Mask __attribute__((vector_size(LANES * 4), aligned(LANES * 4)));

enum { POINTS = SLB_WINOGRAD_POINTS, SIDE = SLB_WINOGRAD_SIDE, REACH = 6, MOST_CHANNELS = 1024 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* What is read beyond the picture. */
static const float zeroes[MOST_CHANNELS] __attribute__((aligned(64)));

/* -- the matrices of the points 0, A, -A, B, -B and infinity -- */

/* These points give about half the rounding errors of the usual 1 and 2. With N(x) = x (x^2 - A^2)
 * (x^2 - B^2), a row of B^T has the coefficients of N(x) / (x - p), one of G 1, p, p^2 divided by
 * N'(p), a column of A^T 1, p, p^2, p^3. */
#define A 0.75f
#define B 1.5f
#define A2 (A * A)
#define B2 (B * B)
#define NEAR (1.0f / (2.0f * A2 * (A2 - B2))) /* 1 / N'(A) = 1 / N'(-A) */
#define FAR (1.0f / (2.0f * B2 * (B2 - A2)))

/* B^T: 6 inputs. */
ALWAYS_INLINE void input_points(const Vec d[6], Vec out[6])
{
    Vec near = d[4] - B2 * d[2], near_odd = A * (d[3] - B2 * d[1]);
    Vec far = d[4] - A2 * d[2], far_odd = B * (d[3] - A2 * d[1]);
    out[0] = A2 * B2 * d[0] - (A2 + B2) * d[2] + d[4];
    out[1] = near + near_odd;
    out[2] = near - near_odd;
    out[3] = far + far_odd;
    out[4] = far - far_odd;
    out[5] = A2 * B2 * d[1] - (A2 + B2) * d[3] + d[5];
}

/* G: 3 taps. */
ALWAYS_INLINE void tap_points(const Vec g[3], Vec out[6])
{
    Vec near = NEAR * (g[0] + A2 * g[2]), near_odd = NEAR * A * g[1];
    Vec far = FAR * (g[0] + B2 * g[2]), far_odd = FAR * B * g[1];
    out[0] = g[0] * (1.0f / (A2 * B2));
    out[1] = near + near_odd;
    out[2] = near - near_odd;
    out[3] = far + far_odd;
    out[4] = far - far_odd;
    out[5] = g[2];
}

/* A^T: 6 points to 4 outputs. */
ALWAYS_INLINE void outputs_of(const Vec m[6], Vec out[4])
{
    Vec near = m[1] + m[2], near_odd = A * (m[1] - m[2]);
    Vec far = m[3] + m[4], far_odd = B * (m[3] - m[4]);
    out[0] = m[0] + near + far;
    out[1] = near_odd + far_odd;
    out[2] = A2 * near + B2 * far;
    out[3] = A2 * near_odd + B2 * far_odd + m[5];
}

/* A: 4 gradients of outputs. */
ALWAYS_INLINE void delta_points(const Vec y[4], Vec out[6])
{
    Vec near = y[0] + A2 * y[2], near_odd = A * (y[1] + A2 * y[3]);
    Vec far = y[0] + B2 * y[2], far_odd = B * (y[1] + B2 * y[3]);
    out[0] = y[0];
    out[1] = near + near_odd;
    out[2] = near - near_odd;
    out[3] = far + far_odd;
    out[4] = far - far_odd;
    out[5] = y[3];
}

/* G^T: 6 points to the gradients of 3 taps. */
ALWAYS_INLINE void taps_of(const Vec s[6], Vec out[3])
{
    Vec near = NEAR * (s[1] + s[2]), near_odd = NEAR * A * (s[1] - s[2]);
    Vec far = FAR * (s[3] + s[4]), far_odd = FAR * B * (s[3] - s[4]);
    out[0] = s[0] * (1.0f / (A2 * B2)) + near + far;
    out[1] = near_odd + far_odd;
    out[2] = A2 * near + B2 * far + s[5];
}

/* -- tiles -- */

/* The addresses of side x side pixels from (x, y) on, row by row. */
static void addresses(const SlbPlane *plane, uint32_t width, uint32_t height, int64_t x, int64_t y,
                      int side, const float **address)
{
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            bool inside = y + i >= 0 && y + i < height && x + j >= 0 && x + j < width;
            int64_t at = (y + i) * (int64_t)plane->row + x + j;
            *address++ = inside ? plane->pixels + at * (int64_t)plane->stride : zeroes;
        }
}

static size_t tiles_across(uint32_t pixels)
{
    return (pixels + SIDE - 1) / SIDE;
}

/* B^T d B of a tile: `address` of its 6x6 pixels; point k to out + k * step. */
static void input_tile(const float *const *address, int channels, float *out, size_t step)
{
    for (int c = 0; c < channels; c += LANES) {
        Vec half[REACH][REACH], d[REACH], p[REACH];
#pragma GCC unroll 6
        for (int j = 0; j < REACH; j++) {
#pragma GCC unroll 6
            for (int i = 0; i < REACH; i++) d[i] = *(const Vec *)(address[i * REACH + j] + c);
            input_points(d, p);
#pragma GCC unroll 6
            for (int i = 0; i < REACH; i++) half[i][j] = p[i];
        }
#pragma GCC unroll 6
        for (int i = 0; i < REACH; i++) {
            input_points(half[i], p);
#pragma GCC unroll 6
            for (int j = 0; j < REACH; j++)
                *(Vec *)(out + (size_t)(i * REACH + j) * step + c) = p[j];
        }
    }
}

/* A dy A^T of a tile: `address` of its 4x4 pixels. */
static void delta_tile(const float *const *address, int channels, float *out, size_t step)
{
    for (int c = 0; c < channels; c += LANES) {
        Vec half[REACH][SIDE], d[SIDE], p[REACH];
#pragma GCC unroll 4
        for (int j = 0; j < SIDE; j++) {
#pragma GCC unroll 4
            for (int i = 0; i < SIDE; i++) d[i] = *(const Vec *)(address[i * SIDE + j] + c);
            delta_points(d, p);
#pragma GCC unroll 6
            for (int i = 0; i < REACH; i++) half[i][j] = p[i];
        }
#pragma GCC unroll 6
        for (int i = 0; i < REACH; i++) {
            delta_points(half[i], p);
#pragma GCC unroll 6
            for (int j = 0; j < REACH; j++)
                *(Vec *)(out + (size_t)(i * REACH + j) * step + c) = p[j];
        }
    }
}

/* Bias, ReLU, gate and sum of one vector of outputs at `at` floats from the start of `out`. */
ALWAYS_INLINE void put(const SlbWinograd *a, size_t at, int c, Vec v)
{
    const Vec zero = {0};
    if (a->bias) v += *(const Vec *)(a->bias + c);
    if (a->relu) v = (Vec)((Mask)v & ~(v < zero)); /* NaN stays NaN */
    if (a->gate) v = (Vec)((Mask)v & (*(const Vec *)(a->gate + at) > zero));
    Vec *out = (Vec *)(a->out.pixels + at);
    *out = a->add ? *out + v : v;
}

/* A^T m A of a tile at pixel (x, y) of the output: point k from m + k * step. */
static void output_tile(const SlbWinograd *a, const float *m, size_t step, size_t x, size_t y)
{
    size_t across = a->width - x < SIDE ? a->width - x : SIDE;
    size_t down = a->height - y < SIDE ? a->height - y : SIDE;
    for (int c = 0; c < a->out.channels; c += LANES) {
        Vec half[SIDE][REACH], column[REACH], out[SIDE];
#pragma GCC unroll 6
        for (int j = 0; j < REACH; j++) {
#pragma GCC unroll 6
            for (int i = 0; i < REACH; i++)
                column[i] = *(const Vec *)(m + (size_t)(i * REACH + j) * step + c);
            outputs_of(column, out);
#pragma GCC unroll 4
            for (int i = 0; i < SIDE; i++) half[i][j] = out[i];
        }
        for (size_t i = 0; i < down; i++) {
            outputs_of(half[i], out);
            for (size_t j = 0; j < across; j++)
                put(a, ((y + i) * a->out.row + x + j) * a->out.stride + (size_t)c, c, out[j]);
        }
    }
}

/* -- products -- */

/* out[r][v] = sum_i in[r][i] weight[i][v] for `rows` tiles and `vectors` vectors (constants). */
ALWAYS_INLINE void product(const float *in, size_t in_channels, const float *weight,
                           size_t out_channels, float *out, int rows, int vectors)
{
    Vec sum[ROWS][VECTORS] = {0};
    for (size_t i = 0; i < in_channels; i++, weight += out_channels) {
        Vec w[VECTORS];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) w[v] = *(const Vec *)(weight + v * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            float x = in[(size_t)r * in_channels + i];
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) sum[r][v] += x * w[v];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            *(Vec *)(out + (size_t)r * out_channels + v * LANES) = sum[r][v];
}

ALWAYS_INLINE void columns(const float *in, size_t in_channels, const float *weight,
                           size_t out_channels, float *out, int rows)
{
    size_t o = 0;
    for (; o + VECTORS * LANES <= out_channels; o += VECTORS * LANES)
        product(in, in_channels, weight + o, out_channels, out + o, rows, VECTORS);
    for (; o < out_channels; o += LANES)
        product(in, in_channels, weight + o, out_channels, out + o, rows, 1);
}

/* One point of all tiles of a block: [tiles][in] times [in][out]; rows in even groups. */
static void multiply(const float *in, size_t tiles, size_t in_channels, const float *weight,
                     size_t out_channels, float *out)
{
    size_t rows;
    for (size_t left = tiles; left > 0; left -= rows) {
        size_t groups = (left + ROWS - 1) / ROWS;
        rows = (left + groups - 1) / groups;
        switch (rows) {
        case 1: columns(in, in_channels, weight, out_channels, out, 1); break;
        case 2: columns(in, in_channels, weight, out_channels, out, 2); break;
        case 3: columns(in, in_channels, weight, out_channels, out, 3); break;
#if ROWS > 3
        case 4: columns(in, in_channels, weight, out_channels, out, 4); break;
        case 5: columns(in, in_channels, weight, out_channels, out, 5); break;
        case 6: columns(in, in_channels, weight, out_channels, out, 6); break;
#endif
        default: break;
        }
        in += rows * in_channels;
        out += rows * out_channels;
    }
}

/* -- the whole -- */

/* A picture cut into tiles, and these into blocks of about the same size. */
typedef struct Blocks {
    size_t across, tiles; /* tiles of a row, of the picture */
    size_t most;          /* tiles of a block */
} Blocks;

static Blocks blocks_of(uint32_t width, uint32_t height, int in_channels, int out_channels)
{
    Blocks b = {.across = tiles_across(width)};
    size_t room = slb_winograd_block(in_channels, out_channels);
    b.tiles = b.across * tiles_across(height);
    size_t count = (b.tiles + room - 1) / room;
    b.most = (b.tiles + count - 1) / count;
    return b;
}

static size_t block_size(const Blocks *b, size_t first)
{
    return b->tiles - first < b->most ? b->tiles - first : b->most;
}

static void input_block(const SlbPlane *in, uint32_t width, uint32_t height, const Blocks *b,
                        size_t first, size_t count, float *out, size_t step)
{
    const float *address[REACH * REACH];
    for (size_t t = 0; t < count; t++) {
        int64_t x = (int64_t)((first + t) % b->across * SIDE);
        int64_t y = (int64_t)((first + t) / b->across * SIDE);
        addresses(in, width, height, x - 1, y - 1, REACH, address);
        input_tile(address, in->channels, out + t * (size_t)in->channels, step);
    }
}

static void conv(const SlbWinograd *a)
{
    if (a->width == 0 || a->height == 0) return;
    size_t in = (size_t)a->in.channels, out = (size_t)a->out.channels;
    Blocks b = blocks_of(a->width, a->height, a->in.channels, a->out.channels);
    size_t in_step = slb_winograd_step(b.most, a->in.channels);
    size_t out_step = slb_winograd_step(b.most, a->out.channels);
    float *points = a->scratch, *products = points + POINTS * in_step;
    for (size_t first = 0; first < b.tiles; first += b.most) {
        size_t count = block_size(&b, first);
        input_block(&a->in, a->width, a->height, &b, first, count, points, in_step);
        for (size_t k = 0; k < POINTS; k++)
            multiply(points + k * in_step, count, in, a->weight + k * in * out, out,
                     products + k * out_step);
        for (size_t t = 0; t < count; t++)
            output_tile(a, products + t * out, out_step, (first + t) % b.across * SIDE,
                        (first + t) / b.across * SIDE);
    }
}

static void add_taps(const float *sums, size_t count, float *grad)
{
    for (size_t c = 0; c < count; c += LANES) {
        Vec half[3][REACH], column[REACH], out[3];
#pragma GCC unroll 6
        for (int j = 0; j < REACH; j++) {
#pragma GCC unroll 6
            for (int i = 0; i < REACH; i++)
                column[i] = *(const Vec *)(sums + (size_t)(i * REACH + j) * count + c);
            taps_of(column, out);
#pragma GCC unroll 3
            for (int i = 0; i < 3; i++) half[i][j] = out[i];
        }
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++) {
            taps_of(half[i], out);
#pragma GCC unroll 3
            for (int j = 0; j < 3; j++) *(Vec *)(grad + (size_t)(3 * i + j) * count + c) += out[j];
        }
    }
}

static void grad(const SlbWinogradGrad *a)
{
    if (a->width == 0 || a->height == 0) return;
    size_t in = (size_t)a->in.channels, out = (size_t)a->delta.channels;
    Blocks b = blocks_of(a->width, a->height, a->in.channels, a->delta.channels);
    size_t in_step = slb_winograd_step(b.most, a->in.channels);
    size_t out_step = slb_winograd_step(b.most, a->delta.channels);
    float *sums = a->scratch, *points = sums + POINTS * in * out;
    float *deltas = points + POINTS * in_step;
    memset(sums, 0, POINTS * in * out * sizeof *sums);
    for (size_t first = 0; first < b.tiles; first += b.most) {
        size_t count = block_size(&b, first);
        input_block(&a->in, a->width, a->height, &b, first, count, points, in_step);
        for (size_t t = 0; t < count; t++) {
            const float *address[SIDE * SIDE];
            addresses(&a->delta, a->width, a->height, (int64_t)((first + t) % b.across * SIDE),
                      (int64_t)((first + t) / b.across * SIDE), SIDE, address);
            delta_tile(address, a->delta.channels, deltas + t * out, out_step);
        }
        for (size_t k = 0; k < POINTS; k++) {
            SlbGradF32 g = {.in = {points + k * in_step},
                            .taps = 1,
                            .in_channels = a->in.channels,
                            .in_stride = in,
                            .delta = deltas + k * out_step,
                            .out_channels = a->delta.channels,
                            .delta_stride = out,
                            .pixels = count,
                            .grad = sums + k * in * out};
            MULTIPLY_GRAD(&g);
        }
    }
    add_taps(sums, in * out, a->grad);
}

static void weights(const float *taps, size_t count, float *points)
{
    for (size_t c = 0; c < count; c += LANES) {
        Vec half[REACH][3], g[3], p[REACH];
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
#pragma GCC unroll 3
            for (int i = 0; i < 3; i++)
                g[i] = *(const Vec *)(taps + (size_t)(3 * i + j) * count + c);
            tap_points(g, p);
#pragma GCC unroll 6
            for (int i = 0; i < REACH; i++) half[i][j] = p[i];
        }
#pragma GCC unroll 6
        for (int i = 0; i < REACH; i++) {
            tap_points(half[i], p);
#pragma GCC unroll 6
            for (int j = 0; j < REACH; j++)
                *(Vec *)(points + (size_t)(i * REACH + j) * count + c) = p[j];
        }
    }
}

const SlbWinogradKernels NAME = {conv, grad, weights};
