/* AMX in plain C, for tests: kern/amx_tile.h takes these functions instead of instructions when
 * SLBSR_AMX_EMULATION is defined. A thread's tiles are its own; each file has a set to itself.
 *
 * Where the hardware raises an exception (#GP, #UD) the program is aborted with a message: a bad
 * configuration, a tile without a shape, shapes that do not fit, one tile named twice. Rows are
 * copied one at a time and no byte beyond row_bytes is touched, so a guard page or a sanitizer sees
 * what the kernel reads.
 *
 * TDPBF16PS as Intel's manual has it: of each row and column the even and the odd products are
 * summed apart with fused multiply-adds, then added, then added to the sum; every step rounds to
 * nearest even, denormal inputs count as zero, denormal results become zero. It differs from the
 * hardware in the sign and payload of NaN alone. */
#ifndef SLBSR_KERN_AMX_EMULATION_H
#define SLBSR_KERN_AMX_EMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row of a tile as dwords. */
typedef uint32_t SlbEmulatedBits __attribute__((vector_size(SLB_TILE_ROW_BYTES)));
typedef int32_t SlbEmulatedInts __attribute__((vector_size(SLB_TILE_ROW_BYTES)));

typedef struct SlbEmulatedTiles {
    bool configured;
    int rows[8], row_bytes[8];
    union {
        uint8_t bytes[SLB_TILE_ROWS][SLB_TILE_ROW_BYTES];
        uint32_t bits[SLB_TILE_ROWS][SLB_TILE_LANES];
        SlbEmulatedBits lanes[SLB_TILE_ROWS];
        float floats[SLB_TILE_ROWS][SLB_TILE_LANES];
    } tile[8];
} SlbEmulatedTiles;

static _Thread_local SlbEmulatedTiles slb_tiles;

static inline void slb_emulate_check(bool ok, const char *instruction, const char *what)
{
    if (ok) return;
    fprintf(stderr, "AMX emulation: %s: %s\n", instruction, what);
    abort();
}

static inline void slb_emulate_configure(const SlbTileConfig *c)
{
    bool zero = c->start_row == 0;
    for (int i = 0; i < 14; i++) zero = zero && c->reserved[i] == 0;
    for (int i = 8; i < 16; i++) zero = zero && c->rows[i] == 0 && c->row_bytes[i] == 0;
    slb_emulate_check(c->palette == 1, "ldtilecfg", "the palette is not 1");
    slb_emulate_check(zero, "ldtilecfg", "a reserved field is not 0");
    memset(&slb_tiles, 0, sizeof slb_tiles);
    for (int i = 0; i < 8; i++) {
        slb_emulate_check(c->rows[i] <= SLB_TILE_ROWS && c->row_bytes[i] <= SLB_TILE_ROW_BYTES,
                          "ldtilecfg", "a tile is too large");
        slb_emulate_check(!c->rows[i] == !c->row_bytes[i], "ldtilecfg", "half a shape");
        slb_tiles.rows[i] = c->rows[i];
        slb_tiles.row_bytes[i] = c->row_bytes[i];
    }
    slb_tiles.configured = true;
}

static inline void slb_emulate_release(void)
{
    memset(&slb_tiles, 0, sizeof slb_tiles);
}

static inline void slb_emulate_check_tile(int tile, const char *instruction)
{
    slb_emulate_check(slb_tiles.configured, instruction, "tiles are not configured");
    slb_emulate_check(tile >= 0 && tile < 8 && slb_tiles.rows[tile], instruction,
                      "the tile has no shape");
}

static inline void slb_emulate_zero(int tile)
{
    slb_emulate_check_tile(tile, "tilezero");
    memset(&slb_tiles.tile[tile], 0, sizeof slb_tiles.tile[tile]);
}

static inline void slb_emulate_load(int tile, const void *from, size_t stride)
{
    slb_emulate_zero(tile);
    for (int r = 0; r < slb_tiles.rows[tile]; r++)
        memcpy(slb_tiles.tile[tile].bytes[r], (const char *)from + (size_t)r * stride,
               (size_t)slb_tiles.row_bytes[tile]);
}

