/* A convolution with AMX for one kind of element; conv_u8_amx.c and conv_bf16_amx.c include this.
 * They define ARGS (the kernel's arguments), ELEMENT (of the weights; those of the input are as
 * large), SUM (int32_t or float), DOT (the product of tiles), WEIGHT (of the weights before they
 * are packed) and the functions
 *
 *   finish(const ARGS *a, size_t pixel, int o, const SUM *sums)
 *
 * which writes 16 outputs from `o` on of one pixel, and
 *
 *   pack_tile(const Unpacked *from, int tap, int o, Channels c, ELEMENT *to)
 *
 * which writes the weights of one tile.
 *
 * Blocking. Four tiles of sums: 2 x 16 pixels by 2 x 16 outputs; rows of pixels are rows of the
 * first factor as they lie in memory, the input's stride apart. Input channels are cut into blocks
 * of equal size of at most 64 bytes, so that one configuration serves the whole call; where the
 * last block would end behind the channels it begins earlier, and its weights are zero for what the
 * block before it had. Pixels likewise: tiles of equal height, the last one begins early enough to
 * end with the row, and computes a few pixels a second time, with the same result. So nothing
 * beyond the pixels and channels of the interface is read or written.
 *
 * The outer loop goes over pairs of output tiles, the inner one over pixels: the weights of a pair
 * stay in the first-level cache where they fit (3x3, 64 inputs: 18 KiB of int8; 36 KiB of bf16 come
 * in part from the second level), pixels stream through it.
 *
 * The sums of a block go through a buffer of 4 KiB. It is finished by AVX-512 while the tiles of
 * the next block are multiplied, a few rows after each step, so that neither unit waits.
 *
 * What to expect (reasoned, not measured; a product takes the tile unit 16 cycles, a load of a tile
 * 8 cycles of the two load ports): a step has 4 products, 64 cycles, and 4 loads, 32 cycles. Loops
 * of such steps alone reach 88 % of the peak from the first-level cache and 62 % with everything
 * from the second. For 3x3 64 -> 64 in int8 a block of 32 x 32 has 9 steps, 576 cycles; finishing
 * its 64 vectors takes about 64 x 8 operations, of the two vector ports some 250 cycles, and 64
 * cycles of the store port for the tiles: both fit beside the products. Some 75 to 85 % of the peak
 * for int8 and 65 to 80 % for bf16 are what remains to be seen. */
#include <stdbool.h>
#include <string.h>

#include "kern/amx_tile.h"
#include "kern/conv_f32.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    LANES = SLB_TILE_LANES,
    ROWS = SLB_TILE_ROWS,
    GROUP = 4 / sizeof(ELEMENT), /* elements of a dword, multiplied together */
    MAX_BLOCK = SLB_TILE_ROW_BYTES / sizeof(ELEMENT),
};

/* Input channels in blocks. */
typedef struct Blocks {
    int count, size; /* size: channels, a multiple of GROUP */
    int channels;    /* all of them, a multiple of GROUP */
} Blocks;

static Blocks blocks_of(int channels)
{
    int count = (channels + MAX_BLOCK - 1) / MAX_BLOCK;
    int size = ((channels + count - 1) / count + GROUP - 1) / GROUP * GROUP;
    return (Blocks){.count = count, .size = size, .channels = channels};
}

/* First channel of a block. Those from block * size on are new in it. */
static inline int block_first(Blocks b, int block)
{
    int first = block * b.size, last = b.channels - b.size;
    return first < last ? first : last;
}

/* Weights before they are packed. */
typedef struct Unpacked {
    const WEIGHT *weight;
    int taps, in_channels, out_channels;
} Unpacked;

/* `count` input channels from `first` on; the weights of those before `fresh` are to be zero. */
typedef struct Channels {
    int first, fresh, count;
} Channels;

/* Both are the including file's. */
ALWAYS_INLINE void finish(const ARGS *a, size_t pixel, int o, const SUM *sums);
static void pack_tile(const Unpacked *from, int tap, int o, Channels c, ELEMENT *to);

/* Elements of the weights in our layout: for each pair of output tiles (the last may be single)
 * [taps][blocks][tiles of the pair][size / GROUP][LANES][GROUP]. */
static size_t packed_elements(Blocks b, int taps, int out_channels)
{
    return (size_t)taps * (size_t)(b.count * b.size) * (size_t)slb_out_padded(out_channels);
}

static void pack_all(const Unpacked *from, Blocks b, ELEMENT *packed)
{
    int padded = slb_out_padded(from->out_channels);
    for (int pair = 0; pair < padded; pair += 2 * LANES)
        for (int t = 0; t < from->taps; t++)
            for (int k = 0; k < b.count; k++)
                for (int o = pair; o < padded && o < pair + 2 * LANES; o += LANES) {
                    Channels c = {.first = block_first(b, k), .fresh = k * b.size, .count = b.size};
                    pack_tile(from, t, o, c, packed);
                    packed += b.size * LANES;
                }
}

/* Sums that wait for being finished. */
typedef struct Waiting {
    const SUM *sums;   /* tiles 0..3, [ROWS][LANES] each */
    size_t pixel[2];   /* first ones of both tiles of pixels */
    int rows, rows_of; /* in all, of a tile */
} Waiting;

