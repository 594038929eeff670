/* Winograd's convolution: the walk over a picture. winograd.c and winograd_ISA.c include
 * winograd_points.h, then define how the points of tiles are kept and multiplied, then include
 * this, with NAME defined. The middle part (winograd_f32.h is one) has
 *
 *   Element: the type of a point;
 *
 *   TOGETHER: tiles that grad_input and grad_delta take at a time, 1 or 2;
 *
 *   input_tile: B^T d B of a tile, point k to out + k * step;
 *
 *   grad_input: the same of TOGETHER tiles, as multiply_grad wants them; a second that is NULL
 *   counts as zeros;
 *
 *   grad_delta: A dy A^T likewise;
 *
 *   multiply: one point of `tiles` tiles, [tiles][in] times weights to [tiles][out];
 *
 *   multiply_grad: one point, sums[in][out] = the products over the tiles, += with `add`;
 *
 *   weights: as SlbWinogradKernels has it. */
#include "kern/winograd.h"

static size_t tiles_across(uint32_t pixels)
{
    return (pixels + SIDE - 1) / SIDE;
}

/* A picture cut into tiles, and these into blocks of about the same size. */
typedef struct Blocks {
    size_t across, tiles; /* tiles of a row, of the picture */
    size_t most;          /* tiles of a block */
} Blocks;

/* `tile_bytes`: what one of its tiles takes. */
static Blocks blocks_of(uint32_t width, uint32_t height, size_t tile_bytes)
{
    Blocks b = {.across = tiles_across(width)};
    size_t room = slb_winograd_tiles(tile_bytes);
    b.tiles = b.across * tiles_across(height);
    size_t count = (b.tiles + room - 1) / room;
    b.most = (b.tiles + count - 1) / count;
    return b;
}

static size_t block_size(const Blocks *b, size_t first)
{
    return b->tiles - first < b->most ? b->tiles - first : b->most;
}

/* Elements between two points of a block: a cache line more than they need, so that the points of a
 * tile do not fall into the same sets of the first-level cache. */
static size_t step_of(const Blocks *b, int channels, size_t element)
{
    size_t tiles = (b->most + TOGETHER - 1) / TOGETHER * TOGETHER;
    return tiles * (size_t)channels + 64 / element;
}

/* The pixels of tile t, from `margin` pixels to the left of and above it on. */
static void tile_at(const SlbPlane *plane, uint32_t width, uint32_t height, const Blocks *b,
                    size_t t, int margin, Tile *tile)
{
    int64_t x = (int64_t)(t % b->across * SIDE), y = (int64_t)(t / b->across * SIDE);
    find_tile(plane, width, height, x - margin, y - margin, SIDE + 2 * margin, tile);
}

/* The tiles of a block from its products: tile t is the one number first + t. */
ALWAYS_INLINE void output_block(const SlbWinograd *a, Finish how, const Blocks *b, size_t first,
                                size_t count, const float *products, size_t step)
{
    for (size_t t = first; t < first + count; t++, products += a->out.channels)
        output_tile(a, how, products, step, t % b->across * SIDE, t / b->across * SIDE);
}

/* The cases of layers with and without ReLU, forward and backward, are compiled for themselves. */
static void finish_block(const SlbWinograd *a, const Blocks *b, size_t first, size_t count,
                         const float *products, size_t step)
{
#define FINISH(...) output_block(a, (Finish){__VA_ARGS__}, b, first, count, products, step)
    if (a->bias && a->relu && !a->gate && !a->add)
        FINISH(.bias = true, .relu = true);
    else if (a->bias && !a->relu && !a->gate && !a->add)
        FINISH(.bias = true);
    else if (!a->bias && !a->relu && a->gate && !a->add)
        FINISH(.gate = true);
    else if (!a->bias && !a->relu && !a->gate && a->add)
        FINISH(.add = true);
    else
        FINISH(a->bias != NULL, a->relu, a->gate != NULL, a->add);
#undef FINISH
}

static void conv(const SlbWinograd *a)
{
    if (a->width == 0 || a->height == 0) return;
    size_t in = (size_t)a->in.channels, out = (size_t)a->out.channels;
    Blocks b =
        blocks_of(a->width, a->height, POINTS * (in * sizeof(Element) + out * sizeof(float)));
    size_t in_step = step_of(&b, a->in.channels, sizeof(Element));
    size_t out_step = step_of(&b, a->out.channels, sizeof(float));
    const Element *weight = a->weight;
    Element *points = a->scratch;
    float *products = (float *)(void *)(points + POINTS * in_step);
    for (size_t first = 0; first < b.tiles; first += b.most) {
        size_t count = block_size(&b, first);
        for (size_t t = 0; t < count; t++) {
            Tile tile;
            tile_at(&a->in, a->width, a->height, &b, first + t, 1, &tile);
            input_tile(&tile, a->in.channels, points + t * in, in_step);
        }
        for (size_t k = 0; k < POINTS; k++)
            multiply(points + k * in_step, count, in, weight + k * in * out, out,
                     products + k * out_step);
        finish_block(a, &b, first, count, products, out_step);
    }
}

/* The points of a block of tiles of both tensors, TOGETHER at a time. */
static void grad_block(const SlbWinogradGrad *a, const Blocks *b, size_t first, size_t count,
                       Element *points, size_t in_step, Element *deltas, size_t out_step)
{
    for (size_t t = 0; t < count; t += TOGETHER) {
        Tile in[2], delta[2];
        bool both = t + 1 < count;
        for (size_t k = 0; k < TOGETHER && t + k < count; k++) {
            tile_at(&a->in, a->width, a->height, b, first + t + k, 1, &in[k]);
            tile_at(&a->delta, a->width, a->height, b, first + t + k, 0, &delta[k]);
        }
        grad_input(&in[0], both ? &in[1] : NULL, a->in.channels,
                   points + t * (size_t)a->in.channels, in_step);
        grad_delta(&delta[0], both ? &delta[1] : NULL, a->delta.channels,
                   deltas + t * (size_t)a->delta.channels, out_step);
    }
}

static void grad(const SlbWinogradGrad *a)
{
    if (a->width == 0 || a->height == 0) return;
    size_t in = (size_t)a->in.channels, out = (size_t)a->delta.channels;
    Blocks b = blocks_of(a->width, a->height, POINTS * (in + out) * sizeof(Element));
    size_t in_step = step_of(&b, a->in.channels, sizeof(Element));
    size_t out_step = step_of(&b, a->delta.channels, sizeof(Element));
    float *sums = a->scratch;
    Element *points = (Element *)(void *)(sums + POINTS * in * out);
    Element *deltas = points + POINTS * in_step;
    for (size_t first = 0; first < b.tiles; first += b.most) {
        size_t count = block_size(&b, first);
        grad_block(a, &b, first, count, points, in_step, deltas, out_step);
        for (size_t k = 0; k < POINTS; k++)
            multiply_grad(points + k * in_step, deltas + k * out_step, count, a->in.channels,
                          a->delta.channels, first > 0, sums + k * in * out);
    }
    add_taps(sums, in * out, a->grad);
}

const SlbWinogradKernels NAME = {conv, grad, weights};
