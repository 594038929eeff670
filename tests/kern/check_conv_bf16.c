/* bf16 convolutions and weight gradients, AMX on emulated tiles too, against sums in double: ReLU,
 * gate, padding; nothing read or written outside; the same bytes however the pixels are divided. */
#include "kern/check.h"

#include <math.h>

#include "kern/amx_emulated.h"
#include "kern/conv_bf16.h"

/* What a sum of n random products of numbers up to 1 may be off by, summed in float32 in any order;
 * and what a number may be that is rounded to bf16, as a part of itself. */
static double sum_error(size_t n)
{
    return 1e-6 + 1.2e-7 * (double)n;
}
static const double half_error = 1.0 / 256;

enum { FILL = 0xa5 };

typedef struct Case {
    int in, out, kernel; /* in: of the kernel, even */
    size_t row, pixels;  /* row: pixels from tap to tap below */
} Case;

static SlbBf16 random_half(SlbRng *rng)
{
    return slb_to_bf16((float)((double)slb_rng_below(rng, 2001) / 1000 - 1));
}

/* Kernels `number` of those that can run here. */
static const SlbBf16Kernels *kernels_of(int number)
{
    SlbCpu cpu;
    (void)slb_cpu_detect(&cpu);
#if defined(__x86_64__)
    if (number == 0) return cpu.bf16 ? &slb_bf16_avx512 : NULL;
    if (number == 1) return cpu.bf16 && cpu.level == SLB_CPU_AMX ? &slb_bf16_amx : NULL;
#endif
    return number == 2 ? emulated_bf16() : NULL;
}

static bool some_kernels(void)
{
    return kernels_of(0) || kernels_of(2);
}

/* -- forward -- */

typedef struct Forward {
    Case c;
    int taps, out_padded;
    size_t span; /* pixels of the input */
    Guarded in;  /* stride in + 2, but the last pixel has its channels alone */
    float *weight, *bias;
    SlbBf16 *gate;
} Forward;

static size_t reach_of(Case c)
{
    return c.kernel == 3 ? 2 * c.row + 2 : 0;
}

static size_t tap_pixel(Case c, int t)
{
    return (size_t)(t / 3) * c.row + (size_t)(t % 3);
}

/* Input at one end of its room; between the channels of two pixels NaN. */
static void fill_input(Forward *f, int at_end, uint64_t stream)
{
    SlbRng rng = check_rng(5000 + stream, 1);
    SlbBf16 *x = guarded_at(&f->in, at_end);
    for (size_t p = 0; p < f->span; p++)
        for (int i = 0; i < f->c.in + 2; i++) {
            size_t at = p * (size_t)(f->c.in + 2) + (size_t)i;
            if (at * sizeof *x < f->in.bytes) x[at] = i < f->c.in ? random_half(&rng) : 0x7fc0;
        }
}

static Forward make_forward(Case c, uint64_t stream)
{
    Forward f = {.c = c, .taps = c.kernel * c.kernel, .out_padded = slb_out_padded(c.out)};
    SlbRng rng = check_rng(5000 + stream, 0);
    f.span = c.pixels + reach_of(c);
    f.in = guarded_room((f.span * (size_t)(c.in + 2) - 2) * sizeof(SlbBf16));
    size_t weights = (size_t)(f.taps * c.in * f.out_padded);
    f.weight = room(weights, sizeof *f.weight);
    for (size_t k = 0; k < weights; k++)
        if ((int)(k % (size_t)f.out_padded) < c.out) f.weight[k] = slb_from_bf16(random_half(&rng));
    f.bias = room((size_t)f.out_padded, sizeof *f.bias);
    for (int o = 0; o < c.out; o++) f.bias[o] = (float)slb_rng_normal(&rng);
    f.gate = room(c.pixels * (size_t)f.out_padded, sizeof *f.gate);
    for (size_t k = 0; k < c.pixels * (size_t)f.out_padded; k++)
        f.gate[k] = k % 7 ? random_half(&rng) : 0x8000; /* among them -0 */
    return f;
}

static void free_forward(Forward *f)
{
    guarded_free(&f->in);
    slb_free(f->weight);
    slb_free(f->bias);
    slb_free(f->gate);
}

