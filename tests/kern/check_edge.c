/* The float convolutions of packed plans: the order of sums written down once more, naively, and
 * compared by equality; nothing read or written outside. */
#include "kern/check.h"
#include "kern/edge.h"
#include "quant/requant.h"

typedef struct Case {
    int in, out, kernel;
    size_t pixels;
    float size; /* of inputs and weights: 1, or so large that sums overflow */
} Case;

typedef struct Setup {
    Case c;
    int taps, padded;
    size_t stride, row; /* floats */
    Guarded in;         /* its last pixel ends with the channels that a kernel may read */
    float *weight, *packed, *bias;
} Setup;

static Setup make(Case c, SlbRng *rng, int at_end)
{
    Setup s = {.c = c, .taps = c.kernel * c.kernel, .padded = slb_out_padded(c.out)};
    int reach = c.kernel - 1, held = c.in <= SLB_EDGE_FEW ? c.in : slb_out_padded(c.in);
    s.stride = (size_t)held + (c.pixels % 2 ? 0 : 16);
    s.row = (c.pixels + (size_t)reach) * s.stride;
    size_t floats = (size_t)(reach + 1) * s.row - (s.stride - (size_t)held);
    s.in = guarded_room(floats * sizeof(float));
    float *in = guarded_at(&s.in, at_end);
    for (size_t k = 0; k < floats; k++)
        if (k % s.stride < (size_t)c.in) in[k] = c.size * (float)slb_rng_normal(rng);
    size_t weights = (size_t)(c.out * c.in * s.taps);
    s.weight = room(weights, sizeof *s.weight);
    for (size_t k = 0; k < weights; k++) s.weight[k] = c.size * (float)slb_rng_normal(rng);
    s.bias = room((size_t)s.padded, sizeof *s.bias);
    for (int o = 0; o < c.out; o++) s.bias[o] = (float)slb_rng_normal(rng);
    s.packed = room(slb_edge_floats(c.out, c.in, c.kernel), sizeof *s.packed);
    slb_pack_edge(s.weight, c.out, c.in, c.kernel, s.packed);
    return s;
}

static void drop(Setup *s)
{
    guarded_free(&s->in);
    slb_free(s->weight);
    slb_free(s->packed);
    slb_free(s->bias);
}

static float reference(const Setup *s, const float *in, size_t pixel, int o, bool relu)
{
    float part[16] = {0};
    for (int t = 0; t < s->taps; t++)
        for (int i = 0; i < s->c.in; i++) {
            size_t ky = (size_t)(t / s->c.kernel), kx = (size_t)(t % s->c.kernel);
            float x = in[ky * s->row + (pixel + kx) * s->stride + (size_t)i];
            volatile float product = x * s->weight[(o * s->c.in + i) * s->taps + t];
            part[i % 16] += product;
        }
    for (int n = 8; n; n /= 2)
        for (int j = 0; j < n; j++) part[j] = part[j] + part[j + n];
    float v = part[0] + s->bias[o];
    return relu && !(v > 0.0f) ? 0.0f : v;
}

static void compare(const Setup *s, SlbCpuLevel level, const SlbConvEdge *a, const float *in)
{
    for (size_t p = 0; p < s->c.pixels; p++)
        for (int o = 0; o < s->padded; o++) {
            size_t at = p * a->out_stride + (size_t)o;
            float want = o < s->c.out ? reference(s, in, p, o, a->relu) : 0.0f;
            bool same =
                a->out_f32
                    ? a->out_f32[at] == want || (a->out_f32[at] != a->out_f32[at] && want != want)
                    : a->out_u8[at] == slb_quantize_u8(want, a->inverse_step, a->code_max);
            if (!same)
                fail_msg("%s: in %d out %d kernel %d pixels %zu: pixel %zu output %d is %g, not %g "
                         "(SLBSR_SEED=%llu)",
                         slb_cpu_level_name(level), s->c.in, s->c.out, s->c.kernel, s->c.pixels, p,
                         o, a->out_f32 ? (double)a->out_f32[at] : (double)a->out_u8[at],
                         (double)want, (unsigned long long)check_seed());
        }
}

static void check_level(const Setup *s, SlbCpuLevel level, bool relu, int at_end)
{
    const float *in = guarded_at(&s->in, at_end);
    size_t outputs = s->c.pixels * (size_t)s->padded;
    SlbConvEdge a = {.taps = s->taps,
                     .in_channels = s->c.in,
                     .in_stride = s->stride,
                     .pixels = s->c.pixels,
                     .out_channels = s->c.out,
                     .weight = s->packed,
                     .bias = s->bias,
                     .relu = relu,
                     .inverse_step = 13.7f,
                     .code_max = (float)((1 << (8 >> s->c.out % 4)) - 1), /* 255, 15, 3, 1 */
                     .out_stride = (size_t)s->padded};
    for (int t = 0; t < s->taps; t++)
        a.in[t] = in + (size_t)(t / s->c.kernel) * s->row + (size_t)(t % s->c.kernel) * s->stride;
    for (int codes = 0; codes < 2; codes++) {
        Guarded out = guarded_room(outputs * (codes ? 1 : sizeof(float)));
        memset(guarded_at(&out, at_end), 0xff, out.bytes);
        a.out_u8 = codes ? guarded_at(&out, at_end) : NULL;
        a.out_f32 = codes ? NULL : guarded_at(&out, at_end);
        slb_conv_edge(level)(&a);
        compare(s, level, &a, in);
        guarded_free(&out);
    }
}

static void check_case(Case c, uint64_t index)
{
    for (int form = 0; form < 4; form++) {
        SlbRng rng = check_rng(3, index);
        Setup s = make(c, &rng, form & 1);
        for (int level = 0; level < SLB_CPU_LEVELS; level++)
            if (slb_cpu_has((SlbCpuLevel)level))
                check_level(&s, (SlbCpuLevel)level, form & 2, form & 1);
        drop(&s);
    }
}

static void test_the_order_of_sums_is_the_documented_one(void **state)
{
    (void)state;
    static const int channels[] = {1, 2, 3, 4, 16, 17, 64};
    enum { CHANNELS = sizeof channels / sizeof *channels };
    for (uint64_t i = 0; i < CHANNELS * CHANNELS * 2; i++)
        check_case((Case){.in = channels[i / 2 % CHANNELS],
                          .out = channels[i / 2 / CHANNELS],
                          .kernel = i % 2 ? 3 : 1,
                          .pixels = 1 + i % 9,
                          .size = i % 7 ? 1.0f : 1e19f},
                   i);
}

int check_edge(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_order_of_sums_is_the_documented_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
