#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench.h"
#include "cli/json_line.h"
#include "cli/message.h"
#include "kern/conv_bf16.h"
#include "kern/conv_grad.h"
#include "kern/winograd.h"
#include "train/run.h"

enum { CHANNELS = 64, TAPS = 9 };

/* The convolution that nearly all of the work is, 3x3 64 -> 64 on one patch, for each thread. */
typedef struct Bed {
    size_t row, pixels; /* of a flat patch: train/engine.h */
    float *in, *out, *weight, *grad, *points, *float_scratch;
    SlbBf16 *half_in, *half_out, *half_weight;
    void *scratch; /* of the bf16 kernels; NULL without them */
} Bed;

typedef enum Kernel {
    FORWARD_F32,
    GRAD_F32,
    FORWARD_WINOGRAD,
    GRAD_WINOGRAD,
    FORWARD_MIXED,
    GRAD_MIXED,
    FORWARD_HALF,
    GRAD_HALF,
    FORWARD_BF16,
    GRAD_BF16,
    KERNELS
} Kernel;

/* Operations are those of the direct way, so that Winograd's kernels can be above the peak. */
static const char *const kernel_names[KERNELS] = {"forward and backward-data, float32, direct",
                                                  "backward-weights, float32, direct",
                                                  "forward and backward-data, float32, Winograd",
                                                  "backward-weights, float32, Winograd",
                                                  "forward and backward-data, mixed",
                                                  "backward-weights, mixed",
                                                  "forward and backward-data, bf16, Winograd",
                                                  "backward-weights, bf16, Winograd",
                                                  "forward and backward-data, bf16, direct",
                                                  "backward-weights, bf16, direct"};

static bool bed_create(Bed *bed, int patch, const SlbBf16Kernels *half)
{
    size_t row = (size_t)patch + 1, pixels = row * (size_t)patch, all = pixels + 2 * row + 8;
    *bed = (Bed){.row = row, .pixels = pixels};
    bed->in = slb_calloc(all * CHANNELS, 2 * sizeof(float));
    bed->out = bed->in ? bed->in + all * CHANNELS : NULL;
    bed->half_in = slb_calloc(all * CHANNELS, 2 * sizeof(SlbBf16));
    bed->half_out = bed->half_in ? bed->half_in + all * CHANNELS : NULL;
    bed->weight = slb_calloc(TAPS * CHANNELS * CHANNELS, 2 * sizeof(float));
    bed->grad = bed->weight ? bed->weight + TAPS * CHANNELS * CHANNELS : NULL;
    bed->points = slb_calloc(SLB_WINOGRAD_POINTS * CHANNELS * CHANNELS, sizeof(float));
    bed->float_scratch = slb_calloc(slb_winograd_grad_scratch(CHANNELS, CHANNELS), sizeof(float));
    if (half) {
        bed->half_weight =
            slb_calloc(half->packed_elements(TAPS, CHANNELS, CHANNELS), sizeof(SlbBf16));
        bed->scratch = slb_calloc(half->grad_scratch(CHANNELS, CHANNELS, 2 * row + 2) + 1, 1);
    }
    return bed->in && bed->half_in && bed->weight && bed->points && bed->float_scratch &&
           (!half || (bed->half_weight && bed->scratch));
}

static void bed_free(Bed *bed)
{
    slb_free(bed->in);
    slb_free(bed->half_in);
    slb_free(bed->weight);
    slb_free(bed->points);
    slb_free(bed->float_scratch);
    slb_free(bed->half_weight);
    slb_free(bed->scratch);
}

static size_t tap_at(const Bed *bed, int t)
{
    return ((size_t)(t / 3) * bed->row + (size_t)(t % 3)) * CHANNELS;
}

static void run_f32(const Bed *bed, Kernel k, const SlbCpu *cpu)
{
    SlbConvF32 forward = {.taps = TAPS};
    SlbGradF32 grad = {.taps = TAPS};

    forward.in_channels = grad.in_channels = CHANNELS;
    forward.out_channels = grad.out_channels = CHANNELS;
    forward.in_stride = forward.out_stride = grad.in_stride = grad.delta_stride = CHANNELS;
    forward.pixels = grad.pixels = bed->pixels;
    forward.out = bed->out;
    forward.weight = bed->weight;
    forward.relu = true;
    grad.delta = bed->out;
    grad.grad = bed->grad;
    for (int t = 0; t < TAPS; t++) forward.in[t] = grad.in[t] = bed->in + tap_at(bed, t);
    if (k == FORWARD_F32)
        slb_conv_f32(cpu->level)(&forward);
    else
        slb_grad_f32(cpu->level)(&grad);
}