static double forward_sum(const Forward *f, const SlbBf16 *x, const float *bias, size_t p, int o)
{
    double sum = bias ? (double)bias[o] : 0.0;
    for (int t = 0; t < f->taps; t++)
        for (int i = 0; i < f->c.in; i++) {
            size_t at = (p + tap_pixel(f->c, t)) * (size_t)(f->c.in + 2) + (size_t)i;
            sum += (double)slb_from_bf16(x[at]) *
                   (double)f->weight[(size_t)(t * f->c.in + i) * (size_t)f->out_padded + (size_t)o];
        }
    return sum;
}

static void check_output(const Forward *f, const char *name, const SlbConvBf16 *a, const SlbBf16 *x)
{
    double error = sum_error((size_t)(f->taps * f->c.in + 1));
    for (size_t p = 0; p < f->c.pixels; p++)
        for (int o = 0; o < f->out_padded; o++) {
            size_t at = p * a->out_stride + (size_t)o;
            double want = o < f->c.out ? forward_sum(f, x, a->bias, p, o) : 0.0;
            if (a->relu && want < 0) want = 0;
            if (a->gate && !(slb_from_bf16(a->gate[p * a->gate_stride + (size_t)o]) > 0)) want = 0;
            double got = a->out_float ? (double)((float *)a->out)[at]
                                      : (double)slb_from_bf16(((SlbBf16 *)a->out)[at]);
            double allowed = error + (a->out_float ? 0 : half_error * fabs(want));
            if (!(fabs(got - want) <= allowed))
                fail_msg("%s: in %d out %d kernel %d pixels %zu: pixel %zu output %d is %g, not %g",
                         name, f->c.in, f->c.out, f->c.kernel, f->c.pixels, p, o, got, want);
        }
}

/* Calls the kernel for `first`..first + count of the pixels. */
static void run_part(const SlbBf16Kernels *k, SlbConvBf16 a, size_t first, size_t count)
{
    size_t element = a.out_float ? sizeof(float) : sizeof(SlbBf16);
    for (int t = 0; t < a.taps; t++) a.in[t] += first * a.in_stride;
    a.out = (char *)a.out + first * a.out_stride * element;
    if (a.gate) a.gate += first * a.gate_stride;
    a.pixels = count;
    k->conv(&a);
}

static void check_forward(const Forward *f, const SlbBf16Kernels *k, int form)
{
    int at_end = form & 1;
    const SlbBf16 *x = guarded_at(&f->in, at_end);
    SlbBf16 *packed = room(k->packed_elements(f->taps, f->c.in, f->out_padded), sizeof *packed);
    k->pack(f->weight, f->taps, f->c.in, f->out_padded, packed);
    SlbConvBf16 a = {.taps = f->taps,
                     .in_channels = f->c.in,
                     .in_stride = (size_t)f->c.in + 2,
                     .out_channels = f->out_padded,
                     .out_stride = (size_t)f->out_padded + 16,
                     .pixels = f->c.pixels,
                     .weight = packed,
                     .bias = form & 2 ? f->bias : NULL,
                     .gate = form & 4 ? f->gate : NULL,
                     .gate_stride = (size_t)f->out_padded,
                     .relu = form & 8,
                     .out_float = form & 2};
    for (int t = 0; t < a.taps; t++) a.in[t] = x + tap_pixel(f->c, t) * a.in_stride;
    size_t bytes = (a.pixels * a.out_stride + 32) * (a.out_float ? sizeof(float) : sizeof(SlbBf16));
    unsigned char *whole = room(bytes, 1), *parts = room(bytes, 1);
    memset(whole, FILL, bytes);
    memset(parts, FILL, bytes);
    a.out = whole;
    k->conv(&a);
    check_output(f, k->name, &a, x);
    a.out = parts;
    run_part(k, a, 0, a.pixels / 3);
    run_part(k, a, a.pixels / 3, a.pixels - a.pixels / 3);
    assert_memory_equal(whole, parts, bytes); /* and the gaps as they were, in all likelihood */
    size_t element = bytes / (a.pixels * a.out_stride + 32);
    for (size_t e = 0; e < a.pixels * a.out_stride + 32; e++) {
        if (e < a.pixels * a.out_stride && (int)(e % a.out_stride) < f->out_padded) continue;
        for (size_t b = 0; b < element; b++) assert_int_equal(whole[e * element + b], FILL);
    }
    slb_free(packed);
    slb_free(whole);
    slb_free(parts);
}

