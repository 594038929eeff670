#include "cli/batch.h"

#include <pthread.h>
#include <string.h>

enum { SLOTS = 4 }; /* two that are read or wait for work, two that are worked on or written */

typedef struct Line {
    const Batch *batch;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* All below: under the lock. Items from `written` to `read` are alive, each in its slot. */
    void *slot[SLOTS];
    uint64_t bytes[SLOTS], in_use;
    size_t read, worked, written; /* so many items have passed the stage */
    size_t end;                   /* no item from here on is begun */
} Line;

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
    return line->read <= line->worked + 1 || line->read >= line->end;
}

static bool may_read(const Line *line)
{
    return line->in_use == 0 || line->read >= line->end ||
           line->in_use + line->bytes[line->read % SLOTS] <= line->batch->memory_bytes;
}

static bool may_work(const Line *line)
{
    return line->worked >= line->end ||
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

/* `read` is changed by this thread alone, so it may look at it without the lock; likewise the other
 * two at theirs. */
static void *reading(void *context)
{
    Line *line = context;
    const Batch *b = line->batch;
    for (;;) {
        size_t slot = line->read % SLOTS;
        wait_until(line, may_open);
        if (is_over(line, &line->read)) return NULL;
        void *item = b->stages->open(b->context, line->read, &line->bytes[slot]);
        if (!item) {
            end_at(line, line->read);
            return NULL;
        }
        wait_until(line, may_read);
        if (is_over(line, &line->read)) {
            b->stages->drop(b->context, item);
            return NULL;
        }
        count_bytes(line, slot, true);
        b->stages->read(b->context, item);
        line->slot[slot] = item;
        pass(line, &line->read);
    }
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

static void working(Line *line)
{
    const Batch *b = line->batch;
    for (;;) {
        wait_until(line, may_work);
        if (b->stages->stopped(b->context)) end_at(line, line->worked);
        if (is_over(line, &line->worked)) return;
        b->stages->work(b->context, line->slot[line->worked % SLOTS]);
        if (b->stages->stopped(b->context))
            end_at(line, line->worked); /* what was cut short is not written */
        else
            pass(line, &line->worked);
    }
}

SlbStatus cli_batch_run(const Batch *batch, SlbError *err)
{
    Line line = {.batch = batch,
                 .lock = PTHREAD_MUTEX_INITIALIZER,
                 .changed = PTHREAD_COND_INITIALIZER,
                 .end = batch->count};
    pthread_t reader, writer;
    int why = pthread_create(&writer, NULL, writing, &line);
    if (why == 0) {
        why = pthread_create(&reader, NULL, reading, &line);
        if (why == 0) {
            working(&line);
            pthread_join(reader, NULL);
        } else {
            end_at(&line, 0);
        }
        pthread_join(writer, NULL);
    }
    for (size_t i = line.written; i < line.read; i++)
        batch->stages->drop(batch->context, line.slot[i % SLOTS]);
    if (why)
        return slb_fail(err, SLB_E_MEMORY, "threads to read and to write cannot be made: %s",
                        strerror(why));
    return SLB_OK;
}
