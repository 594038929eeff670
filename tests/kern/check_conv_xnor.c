/* Counting convolutions against plain loops over -1, 0 and +1, bytes compared: taps beyond the
 * border, nothing read or written outside. */
#include "kern/check.h"
#include "kern/conv_u8.h"
#include "kern/conv_xnor.h"
#include "quant/requant.h"

typedef enum Fill { FILL_RANDOM, FILL_EQUAL, FILL_OPPOSITE, FILLS } Fill;

typedef struct Case {
    int in, out, kernel;
    size_t pixels;
    Fill fill; /* EQUAL: all products are +1; OPPOSITE: -1 */
} Case;

typedef struct Setup {
    Case c;
    int taps, padded;
    size_t pixel, stride; /* bytes; the last pixel ends where its own do */
    int8_t *value;        /* [taps][pixels][in]: -1, +1, or 0 for pixels beyond the border */
    int8_t *weight;
    void *packed;
    int32_t *bias;
    float *multiplier;
    unsigned outside, first_outside, last_outside;
} Setup;

static bool is_outside(const Setup *s, int tap, size_t pixel)
{
    unsigned taps = s->outside | (pixel == 0 ? s->first_outside : 0) |
                    (pixel + 1 == s->c.pixels ? s->last_outside : 0);
    return taps >> tap & 1;
}

static int sign_of(Fill fill, SlbRng *rng)
{
    return fill == FILL_RANDOM ? 2 * (int)slb_rng_below(rng, 2) - 1 : 1;
}

static Setup make(Case c, SlbRng *rng)
{
    Setup s = {.c = c, .taps = c.kernel * c.kernel, .padded = slb_out_padded(c.out)};
    s.pixel = slb_xnor_bytes(c.in);
    s.stride = s.pixel + 8;
    if (s.taps == 9) { /* rows above and below, columns to the left and right, or none */
        static const unsigned rows[] = {0, 0007, 0700, 0707};
        s.outside = rows[slb_rng_below(rng, 4)];
        s.first_outside = slb_rng_below(rng, 2) ? 0111 : 0;
        s.last_outside = slb_rng_below(rng, 2) ? 0444 : 0;
    }
    s.value = room((size_t)s.taps * c.pixels, (size_t)c.in);
    for (size_t k = 0; k < (size_t)s.taps * c.pixels * (size_t)c.in; k++) {
        size_t p = k / (size_t)c.in;
        int v = sign_of(c.fill, rng);
        s.value[k] = (int8_t)(is_outside(&s, (int)(p / c.pixels), p % c.pixels) ? 0 : v);
    }
    size_t weights = (size_t)(c.out * c.in * s.taps);
    s.weight = room(weights, 1);
    for (size_t k = 0; k < weights; k++)
        s.weight[k] = (int8_t)(c.fill == FILL_OPPOSITE ? -1 : sign_of(c.fill, rng));
    s.packed = room(slb_xnor_packed_bytes(c.out, c.in, c.kernel), 1);
    slb_xnor_pack(s.weight, c.out, c.in, c.kernel, s.packed);
    s.bias = room((size_t)s.padded, sizeof *s.bias);
    s.multiplier = room((size_t)s.padded, sizeof *s.multiplier);
    for (int o = 0; o < c.out; o++) {
        s.bias[o] = c.fill == FILL_RANDOM ? (int32_t)slb_rng_below(rng, 201) - 100
                    : o % 2               ? -SLB_MAX_BIAS
                                          : SLB_MAX_BIAS;
        s.multiplier[o] = (float)(slb_rng_normal(rng) * 0.1);
    }
    return s;
}

static void drop(Setup *s)
{
    slb_free(s->value);
    slb_free(s->weight);
    slb_free(s->packed);
    slb_free(s->bias);
    slb_free(s->multiplier);
}

static float value_of(const Setup *s, size_t pixel, int o)
{
    int32_t sum = s->bias[o];
    for (int t = 0; t < s->taps; t++)
        for (int i = 0; i < s->c.in; i++)
            sum += s->value[((size_t)t * s->c.pixels + pixel) * (size_t)s->c.in + (size_t)i] *
                   s->weight[(o * s->c.in + i) * s->taps + t];
    return (float)sum * s->multiplier[o];
}

/* The bits of tap t where a page ends or begins that may not be touched; behind a pixel's own bytes
 * all bits are set, which must not count. */
static Guarded bits_of(const Setup *s, int tap, int at_end)
{
    Guarded g = guarded_room(s->c.pixels * s->stride - (s->stride - s->pixel));
    uint8_t *bits = guarded_at(&g, at_end);
    for (size_t p = 0; p < s->c.pixels; p++) {
        for (int i = 0; i < s->c.in; i++)
            if (s->value[((size_t)tap * s->c.pixels + p) * (size_t)s->c.in + (size_t)i] > 0)
                bits[p * s->stride + (size_t)i / 8] |= (uint8_t)(1 << i % 8);
        if (p + 1 < s->c.pixels) memset(bits + p * s->stride + s->pixel, 255, s->stride - s->pixel);
    }
    return g;
}

static void wrong(const Setup *s, const SlbConvXnorKernel *k, size_t p, int o, double is,
                  double want)
{
    fail_msg("%s: in %d out %d kernel %d pixels %zu fill %d outside %o %o %o: pixel %zu output %d "
             "is %.9g, not %.9g (SLBSR_SEED=%llu)",
             k->name, s->c.in, s->c.out, s->c.kernel, s->c.pixels, s->c.fill, s->outside,
             s->first_outside, s->last_outside, p, o, is, want, (unsigned long long)check_seed());
}

