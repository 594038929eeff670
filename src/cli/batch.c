#include "cli/batch.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "cli/signals.h"

enum { SLOTS = 4 };               /* two that are read or wait for work, two that work or write */
enum { WATCH_NS = 50 * 1000000 }; /* between two looks at whether the run is stopped */

typedef struct Line {
    const Batch *batch;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* All below: under the lock. Items from `written` to `read` are alive, each in its slot. */
    void *slot[SLOTS];
    uint64_t bytes[SLOTS], in_use;
    size_t read, worked, written; /* so many items have passed the stage */
    size_t end;                   /* no item from here on is begun */
    pthread_cond_t ended;
    pthread_t reader, worker;    /* while `reads`, `works`: threads that may wait for a file */
    bool reads, works, finished; /* finished: there is nothing left to watch */
} Line;

static bool is_stopped(const Line *line)
{
    return line->batch->stages->stopped(line->batch->context);
}

/* Waits until `ready`, which is asked under the lock. */
static void wait_until(Line *line, bool (*ready)(const Line *line))
{
    pthread_mutex_lock(&line->lock);
    while (!ready(line)) pthread_cond_wait(&line->changed, &line->lock);
    pthread_mutex_unlock(&line->lock);
}

static void pass(Line *line, size_t *counter)
{
    pthread_mutex_lock(&line->lock);
    ++*counter;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

static void end_at(Line *line, size_t end)
{
    pthread_mutex_lock(&line->lock);
    if (end < line->end) line->end = end;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

static bool may_open(const Line *line)
{
    bool alone = !line->batch->open_alone || line->in_use == 0;
    return (alone && line->read <= line->worked + 1) || line->read >= line->end;
}

static bool may_read(const Line *line)
{
    return line->in_use == 0 || line->read >= line->end ||
           line->in_use + line->bytes[line->read % SLOTS] <= line->batch->memory_bytes;
}

static bool may_work(const Line *line)
{
    return line->worked >= line->end || is_stopped(line) ||
           (line->read > line->worked && line->written + 1 >= line->worked);
}

static bool may_write(const Line *line)
{
    return line->worked > line->written || line->written >= line->end;
}

/* A snapshot of one counter against the end. */
static bool is_over(Line *line, const size_t *counter)
{
    pthread_mutex_lock(&line->lock);
    bool over = *counter >= line->end;
    pthread_mutex_unlock(&line->lock);
    return over;
}

static void count_bytes(Line *line, size_t slot, bool add)
{
    pthread_mutex_lock(&line->lock);
    if (add)
        line->in_use += line->bytes[slot];
    else
        line->in_use -= line->bytes[slot];
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

/* The calling thread begins or ends what it may have to be called away from. */
static void set_thread(Line *line, pthread_t *thread, bool *is_there, bool value)
{
    pthread_mutex_lock(&line->lock);
    *thread = pthread_self();
    *is_there = value;
    pthread_mutex_unlock(&line->lock);
}

/* `read` is changed by this thread alone, so it may look at it without the lock; likewise the other
 * two at theirs. */
static void read_items(Line *line)
{
    const Batch *b = line->batch;
    for (;;) {
        size_t slot = line->read % SLOTS;
        wait_until(line, may_open);
        if (is_over(line, &line->read)) return;
        void *item = b->stages->open(b->context, line->read, &line->bytes[slot]);
        if (!item) {
            end_at(line, line->read);
            return;
        }
        wait_until(line, may_read);
        if (is_over(line, &line->read)) {
            b->stages->drop(b->context, item);
            return;
        }
        count_bytes(line, slot, true);
        b->stages->read(b->context, item);
        line->slot[slot] = item;
        pass(line, &line->read);
    }
}

static void *reading(void *context)
{
    Line *line = context;
    set_thread(line, &line->reader, &line->reads, true);
    read_items(line);
    set_thread(line, &line->reader, &line->reads, false);
    return NULL;
}

static void *writing(void *context)
{
    Line *line = context;
    const Batch *b = line->batch;
    for (;;) {
        wait_until(line, may_write);
        if (is_over(line, &line->written)) return NULL;
        size_t slot = line->written % SLOTS;
        b->stages->write(b->context, line->slot[slot]);
        b->stages->done(b->context, line->slot[slot]);
        count_bytes(line, slot, false);
        pass(line, &line->written);
    }
}

static void work_on_items(Line *line)
{
    const Batch *b = line->batch;
    for (;;) {
        wait_until(line, may_work);
        if (is_stopped(line)) end_at(line, line->worked);
        if (is_over(line, &line->worked)) return;
        b->stages->work(b->context, line->slot[line->worked % SLOTS]);
        if (is_stopped(line))
            end_at(line, line->worked); /* what was cut short is not written */
        else
            pass(line, &line->worked);
    }
}

static void working(Line *line)
{
    set_thread(line, &line->worker, &line->works, true);
    work_on_items(line);
    set_thread(line, &line->worker, &line->works, false);
}

/* The other end of a pipe may keep a thread waiting for ever, so one that is stopped is called away
 * from there, and more than once: the first call may come just ahead of the wait. */
static void *watching(void *context)
{
    Line *line = context;
    pthread_mutex_lock(&line->lock);
    while (!line->finished) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WATCH_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&line->ended, &line->lock, &until);
        if (line->finished || !is_stopped(line)) continue;
        pthread_cond_broadcast(&line->changed);
        if (line->reads) cli_signals_interrupt(line->reader);
        if (line->works) cli_signals_interrupt(line->worker);
    }
    pthread_mutex_unlock(&line->lock);
    return NULL;
}

static void end_watch(Line *line)
{
    pthread_mutex_lock(&line->lock);
    line->finished = true;
    pthread_cond_signal(&line->ended);
    pthread_mutex_unlock(&line->lock);
}

/* All stages, with the thread that watches from before the first to behind the last. Returns why a
 * thread cannot be made, 0 otherwise. */
static int run_threads(Line *line)
{
    enum { THREADS = 3 };
    static void *(*const mains[THREADS])(void *) = {watching, writing, reading};
    pthread_t thread[THREADS];
    int started = 0, why = 0;
    while (started < THREADS && why == 0) {
        why = pthread_create(&thread[started], NULL, mains[started], line);
        started += why == 0;
    }
    if (why)
        end_at(line, 0);
    else
        working(line);
    while (started > 1) pthread_join(thread[--started], NULL);
    end_watch(line);
    if (started) pthread_join(thread[0], NULL);
    return why;
}

SlbStatus cli_batch_run(const Batch *batch, SlbError *err)
{
    Line line = {.batch = batch,
                 .lock = PTHREAD_MUTEX_INITIALIZER,
                 .changed = PTHREAD_COND_INITIALIZER,
                 .end = batch->count};
    pthread_condattr_t clock; /* one that nobody sets */
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&line.ended, &clock);
    pthread_condattr_destroy(&clock);
    int why = run_threads(&line);
    pthread_cond_destroy(&line.ended);
    for (size_t i = line.written; i < line.read; i++)
        batch->stages->drop(batch->context, line.slot[i % SLOTS]);
    if (why)
        return slb_fail(err, SLB_E_MEMORY, "threads to read and to write cannot be made: %s",
                        strerror(why));
    return SLB_OK;
}
