/* The packed 3x3 convolution of codes of at most 7 bits with VPDPBUSD: kern/conv_u8_narrow.h. A
 * tile of ROWS pairs by VECTORS vectors of 16 outputs stays in registers for one product after the
 * other. */
#include "kern/conv_u8_avx512.h"
#include "kern/conv_u8_narrow_x86.h"

enum { TILE_OUT = VECTORS * LANES };

/* The four operands of the pairs from pixel `first` on, of one row of taps: product k of pair q to
 * out + (k * SLB_NARROW_ROWS * pairs + q) * channels. */
static void operands(const SlbConvU8 *a, const uint8_t *row, size_t first, size_t pairs,
                     uint8_t *out)
{
    size_t channels = (size_t)slb_out_padded(a->in_channels), stride = a->in_stride;
    size_t step = SLB_NARROW_ROWS * pairs * channels;
    const __m512i wide_middle = _mm512_set1_epi8((char)128);
    for (size_t q = 0; q < pairs; q++, out += channels) {
        const uint8_t *d = row + (first + 2 * q) * stride;
        size_t third = first + 2 * q + 1 < a->pixels ? 3 : 2; /* never beyond what taps read */
        size_t c = 0;
        for (; c + 64 <= channels; c += 64) {
            __m512i d0 = _mm512_loadu_si512(d + c), d1 = _mm512_loadu_si512(d + stride + c);
            __m512i d2 = _mm512_loadu_si512(d + 2 * stride + c);
            __m512i d3 = _mm512_loadu_si512(d + third * stride + c);
            _mm512_storeu_si512(out + c, _mm512_xor_si512(_mm512_sub_epi8(d0, d2), wide_middle));
            _mm512_storeu_si512(out + step + c, _mm512_add_epi8(d1, d2));
            _mm512_storeu_si512(out + 2 * step + c,
                                _mm512_xor_si512(_mm512_sub_epi8(d2, d1), wide_middle));
            _mm512_storeu_si512(out + 3 * step + c,
                                _mm512_xor_si512(_mm512_sub_epi8(d1, d3), wide_middle));
        }
        for (; c < channels; c += 16)
            slb_narrow_operands(d + c, d + third * stride + c, stride, step, out + c);
    }
}

/* One product for `rows` pairs and `vectors` vectors of outputs (constants): `in` + r * channels,
 * the next row of taps `row_step` bytes on. */
ALWAYS_INLINE void product(const uint8_t *in, size_t channels, size_t row_step,
                           const int8_t *weight, size_t group_bytes, const int32_t *start,
                           int32_t *out, int rows, int vectors)
{
    __m512i sum[ROWS][VECTORS];
    SLB_UNROLL
    for (int r = 0; r < rows; r++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++) sum[r][v] = _mm512_loadu_si512(start + v * LANES);
    }
    for (int k = 0; k < SLB_NARROW_ROWS;
         k++, in += row_step, weight += channels / GROUP * group_bytes)
        add_products(in, channels, channels, weight, group_bytes, rows, vectors, sum);
    SLB_UNROLL
    for (int r = 0; r < rows; r++) {
        SLB_UNROLL
        for (int v = 0; v < vectors; v++)
            _mm512_store_si512(out + r * TILE_OUT + v * LANES, sum[r][v]);
    }
}

/* Outputs o.. of `rows` pairs from pixel `pixel` on. */
ALWAYS_INLINE void tile(const SlbConvU8 *a, const uint8_t *in, size_t pairs, size_t pixel, int o,
                        int rows, int vectors)
{
    _Alignas(64) int32_t sums[SLB_NARROW_PRODUCTS][ROWS * TILE_OUT];
    _Alignas(64) int32_t start[SLB_NARROW_PRODUCTS][TILE_OUT];
    size_t channels = (size_t)slb_out_padded(a->in_channels);
    size_t group_bytes = (size_t)a->out_channels * GROUP;
    size_t product_bytes = SLB_NARROW_ROWS * channels * (size_t)a->out_channels;
    slb_narrow_start(a, o, vectors * LANES, TILE_OUT, start[0]);
    for (int k = 0; k < SLB_NARROW_PRODUCTS; k++)
        product(in + (size_t)k * SLB_NARROW_ROWS * pairs * channels, channels, pairs * channels,
                (const int8_t *)a->weight + (size_t)k * product_bytes + (size_t)o * GROUP,
                group_bytes, start[k], sums[k], rows, vectors);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            int at = r * TILE_OUT + v * LANES, c = o + v * LANES;
            __m512i m1 = _mm512_load_si512(sums[1] + at), m2 = _mm512_load_si512(sums[2] + at);
            __m512i first = _mm512_srai_epi32(_mm512_add_epi32(m1, m2), 1);
            __m512i second = _mm512_srai_epi32(_mm512_sub_epi32(m1, m2), 1);
            store(a, pixel + 2 * (size_t)r, c,
                  _mm512_add_epi32(first, _mm512_load_si512(sums[0] + at)));
            if (pixel + 2 * (size_t)r + 1 < a->pixels)
                store(a, pixel + 2 * (size_t)r + 1, c,
                      _mm512_sub_epi32(second, _mm512_load_si512(sums[3] + at)));
        }
}

/* All outputs of `rows` pairs, a constant. */
ALWAYS_INLINE void outputs(const SlbConvU8 *a, const uint8_t *in, size_t pairs, size_t pixel,
                           int rows)
{
    int o = 0;
    for (; o + TILE_OUT <= a->out_channels; o += TILE_OUT)
        tile(a, in, pairs, pixel, o, rows, VECTORS);
    for (; o < a->out_channels; o += LANES) tile(a, in, pairs, pixel, o, rows, 1);
}

static void run(const SlbConvU8 *a)
{
    _Alignas(64) uint8_t room[SLB_NARROW_ROOM];
    size_t channels = (size_t)slb_out_padded(a->in_channels), most = slb_narrow_pairs(channels);
    size_t all = (a->pixels + 1) / 2;
    for (size_t done = 0; done < all; done += most) {
        size_t pairs = all - done < most ? all - done : most;
        for (int k = 0; k < SLB_NARROW_ROWS; k++)
            operands(a, a->in[3 * k], 2 * done, pairs, room + (size_t)k * pairs * channels);
        for (size_t q = 0; q < pairs;) {
            const uint8_t *in = room + q * channels;
            size_t left = pairs - q, rows = left < ROWS ? left : ROWS;
            switch (rows) {
            case 6: outputs(a, in, pairs, 2 * (done + q), 6); break;
            case 5: outputs(a, in, pairs, 2 * (done + q), 5); break;
            case 4: outputs(a, in, pairs, 2 * (done + q), 4); break;
            case 3: outputs(a, in, pairs, 2 * (done + q), 3); break;
            case 2: outputs(a, in, pairs, 2 * (done + q), 2); break;
            default: outputs(a, in, pairs, 2 * (done + q), 1); break;
            }
            q += rows;
        }
    }
}

const SlbConvU8Kernel slb_conv_u8_narrow_avx512 = {.level = SLB_CPU_AVX512,
                                                   .name = "packed vnni, Winograd",
                                                   .packed_bytes = slb_narrow_packed_bytes,
                                                   .pack = slb_narrow_pack,
                                                   .run = run,
                                                   .narrow = true};
