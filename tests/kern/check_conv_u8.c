/* Packed convolutions, AMX on emulated tiles too, against three plain loops, bytes compared:
 * padding kept zero, nothing read or written outside. */
#include "kern/amx_emulated.h"
#include "kern/check.h"
#include "kern/conv_u8.h"
#include "net/graph.h"
#include "quant/requant.h"

enum { GUARD = 64, FILL = 0xa5 };

typedef struct Case {
    int in, out, kernel, bits;
    size_t pixels;
    bool extreme; /* all codes the largest; weights all at the one end, all at the other, or both in
                     turn */
} Case;

/* Everything one case needs; rows of pixels + 2 stand for three rows of a picture. */
typedef struct Setup {
    Case c;
    bool narrow; /* codes of at most SLB_NARROW_MOST */
    int taps, in_padded, out_padded;
    size_t row; /* bytes of an input row */
    uint8_t *input;
    int8_t *weight;
    int32_t *bias;
    float *multiplier;
    int32_t *sums; /* [pixels][out], what is to come out before it is requantized */
} Setup;

static int32_t reference(const Setup *s, size_t pixel, int o)
{
    int64_t sum = s->bias[o];
    for (int t = 0; t < s->taps; t++) {
        size_t ky = s->taps == 9 ? (size_t)t / 3 : 1, kx = s->taps == 9 ? (size_t)t % 3 : 1;
        const uint8_t *x = s->input + ky * s->row + (pixel + kx) * (size_t)s->in_padded;
        for (int i = 0; i < s->c.in; i++) sum += x[i] * s->weight[(o * s->c.in + i) * s->taps + t];
    }
    assert_true(sum >= INT32_MIN && sum <= INT32_MAX);
    return (int32_t)sum;
}

static void fill_weights(Setup *s, SlbRng *rng)
{
    int n = 1 << s->c.bits, size = s->c.in * s->taps;
    for (int o = 0; o < s->c.out; o++)
        for (int k = 0; k < size; k++) {
            int end = o % 3 == 0 || (o % 3 == 2 && k % 2) ? n - 1 : 1 - n;
            s->weight[o * size + k] =
                (int8_t)(s->c.extreme ? end : 2 * (int)slb_rng_below(rng, (uint64_t)n) - (n - 1));
        }
}

static Setup make(Case c, bool narrow, SlbRng *rng)
{
    const uint8_t most = narrow ? SLB_NARROW_MOST : 255;
    Setup s = {.c = c, .narrow = narrow, .taps = c.kernel * c.kernel};
    s.in_padded = slb_out_padded(c.in);
    s.out_padded = slb_out_padded(c.out);
    s.row = (c.pixels + 2) * (size_t)s.in_padded;
    s.input = room(3, s.row);
    for (size_t p = 0; p < 3 * (c.pixels + 2); p++)
        for (int i = 0; i < s.in_padded; i++) /* the padding, too, holds anything */
            s.input[p * (size_t)s.in_padded + (size_t)i] =
                c.extreme ? most : (uint8_t)slb_rng_next(rng) & most;
    s.weight = room((size_t)(c.out * c.in * s.taps), 1);
    fill_weights(&s, rng);
    s.bias = room((size_t)s.out_padded, sizeof *s.bias);
    s.multiplier = room((size_t)s.out_padded, sizeof *s.multiplier);
    for (int o = 0; o < c.out; o++) {
        s.bias[o] = c.extreme ? (o % 2 ? -SLB_MAX_BIAS : SLB_MAX_BIAS)
                              : (int32_t)slb_rng_below(rng, 20001) - 10000;
        s.multiplier[o] = (float)(slb_rng_normal(rng) * 0.01 / (1 << c.bits));
    }
    s.sums = room(c.pixels * (size_t)c.out, sizeof *s.sums);
    for (size_t p = 0; p < c.pixels; p++)
        for (int o = 0; o < c.out; o++) s.sums[p * (size_t)c.out + (size_t)o] = reference(&s, p, o);
    return s;
}

static void drop(Setup *s)
{
    slb_free(s->input);
    slb_free(s->weight);
    slb_free(s->bias);
    slb_free(s->multiplier);
    slb_free(s->sums);
}

static int32_t sum_of(const Setup *s, size_t pixel, int o)
{
    return s->sums[pixel * (size_t)s->c.out + (size_t)o];
}

static SlbConvU8 args_of(const Setup *s, const void *packed)
{
    SlbConvU8 a = {.taps = s->taps,
                   .in_channels = s->c.in,
                   .in_stride = (size_t)s->in_padded,
                   .pixels = s->c.pixels,
                   .out_channels = s->out_padded,
                   .weight = packed,
                   .bias = s->bias,
                   .multiplier = s->multiplier};
    for (int t = 0; t < s->taps; t++) {
        size_t ky = s->taps == 9 ? (size_t)t / 3 : 1, kx = s->taps == 9 ? (size_t)t % 3 : 1;
        a.in[t] = s->input + ky * s->row + kx * (size_t)s->in_padded;
    }
    return a;
}