static const Case cases[] = {
    {2, 1, 1, 1, 1},     {2, 1, 3, 3, 1},      {16, 16, 3, 9, 7},   {18, 17, 3, 9, 15},
    {20, 33, 1, 9, 16},  {32, 32, 3, 6, 17},   {34, 48, 3, 9, 31},  {62, 64, 3, 5, 32},
    {64, 64, 3, 9, 33},  {66, 65, 3, 9, 34},   {80, 80, 1, 9, 47},  {96, 20, 3, 9, 63},
    {98, 64, 1, 9, 64},  {128, 96, 3, 9, 65},  {130, 3, 3, 42, 97}, {256, 16, 3, 9, 3},
    {64, 256, 1, 9, 12}, {48, 16, 3, 42, 271}, {254, 40, 1, 9, 5},
};
enum { CASES = sizeof cases / sizeof *cases };

static void test_forward(void **state)
{
    (void)state;
    if (!some_kernels()) skip();
    for (int i = 0; i < CASES; i++) {
        Forward f = make_forward(cases[i], (uint64_t)i);
        for (int form = 0; form < 16; form++) {
            fill_input(&f, form & 1, (uint64_t)i);
            for (int n = 0; n < 3; n++)
                if (kernels_of(n)) check_forward(&f, kernels_of(n), form);
        }
        free_forward(&f);
    }
}

/* An odd number of input channels is paired with zeros when packed. */
static void test_odd_channels(void **state)
{
    (void)state;
    if (!some_kernels()) skip();
    enum { IN = 33, OUT = 16, PIXELS = 5 };
    float weight[IN * OUT], out[PIXELS * OUT] __attribute__((aligned(64)));
    SlbBf16 in[PIXELS * (IN + 1)];
    SlbRng rng = check_rng(6, 0);
    for (int k = 0; k < IN * OUT; k++) weight[k] = slb_from_bf16(random_half(&rng));
    for (int k = 0; k < PIXELS * (IN + 1); k++) in[k] = random_half(&rng);
    for (int n = 0; n < 3; n++) {
        const SlbBf16Kernels *k = kernels_of(n);
        if (!k) continue;
        SlbBf16 *packed = room(k->packed_elements(1, IN, OUT), sizeof *packed);
        k->pack(weight, 1, IN, OUT, packed);
        SlbConvBf16 a = {.in = {in},
                         .taps = 1,
                         .in_channels = IN + 1,
                         .in_stride = IN + 1,
                         .out = out,
                         .out_channels = OUT,
                         .out_stride = OUT,
                         .pixels = PIXELS,
                         .weight = packed,
                         .out_float = true};
        k->conv(&a);
        for (int p = 0; p < PIXELS; p++)
            for (int o = 0; o < OUT; o++) {
                double want = 0;
                for (int i = 0; i < IN; i++)
                    want +=
                        (double)slb_from_bf16(in[p * (IN + 1) + i]) * (double)weight[i * OUT + o];
                assert_true(fabs(want - (double)out[p * OUT + o]) < 1e-4);
            }
        slb_free(packed);
    }
}

/* NaN comes through ReLU, an open gate and rounding; a closed gate stops it. */
static void test_not_a_number(void **state)
{
    (void)state;
    if (!some_kernels()) skip();
    float weight[2 * 16] = {1};
    SlbBf16 in[3 * 2] = {0x3f80, 0, 0x7fc0, 0, 0x3f80, 0}, gate[3 * 16];
    _Alignas(64) SlbBf16 out[3 * 16];
    for (int open = 0; open < 2; open++)
        for (int n = 0; n < 3; n++) {
            const SlbBf16Kernels *k = kernels_of(n);
            if (!k) continue;
            for (int i = 0; i < 3 * 16; i++) gate[i] = open ? 0x3f80 : 0xbf80;
            SlbBf16 *packed = room(k->packed_elements(1, 2, 16), sizeof *packed);
            k->pack(weight, 1, 2, 16, packed);
            SlbConvBf16 a = {.in = {in},
                             .taps = 1,
                             .in_channels = 2,
                             .in_stride = 2,
                             .out = out,
                             .out_channels = 16,
                             .out_stride = 16,
                             .pixels = 3,
                             .weight = packed,
                             .gate = gate,
                             .gate_stride = 16,
                             .relu = true};
            k->conv(&a);
            assert_int_equal(isnan(slb_from_bf16(out[16])) != 0, open);
            assert_int_equal(out[0], open ? 0x3f80 : 0);
            assert_int_equal(out[32], open ? 0x3f80 : 0);
            slb_free(packed);
        }
}

