/* cli/batch.h: what is alive at a time, and that nothing holds up the end of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "cli/batch.h"
#include "cli/signals.h"

enum { ITEMS = 6, PATIENCE = 500 }; /* hundredths of a second */

typedef struct Run {
    atomic_int alive, most, opened, done, dropped;
    bool wait_for_next; /* `work` on the first item waits for the second one */
    atomic_bool stop;
    int pipe[2]; /* `read` waits for it where `stalls` */
    bool stalls;
    ssize_t got;
    int why;
} Run;

static void rest(void)
{
    const struct timespec hundredth = {.tv_nsec = 10000000};
    nanosleep(&hundredth, NULL);
}

static void *stage_open(void *context, size_t index, uint64_t *bytes)
{
    Run *run = context;
    int alive = atomic_fetch_add(&run->alive, 1) + 1;
    if (alive > atomic_load(&run->most)) atomic_store(&run->most, alive);
    atomic_store(&run->opened, (int)index + 1);
    *bytes = 1;
    return run;
}

static void stage_read(void *context, void *item)
{
    Run *run = context;
    char byte;
    (void)item;
    if (!run->stalls) return;
    atomic_store(&run->stop, true);
    run->got = read(run->pipe[0], &byte, 1);
    run->why = errno;
}

static void stage_work(void *context, void *item)
{
    Run *run = context;
    (void)item;
    for (int i = 0; run->wait_for_next && i < PATIENCE && atomic_load(&run->opened) < 2; i++)
        rest();
    rest(); /* time for a next one to be opened in */
}

static void stage_write(void *context, void *item)
{
    (void)context;
    (void)item;
    rest();
}

static void stage_done(void *context, void *item)
{
    Run *run = context;
    (void)item;
    atomic_fetch_add(&run->done, 1);
    atomic_fetch_sub(&run->alive, 1);
}

static void stage_drop(void *context, void *item)
{
    Run *run = context;
    (void)item;
    atomic_fetch_add(&run->dropped, 1);
    atomic_fetch_sub(&run->alive, 1);
}

static bool stage_stopped(void *context)
{
    return atomic_load(&((Run *)context)->stop);
}

static void run_batch(Run *run, uint64_t memory_bytes, bool open_alone)
{
    static const BatchStages stages = {.open = stage_open,
                                       .read = stage_read,
                                       .work = stage_work,
                                       .write = stage_write,
                                       .done = stage_done,
                                       .drop = stage_drop,
                                       .stopped = stage_stopped};
    const Batch batch = {.stages = &stages,
                         .context = run,
                         .count = ITEMS,
                         .memory_bytes = memory_bytes,
                         .open_alone = open_alone};
    SlbError err;
    assert_int_equal(cli_batch_run(&batch, &err), SLB_OK);
    assert_int_equal(atomic_load(&run->alive), 0);
}

/* The next one is opened while the first one is worked on. */
static void test_ahead(void **state)
{
    (void)state;
    Run run = {.wait_for_next = true};
    run_batch(&run, 1, false);
    assert_int_equal(atomic_load(&run.done), ITEMS);
    assert_in_range(atomic_load(&run.most), 2, 4);
}

static void test_alone(void **state)
{
    (void)state;
    Run run = {0};
    run_batch(&run, 1, true);
    assert_int_equal(atomic_load(&run.done), ITEMS);
    assert_int_equal(atomic_load(&run.most), 1);
}

/* A pipe that gives nothing does not outlast the run that is stopped. */
static void test_stalled(void **state)
{
    (void)state;
    Run run = {.stalls = true};
    assert_int_equal(pipe(run.pipe), 0);
    cli_signals_install();
    alarm(60); /* ends the test */
    run_batch(&run, 1, false);
    alarm(0);
    assert_int_equal(run.got, -1);
    assert_int_equal(run.why, EINTR);
    assert_int_equal(atomic_load(&run.done), 0);
    assert_int_equal(atomic_load(&run.dropped), atomic_load(&run.opened));
    close(run.pipe[0]);
    close(run.pipe[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_stalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
