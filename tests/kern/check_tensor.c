/* Passes over tensors against one element at a time, bytes compared: any number of elements, values
 * at the ends of what a float can be, nothing read or written outside. */
#include "kern/check.h"

#include <math.h>

#include "kern/tensor.h"

/* -0, infinities, values next to ties of bf16 and of codes; else any. */
static float some_float(SlbRng *rng)
{
    static const float ends[] = {0.0f,    -0.0f,    INFINITY,    -INFINITY,   1e-45f, -1e-45f,
                                 3.4e38f, -3.4e38f, 1.00390625f, 1.01171875f, 0.5f,   -0.5f,
                                 1.5f,    -2.5f,    127.5f,      -128.5f,     255.5f, 1e-3f};
    uint64_t n = slb_rng_below(rng, 2 * sizeof ends / sizeof *ends);
    return n < sizeof ends / sizeof *ends ? ends[n] : 40.0f * (float)slb_rng_normal(rng);
}

enum { MOST = 150 };

/* Two inputs in float32 and in bf16, and the kernels' output, where pages end or begin. */
typedef struct Bed {
    size_t count;
    float a[MOST], b[MOST];
    SlbBf16 half_a[MOST], half_b[MOST];
    int at_end;
} Bed;

static Bed make_bed(size_t count, int at_end)
{
    Bed bed = {.count = count, .at_end = at_end};
    SlbRng rng = check_rng(10, count);
    for (size_t i = 0; i < count; i++) {
        bed.a[i] = some_float(&rng);
        bed.b[i] = isinf(bed.a[i]) ? 1.0f : some_float(&rng); /* no NaN: see tensor_tmpl.h */
        bed.half_a[i] = slb_to_bf16(bed.a[i]);
        bed.half_b[i] = isinf(slb_from_bf16(bed.half_a[i])) ? 0x3f80 : slb_to_bf16(bed.b[i]);
    }
    return bed;
}

/* A copy of `count` elements of `size` bytes in guarded memory. */
static void *guard(const Bed *bed, Guarded *g, const void *from, size_t size)
{
    *g = guarded_room(bed->count * size);
    void *at = guarded_at(g, bed->at_end);
    if (from)
        memcpy(at, from, bed->count * size);
    else
        memset(at, 0xa5, bed->count * size);
    return at;
}

static void same(const char *what, int level, const Bed *bed, const void *is, const void *want,
                 size_t size)
{
    if (memcmp(is, want, bed->count * size) != 0)
        fail_msg("%s, %s: %zu elements (SLBSR_SEED=%llu)", what,
                 slb_cpu_level_name((SlbCpuLevel)level), bed->count,
                 (unsigned long long)check_seed());
}

static float leaked(float x, float slope)
{
    float y = slope * x;
    return x > 0.0f ? x : y;
}

static void check_f32(const Bed *bed, int level)
{
    const SlbTensorOps *ops = slb_tensor_ops((SlbCpuLevel)level);
    Guarded ga, gb, go, gh;
    const float *a = guard(bed, &ga, bed->a, sizeof *a), *b = guard(bed, &gb, bed->b, sizeof *b);
    float *out = guard(bed, &go, NULL, sizeof *out), want[MOST];
    SlbBf16 *half = guard(bed, &gh, NULL, sizeof *half), want_half[MOST];
    ops->add_f32(a, b, bed->count, out);
    for (size_t i = 0; i < bed->count; i++) want[i] = a[i] + b[i];
    same("add_f32", level, bed, out, want, sizeof *out);
    ops->leak_f32(a, 0.1f, bed->count, out);
    for (size_t i = 0; i < bed->count; i++) want[i] = leaked(a[i], 0.1f);
    same("leak_f32", level, bed, out, want, sizeof *out);
    memcpy(out, b, bed->count * sizeof *out);
    ops->gate_f32(a, 0.25f, bed->count, out);
    for (size_t i = 0; i < bed->count; i++) want[i] = a[i] > 0.0f ? b[i] : 0.25f * b[i];
    same("gate_f32", level, bed, out, want, sizeof *out);
    ops->to_bf16(a, bed->count, half);
    for (size_t i = 0; i < bed->count; i++) want_half[i] = slb_to_bf16(a[i]);
    same("to_bf16", level, bed, half, want_half, sizeof *half);
    guarded_free(&ga);
    guarded_free(&gb);
    guarded_free(&go);
    guarded_free(&gh);
}

static void check_bf16(const Bed *bed, int level)
{
    const SlbTensorOps *ops = slb_tensor_ops((SlbCpuLevel)level);
    Guarded ga, gb, go, gf;
    const SlbBf16 *a = guard(bed, &ga, bed->half_a, sizeof *a);
    const SlbBf16 *b = guard(bed, &gb, bed->half_b, sizeof *b);
    SlbBf16 *out = guard(bed, &go, NULL, sizeof *out), want[MOST];
    float *wide = guard(bed, &gf, NULL, sizeof *wide), want_wide[MOST];
    ops->add_bf16(a, b, bed->count, out);
    for (size_t i = 0; i < bed->count; i++)
        want[i] = slb_to_bf16(slb_from_bf16(a[i]) + slb_from_bf16(b[i]));
    same("add_bf16", level, bed, out, want, sizeof *out);
    ops->leak_bf16(a, 0.1f, bed->count, out);
    for (size_t i = 0; i < bed->count; i++)
        want[i] = slb_to_bf16(leaked(slb_from_bf16(a[i]), 0.1f));
    same("leak_bf16", level, bed, out, want, sizeof *out);
    memcpy(out, b, bed->count * sizeof *out);
    ops->gate_bf16(a, 0.25f, bed->count, out);
    for (size_t i = 0; i < bed->count; i++) {
        float g = slb_from_bf16(b[i]), closed = 0.25f * g;
        want[i] = slb_to_bf16(slb_from_bf16(a[i]) > 0.0f ? g : closed);
    }
    same("gate_bf16", level, bed, out, want, sizeof *out);
    ops->to_f32(a, bed->count, wide);
    for (size_t i = 0; i < bed->count; i++) want_wide[i] = slb_from_bf16(a[i]);
    same("to_f32", level, bed, wide, want_wide, sizeof *wide);
    guarded_free(&ga);
    guarded_free(&gb);
    guarded_free(&go);
    guarded_free(&gf);
}

