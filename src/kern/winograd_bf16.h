/* Points of tiles rounded to bf16 and multiplied by VDPBF16PS, two products a lane: the middle part
 * of winograd_tmpl.h. Points stand in pairs of input channels for `multiply`, in pairs of tiles for
 * `multiply_grad`. */
typedef SlbBf16 Element;

/* The register tile: 6 tiles (or input channels) by 4 vectors of 16 sums. */
enum { TOGETHER = 2, ROWS = 6, VECTORS = 4 };

ALWAYS_INLINE __m256i half_of(Vec v)
{
    return (__m256i)_mm512_cvtneps_pbh((__m512)v);
}

static void input_tile(const Tile *tile, int channels, SlbBf16 *out, size_t step)
{
    for (int c = 0; c < channels; c += LANES) {
        Vec half[REACH][REACH], p[REACH];
        input_columns(tile, c, half);
#pragma GCC unroll 6
        for (int i = 0; i < REACH; i++) {
            input_points(half[i], p);
#pragma GCC unroll 6
            for (int j = 0; j < REACH; j++)
                _mm256_storeu_si256((__m256i *)(out + (size_t)(i * REACH + j) * step + c),
                                    half_of(p[j]));
        }
    }
}

/* first[0], second[0], first[1], ... of every point as bf16, by integer arithmetic. Ties are
 * rounded away from zero. */
static void store_pairs(const Vec *first, const Vec *second, SlbBf16 *out, size_t step)
{
    enum { A_OR_B_AND_C = 0xf8 };
    const __m512i half = _mm512_set1_epi32(0x8000), high = _mm512_set1_epi32((int)0xffff0000);
    for (size_t k = 0; k < POINTS; k++) {
        __m512i low = _mm512_srli_epi32(_mm512_add_epi32((__m512i)first[k], half), 16);
        __m512i up = _mm512_add_epi32((__m512i)second[k], half);
        _mm512_store_si512(out + k * step, _mm512_ternarylogic_epi32(low, up, high, A_OR_B_AND_C));
    }
}

static void grad_input(const Tile *first, const Tile *second, int channels, SlbBf16 *out,
                       size_t step)
{
    Vec point[2][POINTS] = {0};
    for (int c = 0; c < channels; c += LANES) {
        input_vector(first, c, (float *)point[0], LANES);
        if (second) input_vector(second, c, (float *)point[1], LANES);
        store_pairs(point[0], point[1], out + 2 * c, step);
    }
}

static void grad_delta(const Tile *first, const Tile *second, int channels, SlbBf16 *out,
                       size_t step)
{
    Vec point[2][POINTS] = {0};
    for (int c = 0; c < channels; c += LANES) {
        delta_vector(first, c, (float *)point[0], LANES);
        if (second) delta_vector(second, c, (float *)point[1], LANES);
        store_pairs(point[0], point[1], out + 2 * c, step);
    }
}

/* sum[r][v] (+)= the products of `pairs` pairs: those of row r at a + r * a_row + k * a_pair, those
 * of the vectors at b + k * b_pair. Rows and vectors are constants. */
ALWAYS_INLINE void product(const SlbBf16 *a, size_t a_row, size_t a_pair, const SlbBf16 *b,
                           size_t b_pair, size_t pairs, float *sums, size_t sums_row, bool add,
                           int rows, int vectors)
{
    __m512 sum[ROWS][VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            sum[r][v] =
                add ? _mm512_load_ps(sums + (size_t)r * sums_row + v * LANES) : _mm512_setzero_ps();
    for (size_t k = 0; k < pairs; k++) {
        __m512bh w[VECTORS];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            w[v] = (__m512bh)_mm512_load_si512(b + k * b_pair + (size_t)v * 2 * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            __m512bh x = slb_pair_everywhere(a + (size_t)r * a_row + k * a_pair);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, w[v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            _mm512_store_ps(sums + (size_t)r * sums_row + v * LANES, sum[r][v]);
}

/* All outputs of `rows` rows, a constant. */
ALWAYS_INLINE void columns(const SlbBf16 *a, size_t a_row, size_t a_pair, const SlbBf16 *b,
                           size_t outputs, size_t pairs, float *sums, bool add, int rows)
{
    size_t o = 0;
    for (; o + VECTORS * LANES <= outputs; o += VECTORS * LANES)
        product(a, a_row, a_pair, b + 2 * o, 2 * outputs, pairs, sums + o, outputs, add, rows,
                VECTORS);
    for (; o < outputs; o += LANES)
        product(a, a_row, a_pair, b + 2 * o, 2 * outputs, pairs, sums + o, outputs, add, rows, 1);
}

/* `count` rows in even groups. */
ALWAYS_INLINE void all_rows(const SlbBf16 *a, size_t a_row, size_t a_pair, size_t count,
                            const SlbBf16 *b, size_t outputs, size_t pairs, float *sums, bool add)
{
    size_t rows;
    for (size_t left = count; left > 0; left -= rows) {
        size_t groups = (left + ROWS - 1) / ROWS;
        rows = (left + groups - 1) / groups;
        switch (rows) {
        case 1: columns(a, a_row, a_pair, b, outputs, pairs, sums, add, 1); break;
        case 2: columns(a, a_row, a_pair, b, outputs, pairs, sums, add, 2); break;
        case 3: columns(a, a_row, a_pair, b, outputs, pairs, sums, add, 3); break;
        case 4: columns(a, a_row, a_pair, b, outputs, pairs, sums, add, 4); break;
        case 5: columns(a, a_row, a_pair, b, outputs, pairs, sums, add, 5); break;
        default: columns(a, a_row, a_pair, b, outputs, pairs, sums, add, 6); break;
        }
        a += rows * a_row;
        sums += rows * outputs;
    }
}

static void multiply(const SlbBf16 *in, size_t tiles, size_t in_channels, const SlbBf16 *weight,
                     size_t out_channels, float *out)
{
    all_rows(in, in_channels, 2, tiles, weight, out_channels, in_channels / 2, out, false);
}

static void multiply_grad(const SlbBf16 *in, const SlbBf16 *delta, size_t tiles, int in_channels,
                          int out_channels, bool add, float *sums)
{
    size_t inputs = (size_t)in_channels;
    all_rows(in, 2, 2 * inputs, inputs, delta, (size_t)out_channels, (tiles + 1) / 2, sums, add);
}

/* Point k: [in / 2][out][2]. */
static void weights(const float *taps, int in_channels, int out_channels, void *points)
{
    size_t out = (size_t)out_channels, count = (size_t)in_channels * out;
    for (size_t i = 0; i < (size_t)in_channels; i += 2)
        for (size_t o = 0; o < out; o += LANES) {
            Vec point[2][POINTS];
            filter_vector(taps + i * out + o, count, (float *)point[0], LANES);
            filter_vector(taps + (i + 1) * out + o, count, (float *)point[1], LANES);
            store_pairs(point[0], point[1], (SlbBf16 *)points + i * out + 2 * o, count);
        }
}