static void run_winograd(const Bed *bed, Kernel k, const SlbCpu *cpu)
{
    uint32_t side = (uint32_t)bed->row - 1;
    bool half = k == FORWARD_HALF || k == GRAD_HALF;
    SlbPlane in = {bed->in + tap_at(bed, TAPS / 2), CHANNELS, bed->row, CHANNELS};
    SlbPlane out = {bed->out, CHANNELS, bed->row, CHANNELS};
    if (half) in.pixels = bed->half_in + tap_at(bed, TAPS / 2);
    if (half) out.pixels = bed->half_out;
    SlbWinograd forward = {.in = in,
                           .out = out,
                           .width = side,
                           .height = side,
                           .weight = bed->points,
                           .relu = true,
                           .scratch = bed->float_scratch};
    SlbWinogradGrad grad = {.in = in,
                            .delta = out,
                            .width = side,
                            .height = side,
                            .grad = bed->grad,
                            .scratch = bed->float_scratch};
    const SlbWinogradKernels *winograd = half                 ? slb_winograd_half(cpu)
                                         : k >= FORWARD_MIXED ? slb_winograd_mixed(cpu)
                                                              : slb_winograd(cpu->level);
    if (k == FORWARD_WINOGRAD || k == FORWARD_MIXED || k == FORWARD_HALF)
        winograd->conv(&forward);
    else
        winograd->grad(&grad);
}

static void run_bf16(const Bed *bed, Kernel k, const SlbBf16Kernels *half)
{
    SlbConvBf16 forward = {.taps = TAPS};
    SlbGradBf16 grad = {.taps = TAPS};

    forward.in_channels = grad.in_channels = CHANNELS;
    forward.out_channels = grad.out_channels = CHANNELS;
    forward.in_stride = forward.out_stride = grad.in_stride = grad.delta_stride = CHANNELS;
    forward.pixels = grad.pixels = bed->pixels;
    forward.out = bed->half_out;
    forward.weight = bed->half_weight;
    forward.relu = true;
    grad.delta = bed->half_out;
    grad.grad = bed->grad;
    grad.scratch = bed->scratch;
    for (int t = 0; t < TAPS; t++) forward.in[t] = grad.in[t] = bed->half_in + tap_at(bed, t);
    if (k == FORWARD_BF16)
        half->conv(&forward);
    else
        half->grad(&grad);
}

static void run_kernel(const Bed *bed, Kernel k, const SlbCpu *cpu, const SlbBf16Kernels *half)
{
    if (k == FORWARD_F32 || k == GRAD_F32)
        run_f32(bed, k, cpu);
    else if (k < FORWARD_BF16)
        run_winograd(bed, k, cpu);
    else
        run_bf16(bed, k, half);
}

/* Operations a second of all threads, each on a patch of its own, `batch` patches in all. Those on
 * the pixels between rows, which some kernels compute too, are of no use and do not count. */
static SlbStatus time_kernel(const BenchOptions *how, Kernel k, double *rate, SlbError *err)
{
    double taken[BENCH_MAX_REPEATS];
    bool ok = true;
    const SlbBf16Kernels *half = slb_bf16_kernels(&how->cpu);
    Bed *beds = slb_calloc((size_t)how->threads, sizeof *beds);
    if (!beds) return slb_fail_memory(err, "the benchmark");
    const int patch = how->patch ? how->patch : 41;
    for (int t = 0; t < how->threads; t++) ok = bed_create(&beds[t], patch, half) && ok;
    for (int i = -1; ok && i < how->repeats; i++) {
        double start = slb_seconds();
#pragma omp parallel for num_threads(how->threads) schedule(static, 1)
        for (int t = 0; t < how->threads; t++)
            for (int p = t; p < how->batch; p += how->threads)
                run_kernel(&beds[t], k, &how->cpu, half);
        if (i >= 0) taken[i] = slb_seconds() - start;
    }
    double operations = 2.0 * TAPS * CHANNELS * CHANNELS * patch * patch * how->batch;
    for (int t = 0; t < how->threads; t++) bed_free(&beds[t]);
    slb_free(beds);
    if (!ok) return slb_fail_memory(err, "the benchmark");
    *rate = operations / bench_median(taken, how->repeats);
    return SLB_OK;
}

