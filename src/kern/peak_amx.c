#include "kern/amx_tile.h"
#include "kern/peak_isa.h"

/* 2 x 2 sums: enough to hide the latency, and all that kernels use. Tiles of zeros. */
enum { PRODUCTS = 4, ROWS = SLB_TILE_ROWS, LANES = SLB_TILE_LANES };

static void begin(void)
{
    SlbTileConfig config = {0};
    for (int i = 0; i < 8; i++) slb_tile_shape(&config, i, ROWS, SLB_TILE_ROW_BYTES);
    TILE_CONFIGURE(&config); /* all tiles become zero */
}

double slb_peak_int8_amx(long rounds)
{
    begin();
    for (long r = 0; r < rounds; r++) {
        TILE_DPBUSD(0, 4, 6);
        TILE_DPBUSD(1, 4, 7);
        TILE_DPBUSD(2, 5, 6);
        TILE_DPBUSD(3, 5, 7);
    }
    TILE_RELEASE();
    return 2.0 * PRODUCTS * ROWS * LANES * 64 * (double)rounds;
}

double slb_peak_bf16_amx(long rounds)
{
    begin();
    for (long r = 0; r < rounds; r++) {
        TILE_DPBF16(0, 4, 6);
        TILE_DPBF16(1, 4, 7);
        TILE_DPBF16(2, 5, 6);
        TILE_DPBF16(3, 5, 7);
    }
    TILE_RELEASE();
    return 2.0 * PRODUCTS * ROWS * LANES * 32 * (double)rounds;
}