static void check_codes(const Bed *bed, int level)
{
    const SlbTensorOps *ops = slb_tensor_ops((SlbCpuLevel)level);
    Guarded ga, go;
    const float *a = guard(bed, &ga, bed->a, sizeof *a);
    uint8_t *out = guard(bed, &go, NULL, 1), want[MOST];
    for (int bits = 1; bits <= 8; bits *= 2)
        for (int positive = 0; positive < 2; positive++) {
            SlbCodes codes = slb_codes(bits, positive);
            ops->quantize(a, 3.7f, codes, bed->count, out);
            for (size_t i = 0; i < bed->count; i++) want[i] = slb_quantize(a[i], 3.7f, codes);
            same("quantize", level, bed, out, want, 1);
        }
    guarded_free(&ga);
    guarded_free(&go);
}

static void test_elements(void **state)
{
    (void)state;
    for (size_t count = 1; count < MOST; count += count < 40 ? 1 : 7)
        for (int at_end = 0; at_end < 2; at_end++) {
            Bed bed = make_bed(count, at_end);
            for (int level = 0; level < SLB_CPU_LEVELS; level++) {
                if (!slb_cpu_has((SlbCpuLevel)level)) continue;
                check_f32(&bed, level);
                check_bf16(&bed, level);
                check_codes(&bed, level);
            }
        }
}

/* -- pixels -- */

static void check_sums(size_t pixels, size_t channels, int level)
{
    const SlbTensorOps *ops = slb_tensor_ops((SlbCpuLevel)level);
    SlbRng rng = check_rng(11, pixels * 1000 + channels);
    size_t count = pixels * channels;
    Guarded gx = guarded_room(count * sizeof(float)), gh = guarded_room(count * sizeof(SlbBf16));
    float *x = guarded_at(&gx, 1), out[MOST], half_out[MOST], want[MOST], half_want[MOST];
    SlbBf16 *half = guarded_at(&gh, 1);
    for (size_t c = 0; c < channels; c++)
        out[c] = half_out[c] = want[c] = half_want[c] = (float)slb_rng_normal(&rng);
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)slb_rng_normal(&rng);
        half[i] = slb_to_bf16(x[i]);
        want[i % channels] += x[i];
        half_want[i % channels] += slb_from_bf16(half[i]);
    }
    ops->sum_f32(x, pixels, channels, out);
    ops->sum_bf16(half, pixels, channels, half_out);
    assert_memory_equal(out, want, channels * sizeof *out);
    assert_memory_equal(half_out, half_want, channels * sizeof *out);
    guarded_free(&gx);
    guarded_free(&gh);
}

static void check_signs(size_t pixels, size_t channels, int level)
{
    SlbRng rng = check_rng(12, pixels * 1000 + channels);
    size_t stride = channels + pixels % 3, bytes = (channels + 7) / 8, out_stride = bytes + 2;
    Guarded gx = guarded_room(((pixels - 1) * stride + channels) * sizeof(float));
    Guarded go = guarded_room((pixels - 1) * out_stride + bytes);
    float *x = guarded_at(&gx, 1);
    uint8_t *out = guarded_at(&go, 1);
    for (size_t i = 0; i < gx.bytes / sizeof *x; i++)
        x[i] = slb_rng_below(&rng, 20) ? some_float(&rng) : NAN;
    memset(out, 0xa5, go.bytes);
    slb_tensor_ops((SlbCpuLevel)level)->signs(x, pixels, stride, channels, out_stride, out);
    for (size_t k = 0; k < go.bytes; k++) {
        uint8_t want = k % out_stride < bytes ? 0 : 0xa5;
        for (size_t i = 0; i < 8; i++) {
            size_t c = k % out_stride * 8 + i;
            if (c < channels && x[k / out_stride * stride + c] >= 0.0f) want |= (uint8_t)(1u << i);
        }
        assert_int_equal(out[k], want);
    }
    guarded_free(&gx);
    guarded_free(&go);
}

static void test_pixels(void **state)
{
    (void)state;
    for (size_t channels = 1; channels < MOST; channels += 1 + channels / 5)
        for (size_t pixels = 1; pixels < 20; pixels += 1 + pixels / 2)
            for (int level = 0; level < SLB_CPU_LEVELS; level++) {
                if (!slb_cpu_has((SlbCpuLevel)level)) continue;
                check_sums(pixels, channels, level);
                check_signs(pixels, channels, level);
            }
}

int check_tensor(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
