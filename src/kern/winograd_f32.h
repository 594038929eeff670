/* Points of tiles kept and multiplied in float32: the middle part of winograd_tmpl.h. The including
 * file defines ROWS and VECTORS (the register tile) and SUM_GRAD (kern/conv_grad.h). */
#include "kern/conv_grad.h"

typedef float Element;

enum { TOGETHER = 1 };

static void input_tile(const Tile *tile, int channels, float *out, size_t step)
{
    for (int c = 0; c < channels; c += LANES) input_vector(tile, c, out + c, step);
}

static void grad_input(const Tile *first, const Tile *second, int channels, float *out, size_t step)
{
    (void)second;
    input_tile(first, channels, out, step);
}

static void grad_delta(const Tile *first, const Tile *second, int channels, float *out, size_t step)
{
    (void)second;
    for (int c = 0; c < channels; c += LANES) delta_vector(first, c, out + c, step);
}

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

static void multiply_grad(const float *in, const float *delta, size_t tiles, int in_channels,
                          int out_channels, bool add, float *sums)
{
    if (!add) memset(sums, 0, (size_t)in_channels * (size_t)out_channels * sizeof *sums);
    SlbGradF32 g = {.in = {in},
                    .taps = 1,
                    .in_channels = in_channels,
                    .in_stride = (size_t)in_channels,
                    .delta = delta,
                    .out_channels = out_channels,
                    .delta_stride = (size_t)out_channels,
                    .pixels = tiles,
                    .grad = sums};
    SUM_GRAD(&g);
}

static void weights(const float *taps, int in_channels, int out_channels, void *points)
{
    size_t count = (size_t)in_channels * (size_t)out_channels;
    for (size_t c = 0; c < count; c += LANES)
        filter_vector(taps + c, count, (float *)points + c, count);
}