static inline void slb_emulate_store(int tile, void *to, size_t stride)
{
    slb_emulate_check_tile(tile, "tilestored");
    for (int r = 0; r < slb_tiles.rows[tile]; r++)
        memcpy((char *)to + (size_t)r * stride, slb_tiles.tile[tile].bytes[r],
               (size_t)slb_tiles.row_bytes[tile]);
}

static inline void slb_emulate_check_product(int sum, int a, int b, const char *name)
{
    const SlbEmulatedTiles *t = &slb_tiles;
    slb_emulate_check_tile(sum, name);
    slb_emulate_check_tile(a, name);
    slb_emulate_check_tile(b, name);
    slb_emulate_check(sum != a && sum != b && a != b, name, "one tile stands for two");
    slb_emulate_check(t->row_bytes[sum] % 4 == 0 && t->row_bytes[a] % 4 == 0, name,
                      "rows of broken dwords");
    slb_emulate_check(t->rows[sum] == t->rows[a] && t->row_bytes[sum] == t->row_bytes[b] &&
                          t->row_bytes[a] / 4 == t->rows[b],
                      name, "shapes do not fit");
}

static __attribute__((noinline, unused)) void slb_emulate_dpbusd(int sum, int a, int b)
{
    slb_emulate_check_product(sum, a, b, "tdpbusd");
    SlbEmulatedTiles *t = &slb_tiles;
    for (int m = 0; m < t->rows[sum]; m++) {
        SlbEmulatedBits *sums = &t->tile[sum].lanes[m]; /* they wrap round, as the hardware's do */
        for (int k = 0; k < t->rows[b]; k++) {          /* columns not in use are zero */
            const uint8_t *x = &t->tile[a].bytes[m][4 * k];
            const SlbEmulatedBits w = t->tile[b].lanes[k];
            *sums += x[0] * (SlbEmulatedBits)((SlbEmulatedInts)(w << 24) >> 24) +
                     x[1] * (SlbEmulatedBits)((SlbEmulatedInts)(w << 16) >> 24) +
                     x[2] * (SlbEmulatedBits)((SlbEmulatedInts)(w << 8) >> 24) +
                     x[3] * (SlbEmulatedBits)((SlbEmulatedInts)w >> 24);
        }
    }
}

/* Bits of a float32; denormal numbers become zero with their sign. */
static inline float slb_emulate_flush(uint32_t bits)
{
    union {
        uint32_t u;
        float f;
    } x = {bits & 0x7f800000 ? bits : bits & 0x80000000};
    return x.f;
}

static inline float slb_emulate_flushed(float value)
{
    union {
        float f;
        uint32_t u;
    } x = {value};
    return slb_emulate_flush(x.u);
}

static __attribute__((noinline, unused)) void slb_emulate_dpbf16(int sum, int a, int b)
{
    slb_emulate_check_product(sum, a, b, "tdpbf16ps");
    SlbEmulatedTiles *t = &slb_tiles;
    int columns = t->row_bytes[sum] / 4;
    for (int m = 0; m < t->rows[sum]; m++) {
        float even[SLB_TILE_LANES] = {0}, odd[SLB_TILE_LANES] = {0};
        for (int k = 0; k < t->rows[b]; k++) {
            uint32_t pair = t->tile[a].bits[m][k];
            float x = slb_emulate_flush(pair << 16), y = slb_emulate_flush(pair & 0xffff0000);
            const uint32_t *w = t->tile[b].bits[k];
            for (int n = 0; n < SLB_TILE_LANES; n++) {
                float v = slb_emulate_flush(w[n] << 16);
                float z = slb_emulate_flush(w[n] & 0xffff0000);
                even[n] = slb_emulate_flushed(__builtin_fmaf(x, v, even[n]));
                odd[n] = slb_emulate_flushed(__builtin_fmaf(y, z, odd[n]));
            }
        }
        for (int n = 0; n < columns; n++) {
            float both = slb_emulate_flushed(even[n] + odd[n]);
            float before = slb_emulate_flush(t->tile[sum].bits[m][n]);
            t->tile[sum].floats[m][n] = slb_emulate_flushed(before + both);
        }
    }
}

#endif
