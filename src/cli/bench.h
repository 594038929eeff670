/* What the benchmarks of `slbsr bench` share. */
#ifndef SLBSR_CLI_BENCH_H
#define SLBSR_CLI_BENCH_H

#include <stdbool.h>

#include "kern/peak.h"
#include "net/graph.h"
#include "train/comm.h"

struct cJSON;

typedef struct BenchOptions {
    SlbCpu cpu;
    int threads, repeats, size;
    const char *data, *net; /* of the training benchmark */
    int batch, patch;
    SlbComm *comm; /* that share the training step */
    double peak[SLB_PEAKS]; /* operations a second of all threads together; 0: no such unit */
    struct cJSON *json;     /* an object that results are added to; NULL: print a table */
} BenchOptions;

enum { BENCH_MAX_REPEATS = 1000 };

/* The middle one of `count` values, which are sorted. */
double bench_median(double *values, int count);

/* Multiply-adds of all convolutions for one pixel of the output. */
double bench_macs(const SlbGraph *graph);

/* Upscaling: the model `name` (built in, or a file), or all that are built in when NULL. */
SLB_MUST_CHECK SlbStatus bench_upscale(const BenchOptions *options, const char *name,
                                       SlbError *err);

/* Every kernel that the level in use includes, on one thread. */
SLB_MUST_CHECK SlbStatus bench_kernels(const BenchOptions *options, SlbError *err);

/* Training: kernels and a step. */
SLB_MUST_CHECK SlbStatus bench_train(const BenchOptions *options, SlbError *err);

#endif