/* `bytes` bytes between two guards, all FILL. */
static void *fenced(size_t bytes)
{
    unsigned char *block = room(bytes + 2 * GUARD, 1);
    memset(block, FILL, bytes + 2 * GUARD);
    return block + GUARD;
}

static void drop_fenced(void *inside, size_t bytes)
{
    unsigned char *block = (unsigned char *)inside - GUARD;
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(block[i], FILL);
        assert_int_equal(block[GUARD + bytes + i], FILL);
    }
    slb_free(block);
}

static void wrong(const Setup *s, const SlbConvU8Kernel *k, size_t pixel, int o, double is,
                  double want)
{
    fail_msg("%s: in %d out %d kernel %d bits %d pixels %zu: pixel %zu output %d is %.9g, not %.9g "
             "(SLBSR_SEED=%llu)",
             k->name, s->c.in, s->c.out, s->c.kernel, s->c.bits, s->c.pixels, pixel, o, is, want,
             (unsigned long long)check_seed());
}

static void check_codes(const Setup *s, const SlbConvU8Kernel *k, SlbConvU8 a)
{
    a.out_stride = (size_t)s->out_padded + 16; /* a gap that must stay untouched */
    size_t bytes = s->c.pixels * a.out_stride;
    uint8_t *out = fenced(bytes);
    a.out_u8 = out;
    a.code_max = (float)((1 << (8 >> s->c.pixels % 4)) - 1); /* 255, 15, 3, 1 */
    k->run(&a);
    for (size_t p = 0; p < s->c.pixels; p++)
        for (int o = 0; o < (int)a.out_stride; o++) {
            int want = o < s->c.out ? slb_requant_u8(sum_of(s, p, o), s->multiplier[o], a.code_max)
                       : o < s->out_padded ? 0
                                           : FILL;
            int is = out[p * a.out_stride + (size_t)o];
            if (is != want) wrong(s, k, p, o, is, want);
        }
    drop_fenced(out, bytes);
}

static void check_floats(const Setup *s, const SlbConvU8Kernel *k, SlbConvU8 a, bool relu)
{
    a.out_stride = (size_t)s->out_padded;
    a.relu = relu;
    size_t bytes = s->c.pixels * a.out_stride * sizeof(float);
    float *out = fenced(bytes);
    a.out_f32 = out;
    k->run(&a);
    for (size_t p = 0; p < s->c.pixels; p++)
        for (int o = 0; o < s->out_padded; o++) {
            float want = o < s->c.out ? (float)sum_of(s, p, o) * s->multiplier[o] : 0.0f;
            if (relu && want < 0.0f) want = 0.0f;
            float is = out[p * a.out_stride + (size_t)o];
            if (is != want) wrong(s, k, p, o, (double)is, (double)want);
        }
    drop_fenced(out, bytes);
}

/* Input and output end, then begin, where a page may not be touched. Of the last pixel there are
 * the padded channels alone, not the whole stride. */
static void check_guarded(const Setup *s, const SlbConvU8Kernel *k, SlbConvU8 a)
{
    size_t gap = 16, pixels = s->c.pixels + (s->taps == 9 ? 2 : 0), rows = s->taps == 9 ? 3 : 1;
    size_t pixel = (size_t)s->in_padded, stride = pixel + gap, row = pixels * stride;
    Guarded in = guarded_room(rows * row - gap), out = guarded_room(s->c.pixels * a.out_channels);
    for (int at_end = 0; at_end < 2; at_end++) {
        uint8_t *from = guarded_at(&in, at_end), *to = guarded_at(&out, at_end);
        for (size_t y = 0; y < rows; y++)
            for (size_t x = 0; x < pixels; x++) {
                size_t source = s->taps == 9 ? y * s->row + x * pixel : s->row + (x + 1) * pixel;
                memcpy(from + y * row + x * stride, s->input + source, pixel);
                if (x * stride + y * row + stride <= in.bytes) /* what may not count */
                    memset(from + y * row + x * stride + pixel, FILL, gap);
            }
        for (int t = 0; t < s->taps; t++)
            a.in[t] = from + (size_t)(t / 3) * row + (size_t)(t % 3) * stride;
        a.in_stride = stride;
        a.out_stride = (size_t)a.out_channels;
        a.out_u8 = to;
        a.code_max = 255.0f;
        k->run(&a);
        for (size_t p = 0; p < s->c.pixels; p++)
            for (int o = 0; o < s->c.out; o++)
                assert_int_equal(to[p * a.out_stride + (size_t)o],
                                 slb_requant_u8(sum_of(s, p, o), s->multiplier[o], 255.0f));
    }
    guarded_free(&in);
    guarded_free(&out);
}

static void check_kernel(const Setup *s, const SlbConvU8Kernel *k)
{
    size_t bytes = k->packed_bytes(s->c.out, s->c.in, s->c.kernel);
    void *packed = fenced(bytes);
    k->pack(s->weight, s->c.out, s->c.in, s->c.kernel, packed);
    SlbConvU8 a = args_of(s, packed);
    check_codes(s, k, a);
    check_floats(s, k, a, false);
    check_floats(s, k, a, true);
    check_guarded(s, k, a);
    drop_fenced(packed, bytes);
}

