/* What Winograd's kernels of one vector width share: the matrices, and tiles one vector of channels
 * at a time. The including file defines LANES (floats in a vector). Written with the compiler's
 * vector extensions, so that one text serves every instruction set. Pixels are floats, or bf16 with
 * HALF_PIXELS (for AVX512-BF16). */
#include <stdbool.h>
#include <string.h>

#include "kern/winograd.h"
#ifdef __AVX512BF16__
#include "kern/bf16_pairs.h"
#endif

typedef float Vec __attribute__((vector_size(LANES * 4), aligned(LANES * 4)));
typedef int32_t Mask __attribute__((vector_size(LANES * 4), aligned(LANES * 4)));

enum { POINTS = SLB_WINOGRAD_POINTS, SIDE = SLB_WINOGRAD_SIDE, REACH = 6, MOST_CHANNELS = 1024 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* -- pixels -- */

#ifdef HALF_PIXELS
typedef SlbBf16 Pixel;

ALWAYS_INLINE Vec load(const Pixel *at)
{
    __m256i v = _mm256_load_si256((const __m256i *)at);
    return (Vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16);
}

ALWAYS_INLINE void store(Pixel *at, Vec v)
{
    _mm256_store_si256((__m256i *)at, (__m256i)_mm512_cvtneps_pbh((__m512)v));
}
#else
typedef float Pixel;

ALWAYS_INLINE Vec load(const Pixel *at)
{
    return *(const Vec *)at;
}

ALWAYS_INLINE void store(Pixel *at, Vec v)
{
    *(Vec *)at = v;
}
#endif

/* What is read beyond the picture. */
static const Pixel zeroes[MOST_CHANNELS] __attribute__((aligned(64)));

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

/* Where side x side pixels stand: within the picture, pixel (i, j) at first + i * row + j * stride;
 * else `first` is NULL and `pixel` has them all. */
typedef struct Tile {
    const Pixel *first;
    size_t row, stride;
    const Pixel *pixel[REACH * REACH];
} Tile;

/* From pixel (x, y) of the plane on. */
static void find_tile(const SlbPlane *plane, uint32_t width, uint32_t height, int64_t x, int64_t y,
                      int side, Tile *tile)
{
    ptrdiff_t stride = (ptrdiff_t)plane->stride, row = (ptrdiff_t)plane->row * stride;
    const Pixel *first = (const Pixel *)plane->pixels + y * row + x * stride;
    bool whole = x >= 0 && y >= 0 && x + side <= width && y + side <= height;
    tile->first = whole ? first : NULL;
    tile->row = (size_t)row;
    tile->stride = (size_t)stride;
    if (whole) return;
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            bool inside = y + i >= 0 && y + i < height && x + j >= 0 && x + j < width;
            tile->pixel[i * side + j] = inside ? first + i * row + j * stride : zeroes;
        }
}

/* Channels c .. of pixel (i, j). */
ALWAYS_INLINE Vec pixel_of(const Tile *tile, bool inside, int side, int i, int j, int c)
{
    const Pixel *at = inside ? tile->first + (size_t)i * tile->row + (size_t)j * tile->stride
                             : tile->pixel[i * side + j];
    return load(at + c);
}

ALWAYS_INLINE void input_columns_of(const Tile *tile, bool inside, int c, Vec half[REACH][REACH])
{
    Vec d[REACH], p[REACH];
#pragma GCC unroll 6
    for (int j = 0; j < REACH; j++) {
#pragma GCC unroll 6
        for (int i = 0; i < REACH; i++) d[i] = pixel_of(tile, inside, REACH, i, j, c);
        input_points(d, p);
#pragma GCC unroll 6
        for (int i = 0; i < REACH; i++) half[i][j] = p[i];
    }
}

/* The first half of B^T d B, of a vector of channels from c on: B^T d. */
ALWAYS_INLINE void input_columns(const Tile *tile, int c, Vec half[REACH][REACH])
{
    if (tile->first)
        input_columns_of(tile, true, c, half);
    else
        input_columns_of(tile, false, c, half);
}

