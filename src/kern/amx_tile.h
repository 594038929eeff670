/* The tile instructions of AMX, for the files _amx.c: eight tiles of at most 16 rows of 64 bytes.
 *
 * As assembly and not as intrinsics, since those of gcc 12 do not say that a load of a tile, or of
 * the configuration, reads memory: stores before it could be moved behind it. Tiles are named by
 * a digit: TILE_LOAD(4, address, stride_bytes).
 *
 * With SLBSR_AMX_EMULATION these are functions in plain C that check what the hardware checks, so
 * that the kernels can be tested on any machine with AVX-512. */
#ifndef SLBSR_KERN_AMX_TILE_H
#define SLBSR_KERN_AMX_TILE_H

#include <stdint.h>

/* What LDTILECFG loads. */
typedef struct SlbTileConfig {
    uint8_t palette; /* 1 */
    uint8_t start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16]; /* of tiles 0..7, a multiple of 4, at most 64; the rest 0 */
    uint8_t rows[16];       /* at most 16 */
} SlbTileConfig;

enum { SLB_TILE_ROWS = 16, SLB_TILE_ROW_BYTES = 64, SLB_TILE_LANES = 16 };

static inline void slb_tile_shape(SlbTileConfig *config, int tile, int rows, int row_bytes)
{
    config->palette = 1;
    config->rows[tile] = (uint8_t)rows;
    config->row_bytes[tile] = (uint16_t)row_bytes;
}

#ifdef SLBSR_AMX_EMULATION

#include "kern/amx_emulation.h"

#define TILE_CONFIGURE(config) slb_emulate_configure(config)
#define TILE_RELEASE() slb_emulate_release()
#define TILE_ZERO(tile) slb_emulate_zero(tile)
#define TILE_LOAD(tile, from, stride) slb_emulate_load(tile, from, stride)
#define TILE_STORE(tile, to, stride) slb_emulate_store(tile, to, stride)
#define TILE_DPBUSD(sum, a, b) slb_emulate_dpbusd(sum, a, b)
#define TILE_DPBF16(sum, a, b) slb_emulate_dpbf16(sum, a, b)

#else

/* Sets the shapes of all tiles and makes them zero. Between this and TILE_RELEASE the thread owns
 * tiles, which every switch to another thread has to save. */
#define TILE_CONFIGURE(config) __asm__ volatile("ldtilecfg (%0)" ::"r"(config) : "memory")
#define TILE_RELEASE() __asm__ volatile("tilerelease" ::: "memory")
#define TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile ::)

/* Rows `stride` bytes apart; a stride of 0 loads one row into all. */
#define TILE_LOAD(tile, from, stride)                                                              \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"((size_t)(stride))         \
                     : "memory")
#define TILE_STORE(tile, to, stride)                                                               \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"((size_t)(stride))       \
                     : "memory")

/* sum[m][n] += the products of the dword a[m][k] with b[k][n], over k: four bytes (a unsigned,
 * b signed, sums int32) or two bf16 (sums float32). */
#define TILE_DPBUSD(sum, a, b) __asm__ volatile("tdpbusd %%tmm" #b ", %%tmm" #a ", %%tmm" #sum ::)
#define TILE_DPBF16(sum, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum ::)

#endif

#endif