static bool takes(const SlbConvU8Kernel *k, const Setup *s)
{
    return !k->narrow || (s->narrow && s->c.kernel == 3);
}

static void check_case(Case c, uint64_t stream, uint64_t index)
{
    for (int narrow = 0; narrow < 2; narrow++) {
        SlbRng rng = check_rng(stream, index);
        Setup s = make(c, narrow != 0, &rng);
        const SlbConvU8Kernel *k;
        for (size_t i = 0; (k = slb_conv_u8_at(i)); i++)
            if (takes(k, &s)) check_kernel(&s, k);
        if (!narrow && emulated_conv_u8()) check_kernel(&s, emulated_conv_u8());
        drop(&s);
    }
}

static void test_every_kernel_gives_the_same_bytes(void **state)
{
    (void)state;
    static const Case cases[] = {
        {1, 1, 3, 1, 1, false},    {1, 1, 1, 4, 3, false},    {3, 5, 3, 2, 2, false},
        {16, 16, 3, 1, 7, false},  {17, 33, 3, 4, 5, false},  {64, 64, 3, 2, 11, false},
        {64, 64, 3, 1, 6, true},   {64, 64, 3, 4, 5, true},   {31, 64, 1, 1, 13, false},
        {64, 1, 3, 2, 4, false},   {130, 20, 3, 4, 3, true},  {1024, 2, 3, 4, 3, true},
        {2, 1024, 3, 1, 3, false}, {1024, 3, 3, 1, 2, true},  {100, 7, 3, 2, 9, true},
        {48, 48, 3, 3, 8, true},   {64, 64, 3, 2, 33, false}, {64, 32, 1, 2, 19, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(cases[i], 0, i);
}

/* Numbers around those at which a blocking changes its mind. */
static void test_blocks_and_what_remains(void **state)
{
    (void)state;
    static const int channels[] = {1,  15, 16, 17,  32,  33,  47,  48,  63,  64,
                                   65, 80, 96, 112, 128, 129, 144, 208, 272, 1000};
    static const int outputs[] = {1, 16, 17, 31, 32, 33, 48, 64, 65, 80};
    static const size_t pixels[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 34, 47, 63, 64, 65, 97, 271};
    enum { CHANNELS = sizeof channels / sizeof *channels };
    for (uint64_t i = 0; i < 3 * CHANNELS; i++) {
        SlbRng rng = check_rng(1, i);
        Case c = {.in = channels[i % CHANNELS],
                  .out = outputs[slb_rng_below(&rng, sizeof outputs / sizeof *outputs)],
                  .kernel = i % 2 ? 3 : 1,
                  .bits = 1 << slb_rng_below(&rng, 3),
                  .pixels = pixels[slb_rng_below(&rng, sizeof pixels / sizeof *pixels)]};
        check_case(c, 2, i);
    }
}

static void test_random_sizes(void **state)
{
    (void)state;
    SlbRng rng = check_rng(3, 0);
    for (uint64_t i = 0; i < 40; i++) {
        Case c = {.in = 1 + (int)slb_rng_below(&rng, 80),
                  .out = 1 + (int)slb_rng_below(&rng, 80),
                  .kernel = slb_rng_below(&rng, 4) ? 3 : 1,
                  .bits = 1 + (int)slb_rng_below(&rng, 4),
                  .pixels = 1 + (size_t)slb_rng_below(&rng, 24),
                  .extreme = slb_rng_below(&rng, 4) == 0};
        check_case(c, 4, i);
    }
}

static void test_a_level_gets_a_kernel_that_it_can_run(void **state)
{
    (void)state;
    assert_ptr_equal(slb_conv_u8(SLB_CPU_C), &slb_conv_u8_c);
    assert_ptr_equal(slb_conv_u8_at(0), &slb_conv_u8_c);
    size_t kernels = 0;
    while (slb_conv_u8_at(kernels)) kernels++;
    for (int l = 0; l < 2 * SLB_CPU_LEVELS; l++) {
        int level = l / 2;
        const SlbConvU8Kernel *k =
            l % 2 ? slb_conv_u8_narrow((SlbCpuLevel)level) : slb_conv_u8((SlbCpuLevel)level);
        assert_true(l % 2 || !k->narrow);
        assert_true(slb_cpu_includes((SlbCpuLevel)level, k->level));
        size_t i = 0;
        while (i < kernels && slb_conv_u8_at(i) != k) i++;
        assert_true(i < kernels); /* the machine runs it */
    }
}

int check_conv_u8(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kernel_gives_the_same_bytes),
        cmocka_unit_test(test_blocks_and_what_remains),
        cmocka_unit_test(test_random_sizes),
        cmocka_unit_test(test_a_level_gets_a_kernel_that_it_can_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