/* -- gradients of weights -- */

/* in and out: multiples of 16 (of 48 outputs 48, say); the tensor of the input is as the interface
 * has it: all finite, 3 pixels more behind the last that a tap reads. */
static void check_grad(Case c, uint64_t stream)
{
    SlbRng rng = check_rng(7000 + stream, 0);
    int taps = c.kernel * c.kernel;
    size_t in = (size_t)c.in, out = (size_t)c.out, x_stride = in + 16, d_stride = out + 16;
    Guarded x_room = guarded_room(((c.pixels + reach_of(c) + 3) * x_stride - 16) * sizeof(SlbBf16));
    Guarded d_room = guarded_room(((c.pixels + 3) * d_stride - 16) * sizeof(SlbBf16));
    SlbBf16 *x = guarded_at(&x_room, 1), *delta = guarded_at(&d_room, 1);
    for (size_t k = 0; k < x_room.bytes / sizeof *x; k++) x[k] = random_half(&rng);
    for (size_t k = 0; k < d_room.bytes / sizeof *delta; k++) delta[k] = random_half(&rng);
    size_t size = (size_t)taps * in * out;
    double *want = room(size, sizeof *want);
    for (int t = 0; t < taps; t++)
        for (size_t p = 0; p < c.pixels; p++)
            for (size_t i = 0; i < in; i++) {
                double v = (double)slb_from_bf16(x[(p + tap_pixel(c, t)) * x_stride + i]);
                for (size_t o = 0; o < out; o++)
                    want[((size_t)t * in + i) * out + o] +=
                        v * (double)slb_from_bf16(delta[p * d_stride + o]);
            }
    double error = sum_error(c.pixels);
    for (int n = 0; n < 3; n++) {
        const SlbBf16Kernels *k = kernels_of(n);
        if (!k) continue;
        size_t scratch = k->grad_scratch(c.in, c.out, reach_of(c));
        float *grad = room(size + 16, sizeof *grad);
        for (size_t j = 0; j < size + 16; j++) grad[j] = 0.5f; /* it is added to */
        unsigned char *work = room(scratch + 64, 1);
        memset(work, 0xff, scratch + 64); /* NaN */
        SlbGradBf16 a = {.taps = taps,
                         .in_channels = c.in,
                         .in_stride = x_stride,
                         .delta = delta,
                         .out_channels = c.out,
                         .delta_stride = d_stride,
                         .pixels = c.pixels,
                         .grad = grad,
                         .scratch = work};
        for (int t = 0; t < taps; t++) a.in[t] = x + tap_pixel(c, t) * x_stride;
        k->grad(&a);
        for (size_t j = 0; j < size; j++)
            if (!(fabs((double)grad[j] - 0.5 - want[j]) <= error))
                fail_msg("%s: in %d out %d kernel %d pixels %zu: tap %zu input %zu output %zu: %g, "
                         "not %g",
                         k->name, c.in, c.out, c.kernel, c.pixels, j / out / in, j / out % in,
                         j % out, (double)grad[j] - 0.5, want[j]);
        for (size_t j = 0; j < 16; j++) assert_true(grad[size + j] == 0.5f);
        for (size_t j = 0; j < 64; j++) assert_int_equal(work[scratch + j], 0xff);
        slb_free(grad);
        slb_free(work);
    }
    slb_free(want);
    guarded_free(&x_room);
    guarded_free(&d_room);
}

static void test_weight_gradients(void **state)
{
    (void)state;
    if (!some_kernels()) skip();
    static const Case grads[] = {
        {16, 16, 1, 1, 1},    {16, 16, 3, 3, 1},    {16, 32, 3, 4, 31},    {32, 16, 3, 9, 32},
        {32, 48, 3, 9, 33},   {48, 32, 1, 1, 64},   {48, 48, 3, 42, 65},   {64, 64, 3, 9, 255},
        {64, 16, 3, 9, 257},  {80, 96, 1, 1, 300},  {16, 64, 3, 30, 1023}, {32, 32, 3, 30, 1025},
        {16, 16, 3, 700, 40}, {32, 16, 1, 1, 2100}, {256, 16, 3, 5, 9},    {16, 256, 3, 5, 70},
    };
    for (size_t i = 0; i < sizeof grads / sizeof *grads; i++) check_grad(grads[i], i);
}

int check_conv_bf16(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_odd_channels),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_weight_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