static void check_floats(const Setup *s, const SlbConvXnorKernel *k, SlbConvXnor a, int at_end)
{
    Guarded out = guarded_room(s->c.pixels * (size_t)s->padded * sizeof(float));
    a.out_f32 = guarded_at(&out, at_end);
    k->run(&a);
    for (size_t p = 0; p < s->c.pixels; p++)
        for (int o = 0; o < s->padded; o++) {
            float is = a.out_f32[p * a.out_stride + (size_t)o];
            float want = o < s->c.out ? value_of(s, p, o) : 0.0f;
            if (a.relu && !(want > 0.0f)) want = 0.0f;
            if (is != want) wrong(s, k, p, o, (double)is, (double)want);
        }
    guarded_free(&out);
}

static void check_codes(const Setup *s, const SlbConvXnorKernel *k, SlbConvXnor a, int at_end)
{
    Guarded out = guarded_room(s->c.pixels * (size_t)s->padded);
    a.out_u8 = guarded_at(&out, at_end);
    a.code_max = (float)((1 << (8 >> s->c.pixels % 4)) - 1); /* 255, 15, 3, 1 */
    k->run(&a);
    for (size_t p = 0; p < s->c.pixels; p++)
        for (int o = 0; o < s->padded; o++) {
            int is = a.out_u8[p * a.out_stride + (size_t)o];
            int want = o < s->c.out ? slb_code_u8(value_of(s, p, o), a.code_max) : 0;
            if (is != want) wrong(s, k, p, o, is, want);
        }
    guarded_free(&out);
}

static void check_case(Case c, uint64_t stream, uint64_t index)
{
    SlbRng rng = check_rng(stream, index);
    Setup s = make(c, &rng);
    const SlbConvXnorKernel *k;
    for (int at_end = 0; at_end < 2; at_end++) {
        SlbConvXnor a = {.taps = s.taps,
                         .in_channels = c.in,
                         .in_stride = s.stride,
                         .pixels = c.pixels,
                         .outside = s.outside,
                         .first_outside = s.first_outside,
                         .last_outside = s.last_outside,
                         .out_channels = s.padded,
                         .weight = s.packed,
                         .bias = s.bias,
                         .multiplier = s.multiplier,
                         .out_stride = (size_t)s.padded};
        Guarded bits[SLB_MAX_TAPS];
        for (int t = 0; t < s.taps; t++) {
            bits[t] = bits_of(&s, t, at_end);
            a.in[t] = guarded_at(&bits[t], at_end);
        }
        for (size_t i = 0; (k = slb_conv_xnor_at(i)); i++) {
            check_codes(&s, k, a, at_end);
            a.relu = i % 2;
            check_floats(&s, k, a, at_end);
            a.relu = !a.relu;
            check_floats(&s, k, a, at_end);
        }
        for (int t = 0; t < s.taps; t++) guarded_free(&bits[t]);
    }
    drop(&s);
}

static void test_every_kernel_gives_the_same_bytes(void **state)
{
    (void)state;
    static const Case cases[] = {
        {1, 1, 3, 1, FILL_RANDOM},    {64, 64, 3, 1, FILL_RANDOM},   {64, 64, 3, 9, FILL_RANDOM},
        {64, 64, 3, 17, FILL_EQUAL},  {64, 64, 3, 8, FILL_OPPOSITE}, {64, 64, 1, 5, FILL_RANDOM},
        {65, 17, 3, 4, FILL_RANDOM},  {1024, 3, 3, 2, FILL_EQUAL},   {1024, 3, 3, 3, FILL_OPPOSITE},
        {1000, 5, 1, 3, FILL_RANDOM}, {31, 33, 3, 6, FILL_RANDOM},   {33, 16, 3, 7, FILL_EQUAL},
        {128, 32, 3, 5, FILL_RANDOM}, {500, 2, 3, 3, FILL_OPPOSITE}, {2, 1024, 3, 3, FILL_RANDOM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(cases[i], 0, i);
}

static void test_random_sizes(void **state)
{
    (void)state;
    SlbRng rng = check_rng(1, 0);
    for (uint64_t i = 0; i < 60; i++) {
        Case c = {.in = 1 + (int)slb_rng_below(&rng, 150),
                  .out = 1 + (int)slb_rng_below(&rng, 80),
                  .kernel = slb_rng_below(&rng, 4) ? 3 : 1,
                  .pixels = 1 + (size_t)slb_rng_below(&rng, 24),
                  .fill = (Fill)slb_rng_below(&rng, FILLS)};
        check_case(c, 2, i);
    }
}

static void test_a_level_gets_a_kernel_that_it_can_run(void **state)
{
    (void)state;
    assert_ptr_equal(slb_conv_xnor(SLB_CPU_C), slb_conv_xnor_at(0));
    for (int level = 0; level < SLB_CPU_LEVELS; level++) {
        const SlbConvXnorKernel *k = slb_conv_xnor((SlbCpuLevel)level), *other;
        assert_true(slb_cpu_includes((SlbCpuLevel)level, k->level));
        size_t i = 0;
        while ((other = slb_conv_xnor_at(i)) && other != k) i++;
        assert_non_null(other); /* the machine runs it */
    }
}

int check_conv_xnor(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kernel_gives_the_same_bytes),
        cmocka_unit_test(test_random_sizes),
        cmocka_unit_test(test_a_level_gets_a_kernel_that_it_can_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
