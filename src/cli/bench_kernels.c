/* slbsr bench kernels: every kernel that the level in use includes, on rows of a picture that lie
 * in the first-level caches, one thread. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cli/bench.h"
#include "kern/conv_grad.h"
#include "kern/conv_u8.h"
#include "kern/conv_xnor.h"
#include "kern/edge.h"
#include "kern/tensor.h"

enum {
    TAPS = 9,
    CHANNELS = 64,
    PIXELS = 96,
    ROW = PIXELS + 2,
    INPUTS = 3 * ROW * CHANNELS + 8 * CHANNELS, /* gradients may read a little further */
    OUTPUTS = PIXELS * CHANNELS,
    WEIGHTS = TAPS * CHANNELS * CHANNELS,
    NO_PEAK = SLB_PEAKS,
};

/* What kernels read and write: the same numbers as floats, halves and codes. */
typedef struct Bed {
    float in[INPUTS], out[OUTPUTS], weight[WEIGHTS], grad[WEIGHTS], bias[CHANNELS];
    SlbBf16 half[INPUTS], half_out[OUTPUTS];
    uint8_t code[INPUTS], code_out[OUTPUTS];
    int8_t small[WEIGHTS]; /* weights of -1 and +1 */
    int32_t int_bias[CHANNELS];
    void *packed, *scratch; /* of the kernel at hand */
} Bed;

/* One kernel on one layer. */
typedef struct Item {
    const char *kind, *name;
    int in, out;
    double operations;
    int peak; /* an SlbPeak; NO_PEAK: bound by memory */
    SlbCpuLevel level;
    const void *kernel; /* for `run`, where the kernels are tables */
    void (*run)(Bed *bed, const struct Item *item);
} Item;

typedef struct Bench {
    const BenchOptions *how;
    cJSON *list;
    Bed *bed;
    double peak[SLB_CPU_LEVELS][SLB_PEAKS]; /* of one thread; 0: not yet measured */
    SlbError *err;
} Bench;

static size_t tap_at(int t, int channels)
{
    return (size_t)((t / 3 * ROW + t % 3) * channels);
}

/* -- measuring -- */

/* Of this thread: what others do on the machine counts for less. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double peak_of(Bench *b, const Item *item)
{
    if (item->peak == NO_PEAK) return 0;
    double *peak = &b->peak[item->level][item->peak];
    SlbCpu cpu = b->how->cpu;
    cpu.level = item->level;
    bool known = *peak > 0;
    for (int i = 0; !known && i < 3; i++) {
        double start = cpu_seconds(), operations = slb_peak_run((SlbPeak)item->peak, &cpu, 300000);
        double rate = operations / (cpu_seconds() - start);
        if (rate > *peak) *peak = rate;
    }
    return *peak;
}

/* Seconds of one run, of enough of them to take 2 ms. */
static double time_runs(Bed *bed, const Item *item)
{
    for (long runs = 1;; runs *= 2) {
        double start = cpu_seconds();
        for (long i = 0; i < runs; i++) item->run(bed, item);
        double seconds = cpu_seconds() - start;
        if (seconds > 0.002) return seconds / (double)runs;
    }
}

static void measure(Bench *b, const Item *item)
{
    double taken[BENCH_MAX_REPEATS], peak = peak_of(b, item);
    for (int i = 0; i < b->how->repeats; i++) taken[i] = time_runs(b->bed, item);
    double rate = item->operations / bench_median(taken, b->how->repeats);
    char layer[32] = "";
    if (item->in) snprintf(layer, sizeof layer, "3x3 %d -> %d", item->in, item->out);
    if (!b->list) {
        printf("%-10s %-22s %-13s %9.1f GOP/s", item->kind, item->name, layer, rate / 1e9);
        if (peak > 0) printf("  %3.0f %% of peak", 100.0 * rate / peak);
        putchar('\n');
        return;
    }
    cJSON *row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "kind", item->kind);
    cJSON_AddStringToObject(row, "kernel", item->name);
    if (item->in) cJSON_AddStringToObject(row, "layer", layer);
    cJSON_AddNumberToObject(row, "gops", rate / 1e9);
    if (peak > 0) cJSON_AddNumberToObject(row, "share_of_peak", rate / peak);
    cJSON_AddItemToArray(b->list, row);
}

/* Room for packed weights; measures only where there is some. */
static SlbStatus with_packed(Bench *b, size_t bytes)
{
    slb_free(b->bed->packed);
    b->bed->packed = slb_calloc(bytes, 1);
    return b->bed->packed ? SLB_OK : slb_fail_memory(b->err, "the benchmark");
}

