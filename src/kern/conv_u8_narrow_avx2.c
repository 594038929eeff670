/* The packed 3x3 convolution of codes of at most 7 bits with VPMADDUBSW: kern/conv_u8_narrow.h.
 * Sums are kept in 16 bits as long as conv_u8_avx2.c says; the weights of m1 and m2 are up to three
 * times as large, so their sums are widened more often. */
#include "kern/conv_u8_avx2.h"
#include "kern/conv_u8_narrow_x86.h"

enum { TILE_OUT = VECTORS * LANES };

/* The four operands of the pairs from pixel `first` on, of one row of taps: product k of pair q to
 * out + (k * SLB_NARROW_ROWS * pairs + q) * channels. */
static void operands(const SlbConvU8 *a, const uint8_t *row, size_t first, size_t pairs,
                     uint8_t *out)
{
    size_t channels = (size_t)slb_out_padded(a->in_channels), stride = a->in_stride;
    size_t step = SLB_NARROW_ROWS * pairs * channels;
    for (size_t q = 0; q < pairs; q++, out += channels) {
        const uint8_t *d = row + (first + 2 * q) * stride;
        size_t third = first + 2 * q + 1 < a->pixels ? 3 : 2; /* never beyond what taps read */
        for (size_t c = 0; c < channels; c += 16)
            slb_narrow_operands(d + c, d + third * stride + c, stride, step, out + c);
    }
}

/* One product for `rows` pairs and `vectors` vectors of outputs (constants), `fit` groups between
 * two widenings: `in` + r * channels, the next row of taps `row_step` bytes on. */
ALWAYS_INLINE void product(const uint8_t *in, size_t channels, size_t row_step,
                           const int8_t *weight, size_t group_bytes, int fit, const int32_t *start,
                           int32_t *out, int rows, int vectors)
{
    __m256i wide[ROWS][VECTORS];
    int groups = (int)(channels / GROUP);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            wide[r][v] = _mm256_loadu_si256((const __m256i *)(start + v * LANES));
    for (int k = 0; k < SLB_NARROW_ROWS; k++, in += row_step)
        for (int g = 0; g < groups; g += fit) {
            int n = groups - g < fit ? groups - g : fit;
            add_groups(in + g * GROUP, channels, weight, group_bytes, n, rows, vectors, wide);
            weight += (size_t)n * group_bytes;
        }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            _mm256_store_si256((__m256i *)(out + r * TILE_OUT + v * LANES), wide[r][v]);
}

/* Outputs o.. of `rows` pairs from pixel `pixel` on. */
ALWAYS_INLINE void tile(const SlbConvU8 *a, const uint8_t *in, size_t pairs, size_t pixel, int o,
                        int rows, int vectors)
{
    _Alignas(32) int32_t sums[SLB_NARROW_PRODUCTS][ROWS * TILE_OUT];
    int32_t start[SLB_NARROW_PRODUCTS][TILE_OUT];
    size_t channels = (size_t)slb_out_padded(a->in_channels);
    size_t group_bytes = (size_t)a->out_channels * GROUP;
    size_t product_bytes = SLB_NARROW_ROWS * channels * (size_t)a->out_channels;
    slb_narrow_start(a, o, vectors * LANES, TILE_OUT, start[0]);
    for (int k = 0; k < SLB_NARROW_PRODUCTS; k++)
        product(in + (size_t)k * SLB_NARROW_ROWS * pairs * channels, channels, pairs * channels,
                (const int8_t *)a->weight + (size_t)k * product_bytes + (size_t)o * GROUP,
                group_bytes, slb_narrow_fit(a, k), start[k], sums[k], rows, vectors);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            int at = r * TILE_OUT + v * LANES, c = o + v * LANES;
            size_t p = pixel + 2 * (size_t)r;
            __m256i m[SLB_NARROW_PRODUCTS];
            for (int k = 0; k < SLB_NARROW_PRODUCTS; k++)
                m[k] = _mm256_load_si256((const __m256i *)(sums[k] + at));
            __m256i first = _mm256_srai_epi32(_mm256_add_epi32(m[1], m[2]), 1);
            __m256i second = _mm256_srai_epi32(_mm256_sub_epi32(m[1], m[2]), 1);
            store(a, p, c, _mm256_add_epi32(first, m[0]));
            if (p + 1 < a->pixels) store(a, p + 1, c, _mm256_sub_epi32(second, m[3]));
        }
}

/* All outputs of `rows` pairs, a constant. */
ALWAYS_INLINE void outputs(const SlbConvU8 *a, const uint8_t *in, size_t pairs, size_t pixel,
                           int rows)
{
    int o = 0;
    for (; o + TILE_OUT <= a->out_channels; o += TILE_OUT)
        tile(a, in, pairs, pixel, o, rows, VECTORS);
    for (; o < a->out_channels; o += 2 * LANES) tile(a, in, pairs, pixel, o, rows, 2);
}

static void run(const SlbConvU8 *a)
{
    _Alignas(64) uint8_t room[SLB_NARROW_ROOM];
    size_t channels = (size_t)slb_out_padded(a->in_channels), most = slb_narrow_pairs(channels);
    size_t all = (a->pixels + 1) / 2;
    for (size_t done = 0; done < all; done += most) {
        size_t pairs = all - done < most ? all - done : most, q = 0;
        for (int k = 0; k < SLB_NARROW_ROWS; k++)
            operands(a, a->in[3 * k], 2 * done, pairs, room + (size_t)k * pairs * channels);
        for (; q + ROWS <= pairs; q += ROWS)
            outputs(a, room + q * channels, pairs, 2 * (done + q), ROWS);
        for (; q < pairs; q++) outputs(a, room + q * channels, pairs, 2 * (done + q), 1);
    }
}

const SlbConvU8Kernel slb_conv_u8_narrow_avx2 = {.level = SLB_CPU_AVX2,
                                                 .name = "packed avx2, Winograd",
                                                 .packed_bytes = slb_narrow_packed_bytes,
                                                 .pack = slb_narrow_pack,
                                                 .run = run,
                                                 .narrow = true};