ALWAYS_INLINE void finish_rows(const ARGS *a, const Waiting *w, int o, int from, int to, int outs)
{
    for (int r = from; r < to && r < w->rows; r++) {
        int second = r >= w->rows_of, row = second ? r - w->rows_of : r;
        const SUM *sums = w->sums + (size_t)(2 * second * ROWS + row) * LANES;
        size_t pixel = w->pixel[second] + (size_t)row;
        finish(a, pixel, o, sums);
        if (outs == 2) finish(a, pixel, o + LANES, sums + ROWS * LANES);
    }
}

/* Tiles 0..3 = their biases. */
ALWAYS_INLINE void begin(const ARGS *a, int o, int outs)
{
    if (a->bias) {
        TILE_LOAD(0, a->bias + o, 0);
        TILE_LOAD(2, a->bias + o, 0);
        if (outs == 1) return;
        TILE_LOAD(1, a->bias + o + LANES, 0);
        TILE_LOAD(3, a->bias + o + LANES, 0);
    } else {
        TILE_ZERO(0);
        TILE_ZERO(2);
        if (outs == 1) return;
        TILE_ZERO(1);
        TILE_ZERO(3);
    }
}

/* One block of channels of one tap. */
ALWAYS_INLINE void step(const char *in, size_t first, size_t second, size_t pixel_bytes,
                        const ELEMENT *weight, size_t tile, int outs)
{
    TILE_LOAD(4, in + first * pixel_bytes, pixel_bytes);
    TILE_LOAD(5, in + second * pixel_bytes, pixel_bytes);
    TILE_LOAD(6, weight, SLB_TILE_ROW_BYTES);
    if (outs == 2) TILE_LOAD(7, weight + tile, SLB_TILE_ROW_BYTES);
    DOT(0, 4, 6);
    if (outs == 2) DOT(1, 4, 7);
    DOT(2, 5, 6);
    if (outs == 2) DOT(3, 5, 7);
}

ALWAYS_INLINE void end(SUM *sums, int outs)
{
    enum { TILE = ROWS * LANES };
    TILE_STORE(0, sums, SLB_TILE_ROW_BYTES);
    if (outs == 2) TILE_STORE(1, sums + TILE, SLB_TILE_ROW_BYTES);
    TILE_STORE(2, sums + 2 * TILE, SLB_TILE_ROW_BYTES);
    if (outs == 2) TILE_STORE(3, sums + 3 * TILE, SLB_TILE_ROW_BYTES);
}

/* All pixels of outputs o..o + 16 * outs - 1; outs is a constant. Returns the weights behind. */
ALWAYS_INLINE const ELEMENT *outputs(const ARGS *a, Blocks b, int rows, int o,
                                     const ELEMENT *weights, int outs)
{
    _Alignas(64) SUM sums[2][4 * ROWS * LANES];
    size_t pixel_bytes = a->in_stride * sizeof(ELEMENT), tile = (size_t)(b.size * LANES);
    size_t last = a->pixels - (size_t)rows;
    int share = (2 * rows + a->taps * b.count - 1) / (a->taps * b.count);
    Waiting waiting = {.rows = 0};
    const ELEMENT *weight = weights;
    for (size_t p = 0, turn = 0; p < a->pixels; p += 2 * (size_t)rows, turn ^= 1) {
        size_t first = p < last ? p : last;
        size_t second = p + (size_t)rows < last ? p + (size_t)rows : last;
        int finished = 0;
        weight = weights;
        begin(a, o, outs);
        for (int t = 0; t < a->taps; t++)
            for (int k = 0; k < b.count; k++) {
                const char *in = (const char *)(a->in[t] + block_first(b, k));
                step(in, first, second, pixel_bytes, weight, tile, outs);
                weight += tile * (size_t)outs;
                finish_rows(a, &waiting, o, finished, finished + share, outs);
                finished += share;
            }
        end(sums[turn], outs);
        waiting = (Waiting){
            .sums = sums[turn], .pixel = {first, second}, .rows = 2 * rows, .rows_of = rows};
    }
    finish_rows(a, &waiting, o, 0, waiting.rows, outs);
    return weight;
}

static void configure(Blocks b, int rows)
{
    SlbTileConfig config = {0};
    int block_bytes = b.size * (int)sizeof(ELEMENT);
    for (int i = 0; i < 4; i++) slb_tile_shape(&config, i, rows, SLB_TILE_ROW_BYTES);
    for (int i = 4; i < 6; i++) slb_tile_shape(&config, i, rows, block_bytes);
    for (int i = 6; i < 8; i++) slb_tile_shape(&config, i, b.size / GROUP, SLB_TILE_ROW_BYTES);
    TILE_CONFIGURE(&config);
}

static void convolve(const ARGS *a, int in_channels)
{
    if (a->pixels == 0) return;
    Blocks b = blocks_of(in_channels);
    size_t pairs = (a->pixels + 2 * ROWS - 1) / (2 * ROWS);
    int rows = (int)((a->pixels + 2 * pairs - 1) / (2 * pairs)); /* of each tile, equal */
    const ELEMENT *weight = a->weight;
    configure(b, rows);
    int o = 0;
    for (; o + 2 * LANES <= a->out_channels; o += 2 * LANES)
        weight = outputs(a, b, rows, o, weight, 2);
    if (o < a->out_channels) outputs(a, b, rows, o, weight, 1);
    TILE_RELEASE();
}