static Item conv_item(const char *kind, const char *name, SlbCpuLevel level, int peak)
{
    return (Item){.kind = kind,
                  .name = name,
                  .in = CHANNELS,
                  .out = CHANNELS,
                  .operations = 2.0 * WEIGHTS * PIXELS,
                  .peak = peak,
                  .level = level};
}

/* -- integers -- */

static void run_u8(Bed *bed, const Item *item)
{
    SlbConvU8 a = {.taps = TAPS,
                   .in_channels = CHANNELS,
                   .in_stride = CHANNELS,
                   .pixels = PIXELS,
                   .out_channels = CHANNELS,
                   .weight = bed->packed,
                   .bias = bed->int_bias,
                   .multiplier = bed->bias,
                   .out_u8 = bed->code_out,
                   .code_max = 255.0f,
                   .out_stride = CHANNELS};
    for (int t = 0; t < TAPS; t++) a.in[t] = bed->code + tap_at(t, CHANNELS);
    ((const SlbConvU8Kernel *)item->kernel)->run(&a);
}

static SlbStatus bench_u8(Bench *b)
{
    const SlbConvU8Kernel *k;
    SlbStatus s = SLB_OK;
    for (size_t i = 0; s == SLB_OK && (k = slb_conv_u8_at(i)); i++) {
        if (!slb_cpu_includes(b->how->cpu.level, k->level)) continue;
        Item item = conv_item("conv_u8", k->name, k->level, SLB_PEAK_INT8);
        item.kernel = k;
        item.run = run_u8;
        s = with_packed(b, k->packed_bytes(CHANNELS, CHANNELS, 3));
        if (s != SLB_OK) break;
        k->pack(b->bed->small, CHANNELS, CHANNELS, 3, b->bed->packed);
        measure(b, &item);
    }
    return s;
}

static void run_xnor(Bed *bed, const Item *item)
{
    SlbConvXnor a = {.taps = TAPS,
                     .in_channels = CHANNELS,
                     .in_stride = CHANNELS / 8,
                     .pixels = PIXELS,
                     .out_channels = CHANNELS,
                     .weight = bed->packed,
                     .bias = bed->int_bias,
                     .multiplier = bed->bias,
                     .out_f32 = bed->out,
                     .out_stride = CHANNELS};
    for (int t = 0; t < TAPS; t++) a.in[t] = bed->code + tap_at(t, CHANNELS / 8);
    ((const SlbConvXnorKernel *)item->kernel)->run(&a);
}

static SlbStatus bench_xnor(Bench *b)
{
    const SlbConvXnorKernel *k;
    SlbStatus s = with_packed(b, slb_xnor_packed_bytes(CHANNELS, CHANNELS, 3));
    if (s == SLB_OK) slb_xnor_pack(b->bed->small, CHANNELS, CHANNELS, 3, b->bed->packed);
    for (size_t i = 0; s == SLB_OK && (k = slb_conv_xnor_at(i)); i++) {
        if (!slb_cpu_includes(b->how->cpu.level, k->level)) continue;
        Item item = conv_item("conv_xnor", k->name, k->level, SLB_PEAK_BITS);
        item.kernel = k;
        item.run = run_xnor;
        measure(b, &item);
    }
    return s;
}

/* -- floats -- */

static void run_edge(Bed *bed, const Item *item)
{
    SlbConvEdge a = {.taps = TAPS,
                     .in_channels = item->in,
                     .in_stride = (size_t)item->in,
                     .pixels = PIXELS,
                     .out_channels = item->out,
                     .weight = bed->packed,
                     .bias = bed->bias,
                     .out_f32 = bed->out,
                     .out_stride = CHANNELS};
    for (int t = 0; t < TAPS; t++) a.in[t] = bed->in + tap_at(t, item->in);
    slb_conv_edge(item->level)(&a);
}

static void run_f32(Bed *bed, const Item *item)
{
    SlbConvF32 a = {.taps = TAPS,
                    .in_channels = CHANNELS,
                    .in_stride = CHANNELS,
                    .out = bed->out,
                    .out_channels = CHANNELS,
                    .out_stride = CHANNELS,
                    .pixels = PIXELS,
                    .weight = bed->weight,
                    .bias = bed->bias};
    for (int t = 0; t < TAPS; t++) a.in[t] = bed->in + tap_at(t, CHANNELS);
    slb_conv_f32(item->level)(&a);
}