static SlbStatus kernels(const BenchOptions *how, SlbError *err)
{
    cJSON *list = how->json ? cJSON_AddArrayToObject(how->json, "kernels_3x3_64_64") : NULL;
    for (int k = 0; k < KERNELS; k++) {
        bool half = k >= FORWARD_MIXED;
        if (half && !how->cpu.bf16) continue;
        double rate = 0, most = how->peak[half ? SLB_PEAK_BF16 : SLB_PEAK_F32];
        SlbStatus s = time_kernel(how, (Kernel)k, &rate, err);
        if (s != SLB_OK) return s;
        if (!how->json) {
            printf("%-45s %8.1f GFLOP/s  %3.0f %% of peak\n", kernel_names[k], rate / 1e9,
                   100.0 * rate / most);
            continue;
        }
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "kernel", kernel_names[k]);
        cJSON_AddNumberToObject(row, "gflops", rate / 1e9);
        cJSON_AddNumberToObject(row, "share_of_peak", rate / most);
        cJSON_AddItemToArray(list, row);
    }
    return SLB_OK;
}

/* What processes that share a batch tell each other; also what they would, when this is the only
 * one. */
static void tell_messages(const Run *run, const SlbExchangeTimes *t, double n, cJSON *row)
{
    int convs = run->graph->conv_count;
    double all = 0;
    cJSON *sizes = row ? cJSON_AddArrayToObject(row, "gradient_bytes") : NULL;
    for (int i = 0; i < convs; i++) {
        double bytes = (double)slb_reduction_floats(run->reduction, i) * sizeof(float);
        all += bytes;
        if (row) cJSON_AddItemToArray(sizes, cJSON_CreateNumber(bytes));
    }
    if (row) {
        cJSON_AddNumberToObject(row, "sent_bytes", t->bytes / n);
        cJSON_AddNumberToObject(row, "messages", t->messages / n);
        cJSON_AddNumberToObject(row, "exchange", t->seconds / n * 1e3);
        cJSON_AddNumberToObject(row, "exchange_waited", t->waited / n * 1e3);
        return;
    }
    printf("  gradients of %d convolutions, %.2f MB", convs, all / 1e6);
    if (run->options->comm)
        printf("; %.2f MB sent in %.0f messages, %.1f ms from the first to the last, of which %.1f "
               "ms not hidden",
               t->bytes / n / 1e6, t->messages / n, t->seconds / n * 1e3, t->waited / n * 1e3);
    putchar('\n');
}

static void tell_step(const BenchOptions *how, const Run *run, int bits, double step, double peak,
                      const SlbExchangeTimes *exchange)
{
    const RunTimes *t = &run->times;
    double n = (double)run->now.step, flops = 6.0 * bench_macs(run->graph) * run->options->patch *
                                              run->options->patch * run->options->batch;
    static const char *const names[] = {
        [SLB_FLOAT32] = "float32", [SLB_BFLOAT16] = "bf16", [SLB_MIXED] = "mixed"};
    const char *precision = names[run->options->precision];
    const struct {
        const char *name;
        double seconds;
    } parts[] = {{"weights", t->weights},   {"patches", t->patches}, {"forward", t->forward},
                 {"backward", t->backward}, {"reduce", t->reduce},   {"gradients", t->gradients},
                 {"update", t->update}};
    cJSON *row = how->json ? cJSON_CreateObject() : NULL;
    if (row) {
        cli_json_text(row, "net", run->options->net);
        cJSON_AddStringToObject(row, "precision", precision);
        cJSON_AddNumberToObject(row, "bits", bits);
        cJSON_AddNumberToObject(row, "step_ms", step * 1e3);
        cJSON_AddNumberToObject(row, "gflops", flops / step / 1e9);
        cJSON_AddNumberToObject(row, "share_of_peak", flops / step / peak);
        cJSON_AddNumberToObject(row, "data_share", t->patches / n / step);
    } else {
        printf("step, ");
        cli_print_clean(run->options->net);
        printf(", %s, %d bits: %.1f ms, %.1f GFLOP/s, %.0f %% of peak\n ", precision, bits,
               step * 1e3, flops / step / 1e9, 100.0 * flops / step / peak);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (row)
            cJSON_AddNumberToObject(row, parts[i].name, parts[i].seconds / n * 1e3);
        else
            printf(" %s %.1f", parts[i].name, parts[i].seconds / n * 1e3);
    }
    if (row)
        cJSON_AddItemToArray(cJSON_GetObjectItem(how->json, "steps"), row);
    else
        printf(" ms, data %.2f %% of the step\n", 100.0 * t->patches / n / step);
    tell_messages(run, exchange, n, row);
}

