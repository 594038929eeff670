/* slbsr bench: how fast this machine upscales and trains. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/processes.h"

typedef struct Settings {
    const char *data, *net;
    int threads, repeats, size, batch, patch;
    bool json;
} Settings;

static const Option options[] = {
    {0, "size", OPTION_INT, offsetof(Settings, size), "N", NULL, 16, 8192, "512", false,
     "upscaling: side of the result, pixels"},
    {'d', "data", OPTION_TEXT, offsetof(Settings, data), "DIR|PACK", NULL, 0, 0, NULL, false,
     "training: pictures to take patches from (needed)"},
    {'n', "net", OPTION_TEXT, offsetof(Settings, net), "NET|FILE", NULL, 0, 0, "vdsr", false,
     "training: the network"},
    {0, "batch", OPTION_INT, offsetof(Settings, batch), "N", NULL, 1, 4096, "64", false,
     "training: patches in a step"},
    {0, "patch", OPTION_INT, offsetof(Settings, patch), "N", NULL, 16, 1024, NULL, false,
     "training: side of a patch at output resolution; without it 41, or 48 times the network's own "
     "factor"},
    {0, "repeat", OPTION_INT, offsetof(Settings, repeats), "N", NULL, 1, BENCH_MAX_REPEATS, "5",
     false, "take each time so often; the median counts"},
    {0, "json", OPTION_FLAG, offsetof(Settings, json), NULL, NULL, 0, 0, NULL, false,
     "results as JSON"},
    {'j', "threads", OPTION_INT, offsetof(Settings, threads), "N", NULL, 1, 1024, NULL, false,
     "threads; without it one for each processor"},
    {0},
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static void measure_peaks(BenchOptions *how)
{
    enum { TRIES = 5 };
    for (int k = 0; k < SLB_PEAKS; k++) {
        double rate[TRIES];
        for (int i = 0; i < TRIES; i++) {
            double operations = 0, start = slb_seconds();
#pragma omp parallel for num_threads(how->threads) reduction(+ : operations) schedule(static, 1)
            for (int t = 0; t < how->threads; t++)
                operations += slb_peak_run((SlbPeak)k, &how->cpu, 1000000);
            rate[i] = operations / (slb_seconds() - start);
        }
        how->peak[k] = bench_median(rate, TRIES);
    }
}

double bench_macs(const SlbGraph *graph)
{
    double sum = 0;
    for (int i = 0; i < graph->node_count; i++) {
        const SlbNode *n = &graph->nodes[i];
        if (n->op == SLB_OP_CONV)
            sum += (double)n->kernel * n->kernel * n->channels *
                   graph->nodes[n->source[0]].channels * n->scale * n->scale;
    }
    return sum / (graph->scale * graph->scale);
}

static void describe_machine(const BenchOptions *how)
{
    cJSON *all = how->json ? cJSON_AddObjectToObject(how->json, "peak_gops") : NULL;
    if (how->json) {
        cJSON_AddStringToObject(how->json, "version", SLBSR_VERSION);
        cJSON_AddStringToObject(how->json, "kernels", slb_cpu_level_name(how->cpu.level));
        cJSON_AddNumberToObject(how->json, "threads", how->threads);
        cJSON_AddNumberToObject(how->json, "processes", slb_comm_size(how->comm));
    } else {
        printf("slbsr %s, kernels %s, threads %d", SLBSR_VERSION,
               slb_cpu_level_name(how->cpu.level), how->threads);
        if (how->comm) printf(", processes %d", slb_comm_size(how->comm));
        printf(how->comm ? "\npeak of one process" : "\npeak");
    }
    for (int k = 0; k < SLB_PEAKS; k++) {
        if (how->peak[k] <= 0) continue; /* units that are not there */
        if (how->json)
            cJSON_AddNumberToObject(all, slb_peak_name((SlbPeak)k), how->peak[k] / 1e9);
        else
            printf("%s %s %.0f GOP/s", k ? "," : "", slb_peak_name((SlbPeak)k), how->peak[k] / 1e9);
    }
    if (!how->json) putchar('\n');
}

/* All that is measured, to standard output: as text line by line, or as JSON at the end. */
static SlbStatus measure(BenchOptions *how, bool train, bool kernels, const char *what, bool json,
                         SlbError *err)
{
    if (json) how->json = cJSON_CreateObject();
    if (json && !how->json) return slb_fail_memory(err, "the results");
    if (slb_comm_rank(how->comm) != 0) (void)!freopen("/dev/null", "w", stdout);
    measure_peaks(how);
    describe_machine(how);
    SlbStatus s = train     ? bench_train(how, err)
                  : kernels ? bench_kernels(how, err)
                            : bench_upscale(how, what, err);
    if (s == SLB_OK && how->json) s = cli_json_report(how->json, err);
    cJSON_Delete(how->json);
    return s;
}

/* Options that would mean nothing for what is measured. */
static SlbStatus check_options(const Invocation *invocation, bool train, bool kernels,
                               SlbError *err)
{
    static const char *const of_training[] = {"data", "net", "batch", "patch"};
    for (size_t i = 0; !train && i < sizeof of_training / sizeof *of_training; i++)
        if (cli_given(invocation, of_training[i]))
            return slb_fail(err, SLB_E_USAGE, "--%s: belongs to 'slbsr bench train'",
                            of_training[i]);
    if ((train || kernels) && cli_given(invocation, "size"))
        return slb_fail(err, SLB_E_USAGE, "--size: is for upscaling, and that is not measured");
    return SLB_OK;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    const char *what = invocation->operand_count ? invocation->operands[0] : NULL;
    BenchOptions how = {.threads = set->threads ? set->threads : slb_cpu_count(),
                        .repeats = set->repeats,
                        .size = set->size,
                        .data = set->data,
                        .net = set->net,
                        .batch = set->batch,
                        .patch = set->patch};
    if (!slb_cpu_detect(&how.cpu)) return slb_cpu_refuse("SLBSR_CPU", getenv("SLBSR_CPU"), err);
    bool train = what && strcmp(what, "train") == 0;
    bool kernels = what && strcmp(what, "kernels") == 0;
    SlbStatus s = check_options(invocation, train, kernels, err);
    if (s != SLB_OK) return s;
    if (train && !set->data)
        return slb_fail(err, SLB_E_USAGE, "bench train: give --data, pictures to train on");
    if (train) s = slb_comm_open(NULL, &how.comm, err);
    if (s != SLB_OK) return s;
    s = measure(&how, train, kernels, what, set->json, err);
    cli_processes_close(how.comm, s, err);
    return s;
}

const Command cmd_bench = {
    .name = "bench",
    .operands = "[train|kernels|MODEL]",
    .max_operands = 1,
    .summary = "Measure how fast this machine upscales and trains",
    .notes = "Without an operand, all built-in models: the network with an output of --size by "
             "--size pixels, in integers where the model has codes for activations and in float32. "
             "'kernels': every kernel of the level in use and of those below it, on rows that "
             "lie in the cache, by one thread. "
             "'peak' is what the arithmetic units give in loops without memory, taken in the same "
             "run. Measure on a machine that does nothing else.",
    .example = "slbsr bench -j 1\n"
               "slbsr bench train --data pictures --json\n"
               "slbsr bench kernels",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