static void run_grad(Bed *bed, const Item *item)
{
    SlbGradF32 a = {.taps = TAPS,
                    .in_channels = CHANNELS,
                    .in_stride = CHANNELS,
                    .delta = bed->out,
                    .out_channels = CHANNELS,
                    .delta_stride = CHANNELS,
                    .pixels = PIXELS,
                    .grad = bed->grad};
    for (int t = 0; t < TAPS; t++) a.in[t] = bed->in + tap_at(t, CHANNELS);
    slb_grad_f32(item->level)(&a);
}

static SlbStatus bench_edge(Bench *b, SlbCpuLevel level)
{
    static const int shapes[][2] = {{1, CHANNELS}, {3, CHANNELS}, {CHANNELS, 1}, {CHANNELS, 3}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int in = shapes[i][0], out = shapes[i][1];
        Item item = {.kind = "edge",
                     .name = slb_cpu_level_name(level),
                     .in = in,
                     .out = out,
                     .operations = 2.0 * TAPS * in * out * PIXELS,
                     .peak = SLB_PEAK_F32,
                     .level = level,
                     .run = run_edge};
        SlbStatus s = with_packed(b, slb_edge_floats(out, in, 3) * sizeof(float));
        if (s != SLB_OK) return s;
        slb_pack_edge(b->bed->weight, out, in, 3, b->bed->packed);
        measure(b, &item);
    }
    return SLB_OK;
}

/* -- bf16 -- */

static void run_bf16(Bed *bed, const Item *item)
{
    SlbConvBf16 a = {.taps = TAPS,
                     .in_channels = CHANNELS,
                     .in_stride = CHANNELS,
                     .out = bed->half_out,
                     .out_channels = CHANNELS,
                     .out_stride = CHANNELS,
                     .pixels = PIXELS,
                     .weight = bed->packed,
                     .bias = bed->bias};
    for (int t = 0; t < TAPS; t++) a.in[t] = bed->half + tap_at(t, CHANNELS);
    ((const SlbBf16Kernels *)item->kernel)->conv(&a);
}

static void run_bf16_grad(Bed *bed, const Item *item)
{
    SlbGradBf16 a = {.taps = TAPS,
                     .in_channels = CHANNELS,
                     .in_stride = CHANNELS,
                     .delta = bed->half_out,
                     .out_channels = CHANNELS,
                     .delta_stride = CHANNELS,
                     .pixels = PIXELS - 3, /* three more are read */
                     .grad = bed->grad,
                     .scratch = bed->scratch};
    for (int t = 0; t < TAPS; t++) a.in[t] = bed->half + tap_at(t, CHANNELS);
    ((const SlbBf16Kernels *)item->kernel)->grad(&a);
}

static SlbStatus bench_bf16(Bench *b, SlbCpuLevel level, const SlbBf16Kernels *k)
{
    Item item = conv_item("conv_bf16", k->name, level, SLB_PEAK_BF16);
    item.kernel = k;
    item.run = run_bf16;
    SlbStatus s = with_packed(b, k->packed_elements(TAPS, CHANNELS, CHANNELS) * sizeof(SlbBf16));
    b->bed->scratch = slb_calloc(k->grad_scratch(CHANNELS, CHANNELS, 2 * ROW + 2) + 1, 1);
    if (s == SLB_OK && !b->bed->scratch) s = slb_fail_memory(b->err, "the benchmark");
    if (s == SLB_OK) {
        k->pack(b->bed->weight, TAPS, CHANNELS, CHANNELS, b->bed->packed);
        measure(b, &item);
        item.kind = "grad_bf16";
        item.run = run_bf16_grad;
        item.operations *= (double)(PIXELS - 3) / PIXELS;
        measure(b, &item);
    }
    slb_free(b->bed->scratch);
    b->bed->scratch = NULL;
    return s;
}

/* -- passes over tensors: an element counts for an operation -- */

static void run_add(Bed *bed, const Item *item)
{
    slb_tensor_ops(item->level)->add_f32(bed->in, bed->in + OUTPUTS, OUTPUTS, bed->out);
}

static void run_leak(Bed *bed, const Item *item)
{
    slb_tensor_ops(item->level)->leak_f32(bed->in, 0.1f, OUTPUTS, bed->out);
}

static void run_gate(Bed *bed, const Item *item)
{
    slb_tensor_ops(item->level)->gate_f32(bed->in, 1.0f, OUTPUTS, bed->out);
}

static void run_sum(Bed *bed, const Item *item)
{
    slb_tensor_ops(item->level)->sum_f32(bed->in, PIXELS, CHANNELS, bed->grad);
}

static void run_to_bf16(Bed *bed, const Item *item)
{
    slb_tensor_ops(item->level)->to_bf16(bed->in, OUTPUTS, bed->half_out);
}