static SlbStatus time_step(const BenchOptions *how, int bits, SlbPrecision precision, double peak,
                           SlbError *err)
{
    double taken[BENCH_MAX_REPEATS];
    SlbTrainOptions options = {.data = &how->data,
                               .data_count = 1,
                               .net = how->net,
                               .out = "bench.safetensors", /* never written */
                               .bits = bits,
                               .scales = {2, 3, 4},
                               .scale_count = 3,
                               .steps = 1000000,
                               .batch = how->batch,
                               .patch = how->patch,
                               .rate = 1e-5,
                               .logit_rate = 1,
                               .clip = 0.4,
                               .sharpness = 60,
                               .anneal_from = 0.1,
                               .anneal_to = 0.8,
                               .precision = precision,
                               .threads = how->threads,
                               .comm = how->comm,
                               .restart = true,
                               .overwrite = true,
                               .dry = true};
    Run run = {0};
    SlbExchangeTimes before = {0}, after;
    SlbGraph *graph;
    double loss, baseline;
    SlbStatus s = slb_graph_open(how->net, &graph, err);
    if (s != SLB_OK) return s;
    if (!graph->enlarged) {
        options.scales[0] = graph->scale;
        options.scale_count = 1;
    }
    if (!how->patch) options.patch = graph->enlarged ? 41 : 48 * graph->scale;
    slb_graph_free(graph);
    s = run_create(&run, &options, err);
    for (int i = -1; s == SLB_OK && i < how->repeats; i++) { /* one to warm up */
        if (i == 0) {
            run.times = (RunTimes){0};
            before = slb_reduction_times(run.reduction);
        }
        double start = slb_seconds();
        s = run_step(&run, &loss, &baseline, err);
        if (i >= 0) taken[i] = slb_seconds() - start;
    }
    if (s == SLB_OK) {
        run.now.step = how->repeats; /* the steps that run.times is of */
        after = slb_reduction_times(run.reduction);
        after.bytes -= before.bytes;
        after.messages -= before.messages;
        after.seconds -= before.seconds;
        after.waited -= before.waited;
        tell_step(how, &run, bits, bench_median(taken, how->repeats), peak, &after);
    }
    run_free(&run);
    return s;
}

/* Float weights in all precisions, then the searches in the one that is fastest here. */
SlbStatus bench_train(const BenchOptions *how, SlbError *err)
{
    static const int bits[] = {1, 2, 4};
    double size = slb_comm_size(how->comm); /* processes, which share a step */
    double float_peak = size * how->peak[SLB_PEAK_F32];
    double half_peak = size * how->peak[SLB_PEAK_BF16];
    bool half = how->cpu.bf16;
    SlbPrecision best = half ? SLB_BFLOAT16 : SLB_FLOAT32;
    SlbStatus s = kernels(how, err);
    if (how->json) cJSON_AddArrayToObject(how->json, "steps");
    if (s == SLB_OK) s = time_step(how, 32, SLB_FLOAT32, float_peak, err);
    if (s == SLB_OK && half) s = time_step(how, 32, SLB_MIXED, half_peak, err);
    if (s == SLB_OK && half) s = time_step(how, 32, SLB_BFLOAT16, half_peak, err);
    for (size_t i = 0; s == SLB_OK && i < sizeof bits / sizeof *bits; i++)
        s = time_step(how, bits[i], best, half ? half_peak : float_peak, err);
    return s;
}
