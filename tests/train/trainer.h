/* What the tests of whole training runs share: a small run in a folder of its own, and what is
 * asked of its outcome. */
#ifndef SLBSR_TESTS_TRAIN_TRAINER_H
#define SLBSR_TESTS_TRAIN_TRAINER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "net/model.h"
#include "train/run.h"

static char folder[512];

static const char *const data[] = {SLBSR_SOURCE_DIR "/data/hr"};

static inline const char *in_folder(const char *name)
{
    static char path[64][600]; /* more than one test asks for */
    static int next;
    char *p = path[next++ % 64];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static inline SlbTrainOptions small(const char *out, int bits)
{
    return (SlbTrainOptions){.data = data,
                             .data_count = 1,
                             .net = SLBSR_SOURCE_DIR "/tests/train/tiny.net",
                             .out = out,
                             .command = "test",
                             .bits = bits,
                             .scales = {2, 3, 4},
                             .scale_count = 3,
                             .steps = 24,
                             .warmup = 2,
                             .batch = 18,
                             .patch = 17,
                             .seed = 5,
                             .rate = 2e-3,
                             .logit_rate = 2,
                             .clip = 0.4,
                             .sharpness = 40,
                             .anneal_from = 0.1,
                             .anneal_to = 0.75,
                             .threads = 1,
                             .val_every = 1000,
                             .checkpoint_seconds = 1e9,
                             .report_every = 5};
}

static inline void train(const SlbTrainOptions *options, SlbStatus expected)
{
    SlbError err = {0};
    SlbStatus s = slb_train(options, &err);
    if (s != expected) fail_msg("status %d, expected %d: %s", s, expected, err.message);
}

static inline void assert_same_file(const char *a, const char *b)
{
    unsigned char *x, *y;
    size_t n, m;
    assert_int_equal(slb_read_file(a, 1 << 24, SLB_E_INPUT, &x, &n, NULL), SLB_OK);
    assert_int_equal(slb_read_file(b, 1 << 24, SLB_E_INPUT, &y, &m, NULL), SLB_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    slb_free(x);
    slb_free(y);
}

/* float32, and bf16 where this machine has it. */
static inline int precisions(void)
{
    SlbCpu cpu;
    return slb_cpu_detect(&cpu) && cpu.bf16 ? 2 : 1;
}

static inline SlbTrainOptions small_x2(const char *out, int bits)
{
    SlbTrainOptions o = small(out, bits);
    o.net = SLBSR_SOURCE_DIR "/tests/train/tiny-x2.net";
    o.scales[0] = 2;
    o.scale_count = 1;
    o.patch = 32;
    o.batch = 6;
    o.overwrite = true;
    return o;
}

static sig_atomic_t stop_now;

static inline void stop_at(void *user, const SlbTrainReport *report)
{
    if (report->step == *(const long *)user) stop_now = 1;
}

static inline bool exists(const char *name)
{
    struct stat st;
    return stat(in_folder(name), &st) == 0;
}

static inline void steps(Run *run, long to)
{
    double loss, baseline;
    while (run->now.step < to) {
        assert_int_equal(run_step(run, &loss, &baseline, NULL), SLB_OK);
        assert_true(isfinite(loss));
    }
}

static double last_psnr, last_bicubic, first_loss, last_loss;

static inline void keep(void *user, const SlbTrainReport *report)
{
    (void)user;
    if (report->step <= 10) first_loss = report->loss / report->baseline;
    last_loss = report->loss / report->baseline;
    if (!report->validated) return;
    last_psnr = report->psnr[0];
    last_bicubic = report->bicubic[0];
}

static inline int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/slbsr-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

#endif