static void run_to_f32(Bed *bed, const Item *item)
{
    slb_tensor_ops(item->level)->to_f32(bed->half, OUTPUTS, bed->out);
}

static void run_quantize(Bed *bed, const Item *item)
{
    slb_tensor_ops(item->level)
        ->quantize(bed->in, 50.0f, slb_codes(8, false), OUTPUTS, bed->code_out);
}

static void run_signs(Bed *bed, const Item *item)
{
    slb_tensor_ops(item->level)
        ->signs(bed->in, PIXELS, CHANNELS, CHANNELS, CHANNELS / 8, bed->code_out);
}

static void bench_tensor(Bench *b, SlbCpuLevel level)
{
    static const struct {
        const char *name;
        void (*run)(Bed *bed, const Item *item);
    } passes[] = {{"add", run_add},           {"leak", run_leak},       {"gate", run_gate},
                  {"sum", run_sum},           {"to_bf16", run_to_bf16}, {"to_f32", run_to_f32},
                  {"quantize", run_quantize}, {"signs", run_signs}};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s %s", passes[i].name, slb_cpu_level_name(level));
        Item item = {.kind = "tensor",
                     .name = name,
                     .operations = OUTPUTS,
                     .peak = NO_PEAK,
                     .level = level,
                     .run = passes[i].run};
        measure(b, &item);
    }
}

/* -- all -- */

/* The levels in use that differ from the one below by `kernel_of`. */
static bool is_new(const Bench *b, SlbCpuLevel level, const void *now, const void **last)
{
    if (!slb_cpu_has(level) || !slb_cpu_includes(b->how->cpu.level, level)) return false;
    bool differs = now && now != *last;
    *last = now;
    return differs;
}

static SlbStatus bench_levels(Bench *b)
{
    const void *edge = NULL, *f32 = NULL, *grad = NULL, *half = NULL, *tensor = NULL;
    SlbStatus s = SLB_OK;
    for (int i = 0; s == SLB_OK && i < SLB_CPU_LEVELS; i++) {
        SlbCpuLevel level = (SlbCpuLevel)i;
        SlbCpu cpu = {level, b->how->cpu.bf16 && slb_cpu_includes(level, SLB_CPU_AVX512)};
        const SlbBf16Kernels *k = slb_bf16_kernels(&cpu);
        const char *name = slb_cpu_level_name(level);
        if (is_new(b, level, (const void *)slb_conv_edge(level), &edge)) s = bench_edge(b, level);
        Item item = conv_item("conv_f32", name, level, SLB_PEAK_F32);
        item.run = run_f32;
        if (is_new(b, level, (const void *)slb_conv_f32(level), &f32)) measure(b, &item);
        item.kind = "grad_f32";
        item.run = run_grad;
        if (is_new(b, level, (const void *)slb_grad_f32(level), &grad)) measure(b, &item);
        if (s == SLB_OK && is_new(b, level, k, &half)) s = bench_bf16(b, level, k);
        if (is_new(b, level, slb_tensor_ops(level), &tensor)) bench_tensor(b, level);
    }
    return s;
}

static void fill(Bed *bed)
{
    SlbRng rng = slb_rng(1, 0, 0);
    for (size_t i = 0; i < INPUTS; i++) {
        bed->in[i] = (float)slb_rng_normal(&rng);
        bed->half[i] = slb_to_bf16(bed->in[i]);
        bed->code[i] = slb_rng_next(&rng) & SLB_NARROW_MOST;
    }
    for (size_t i = 0; i < WEIGHTS; i++) {
        bed->weight[i] = 0.01f * (float)slb_rng_normal(&rng);
        bed->small[i] = slb_rng_below(&rng, 2) ? 1 : -1;
    }
    for (size_t i = 0; i < OUTPUTS; i++) {
        bed->out[i] = 0.01f * (float)slb_rng_normal(&rng);
        bed->half_out[i] = slb_to_bf16(bed->out[i]);
    }
    for (size_t i = 0; i < CHANNELS; i++) bed->bias[i] = 0.01f;
}

SlbStatus bench_kernels(const BenchOptions *how, SlbError *err)
{
    Bench b = {.how = how, .err = err, .bed = slb_calloc(1, sizeof *b.bed)};
    if (!b.bed) return slb_fail_memory(err, "the benchmark");
    if (how->json) b.list = cJSON_AddArrayToObject(how->json, "kernels_one_thread");
    fill(b.bed);
    SlbStatus s = bench_u8(&b);
    if (s == SLB_OK) s = bench_xnor(&b);
    if (s == SLB_OK) s = bench_levels(&b);
    slb_free(b.bed->packed);
    slb_free(b.bed);
    return s;
}