/* B^T d B: point k to out + k * step. */
ALWAYS_INLINE void input_vector(const Tile *tile, int c, float *out, size_t step)
{
    Vec half[REACH][REACH], p[REACH];
    input_columns(tile, c, half);
#pragma GCC unroll 6
    for (int i = 0; i < REACH; i++) {
        input_points(half[i], p);
#pragma GCC unroll 6
        for (int j = 0; j < REACH; j++) *(Vec *)(out + (size_t)(i * REACH + j) * step) = p[j];
    }
}

ALWAYS_INLINE void delta_columns_of(const Tile *tile, bool inside, int c, Vec half[REACH][SIDE])
{
    Vec d[SIDE], p[REACH];
#pragma GCC unroll 4
    for (int j = 0; j < SIDE; j++) {
#pragma GCC unroll 4
        for (int i = 0; i < SIDE; i++) d[i] = pixel_of(tile, inside, SIDE, i, j, c);
        delta_points(d, p);
#pragma GCC unroll 6
        for (int i = 0; i < REACH; i++) half[i][j] = p[i];
    }
}

/* The first half of A dy A^T likewise. */
ALWAYS_INLINE void delta_columns(const Tile *tile, int c, Vec half[REACH][SIDE])
{
    if (tile->first)
        delta_columns_of(tile, true, c, half);
    else
        delta_columns_of(tile, false, c, half);
}

/* A dy A^T: point k to out + k * step. */
ALWAYS_INLINE void delta_vector(const Tile *tile, int c, float *out, size_t step)
{
    Vec half[REACH][SIDE], p[REACH];
    delta_columns(tile, c, half);
#pragma GCC unroll 6
    for (int i = 0; i < REACH; i++) {
        delta_points(half[i], p);
#pragma GCC unroll 6
        for (int j = 0; j < REACH; j++) *(Vec *)(out + (size_t)(i * REACH + j) * step) = p[j];
    }
}

/* What is done with outputs; constants where it counts. */
typedef struct Finish {
    bool bias, relu, gate, add;
} Finish;

/* Bias, ReLU, gate and sum of one vector of outputs at `at` numbers from the start of `out`. */
ALWAYS_INLINE void put(const SlbWinograd *a, Finish how, size_t at, int c, Vec v)
{
    const Vec zero = {0};
    if (how.bias) v += *(const Vec *)(a->bias + c);
    if (how.relu) v = (Vec)((Mask)v & ~(v < zero)); /* NaN stays NaN */
    if (how.gate) v = (Vec)((Mask)v & (load((const Pixel *)a->gate + at) > zero));
    Pixel *out = (Pixel *)a->out.pixels + at;
    store(out, how.add ? load(out) + v : v);
}

/* A^T m A of a tile at pixel (x, y) of the output: point k from m + k * step. */
ALWAYS_INLINE void output_tile(const SlbWinograd *a, Finish how, const float *m, size_t step,
                               size_t x, size_t y)
{
    size_t across = a->width - x < SIDE ? a->width - x : SIDE;
    size_t down = a->height - y < SIDE ? a->height - y : SIDE;
    size_t first = (y * a->out.row + x) * a->out.stride, row = a->out.row * a->out.stride;
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
#pragma GCC unroll 4
        for (size_t i = 0; i < SIDE; i++) {
            outputs_of(half[i], out);
#pragma GCC unroll 4
            for (size_t j = 0; j < SIDE; j++)
                if (i < down && j < across)
                    put(a, how, first + i * row + j * a->out.stride + (size_t)c, c, out[j]);
        }
    }
}

/* G g G^T of a vector of filters: tap t from taps + t * count, point k to points + k * step. */
ALWAYS_INLINE void filter_vector(const float *taps, size_t count, float *points, size_t step)
{
    Vec half[REACH][3], g[3], p[REACH];
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) {
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++) g[i] = *(const Vec *)(taps + (size_t)(3 * i + j) * count);
        tap_points(g, p);
#pragma GCC unroll 6
        for (int i = 0; i < REACH; i++) half[i][j] = p[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < REACH; i++) {
        tap_points(half[i], p);
#pragma GCC unroll 6
        for (int j = 0; j < REACH; j++) *(Vec *)(points + (size_t)(i * REACH + j) * step) = p[j];
    }
}

/* G^T s G of `count` sums, [36][count], added to [9][count]. */
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
