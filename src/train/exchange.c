/* Sums over processes, in the background. */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "train/comm_ops.h"
#include "train/tree.h"

/* A block of the batch: the parts from `first` on that a process sums itself. */
typedef struct Block {
    int first, rank;
} Block;

/* One array. */
typedef struct Array {
    size_t count;
    float *result;
    float *room; /* [blocks of others][slice] what comes from the other processes */
    float **sum; /* [parts] this process's slice of the block that begins there, or NULL */
    int blocks;  /* of this slice that are still to come */
} Array;

struct SlbExchange {
    SlbComm *comm;
    int rank, size, parts, arrays;
    Array *array;
    Block *block;
    int blocks, sent_blocks; /* of all processes; of this one */
    float **sums;
    pthread_mutex_t lock; /* of all below */
    int missing;          /* messages that have to come or to go still, and own blocks */
    SlbStatus status;
    SlbError error;
    double began, ended;
    SlbExchangeTimes times;
};

/* Slices begin at multiples of 16 floats. */
static size_t slice_at(const SlbExchange *x, const Array *a, int rank)
{
    size_t blocks = (a->count + 15) / 16, at = blocks * (size_t)rank / (size_t)x->size * 16;
    return at < a->count ? at : a->count;
}

static size_t slice_size(const SlbExchange *x, const Array *a, int rank)
{
    return slice_at(x, a, rank + 1) - slice_at(x, a, rank);
}

static SlbStatus list_blocks(SlbExchange *x, SlbError *err)
{
    x->block = slb_calloc((size_t)x->parts, sizeof *x->block);
    if (!x->block) return slb_fail_memory(err, "the sums of training");
    for (int r = 0; r < x->size; r++) {
        int to = slb_tree_share(x->parts, r + 1, x->size);
        for (int p = slb_tree_share(x->parts, r, x->size); p < to;
             p += slb_tree_block(x->parts, p, to)) {
            x->block[x->blocks++] = (Block){p, r};
            x->sent_blocks += r == x->rank;
        }
    }
    return SLB_OK;
}

SlbStatus slb_exchange_create(SlbComm *comm, int parts, int arrays, const size_t *counts,
                              float *const *results, SlbExchange **exchange, SlbError *err)
{
    SlbExchange *x = slb_calloc(1, sizeof *x);
    if (!x) return slb_fail_memory(err, "the sums of training");
    *x = (SlbExchange){.comm = comm,
                       .rank = slb_comm_rank(comm),
                       .size = slb_comm_size(comm),
                       .parts = parts,
                       .arrays = arrays};
    pthread_mutex_init(&x->lock, NULL);
    SlbStatus s = list_blocks(x, err);
    x->array = slb_calloc((size_t)arrays, sizeof *x->array);
    x->sums = slb_calloc((size_t)arrays * (size_t)parts, sizeof *x->sums);
    bool ok = s == SLB_OK && x->array && x->sums;
    for (int i = 0; ok && i < arrays; i++) {
        Array *a = &x->array[i];
        *a = (Array){.count = counts[i], .result = results[i]};
        a->sum = x->sums + (size_t)i * (size_t)parts;
        a->room = slb_alloc((size_t)(x->blocks - x->sent_blocks) * slice_size(x, a, x->rank),
                            sizeof *a->room);
        ok = a->room != NULL;
    }
    if (!ok) {
        slb_exchange_free(x);
        return s != SLB_OK ? s : slb_fail_memory(err, "the sums of training");
    }
    *exchange = x;
    return SLB_OK;
}

void slb_exchange_free(SlbExchange *x)
{
    if (!x) return;
    for (int i = 0; x->array && i < x->arrays; i++) slb_free(x->array[i].room);
    pthread_mutex_destroy(&x->lock);
    slb_free(x->array);
    slb_free(x->block);
    slb_free(x->sums);
    slb_free(x);
}

/* Tags: an array's blocks by their place in the list, and its slices of the result. */
static int tag_of(const SlbExchange *x, int array, int block)
{
    return array * (x->blocks + 1) + (block < 0 ? x->blocks : block);
}

/* What a message is about: that of a block of an array is worked on, the others only count. */
enum { OTHER = -1 };

static void failed(SlbExchange *x, SlbStatus s, const SlbError *why)
{
    if (x->status != SLB_OK) return;
    x->status = s;
    x->error = *why;
}

static void send(SlbExchange *x, int rank, int tag, const float *data, size_t count)
{
    SlbError why;
    if (count == 0 || x->status != SLB_OK) return;
    x->missing++;
    x->times.bytes += (double)(count * sizeof *data);
    x->times.messages++;
    SlbStatus s = x->comm->ops->send(x->comm, rank, tag, data, count, OTHER, &why);
    if (s != SLB_OK) failed(x, s, &why);
}

static void receive(SlbExchange *x, int rank, int tag, float *data, size_t count, int what)
{
    SlbError why;
    if (count == 0 || x->status != SLB_OK) return;
    x->missing++;
    SlbStatus s = x->comm->ops->receive(x->comm, rank, tag, data, count, what, &why);
    if (s != SLB_OK) failed(x, s, &why);
}

/* All blocks of this process's slice of an array are there: adds them up and tells the others. */
static void sum_slice(SlbExchange *x, int i)
{
    Array *a = &x->array[i];
    size_t count = slice_size(x, a, x->rank);
    float *result = a->result + slice_at(x, a, x->rank);
    if (count == 0) return;
    for (int span = 1; span < x->parts; span *= 2)
        for (int p = 0; p + span < x->parts; p += 2 * span) {
            const float *more = a->sum[p + span];
            for (size_t k = 0; more && k < count; k++) a->sum[p][k] += more[k];
            a->sum[p + span] = NULL;
        }
    memcpy(result, a->sum[0], count * sizeof *result);
    for (int r = 0; r < x->size; r++)
        if (r != x->rank) send(x, r, tag_of(x, i, -1), result, count);
}

static void one_block_less(SlbExchange *x, int i)
{
    if (--x->array[i].blocks == 0) sum_slice(x, i);
}

static void look(SlbExchange *x)
{
    SlbError why;
    bool any = x->comm != NULL;
    while (any && x->status == SLB_OK) {
        int what;
        SlbStatus s = x->comm->ops->test(x->comm, &any, &what, &why);
        if (s != SLB_OK) failed(x, s, &why);
        if (s != SLB_OK || !any) break;
        if (what != OTHER) one_block_less(x, what);
        x->missing--;
    }
    if (x->missing == 0 && x->ended == 0) x->ended = slb_seconds();
}

void slb_exchange_begin(SlbExchange *x)
{
    pthread_mutex_lock(&x->lock);
    x->missing = x->sent_blocks * x->arrays;
    x->began = x->ended = 0;
    for (int i = 0; i < x->arrays; i++) {
        Array *a = &x->array[i];
        size_t count = slice_size(x, a, x->rank);
        float *room = a->room;
        a->blocks = count ? x->blocks : x->sent_blocks;
        memset(a->sum, 0, (size_t)x->parts * sizeof(float *));
        for (int b = 0; b < x->blocks; b++) {
            if (x->block[b].rank == x->rank) continue;
            a->sum[x->block[b].first] = room;
            receive(x, x->block[b].rank, tag_of(x, i, b), room, count, i);
            room += count;
        }
        for (int r = 0; r < x->size; r++)
            if (r != x->rank)
                receive(x, r, tag_of(x, i, -1), a->result + slice_at(x, a, r), slice_size(x, a, r),
                        OTHER);
    }
    pthread_mutex_unlock(&x->lock);
}

static int block_number(const SlbExchange *x, int first)
{
    int b = 0;
    while (x->block[b].first != first) b++;
    return b;
}

void slb_exchange_block(SlbExchange *x, int i, int first, float *sum)
{
    Array *a = &x->array[i];
    pthread_mutex_lock(&x->lock);
    if (x->began == 0) x->began = slb_seconds();
    for (int k = 1; k < x->size; k++) { /* not all to the same one first */
        int r = (x->rank + k) % x->size;
        send(x, r, tag_of(x, i, block_number(x, first)), sum + slice_at(x, a, r),
             slice_size(x, a, r));
    }
    a->sum[first] = sum + slice_at(x, a, x->rank);
    one_block_less(x, i);
    x->missing--;
    look(x);
    pthread_mutex_unlock(&x->lock);
}

void slb_exchange_poll(SlbExchange *x)
{
    if (!x->comm || pthread_mutex_trylock(&x->lock) != 0) return;
    look(x);
    pthread_mutex_unlock(&x->lock);
}

SlbStatus slb_exchange_finish(SlbExchange *x, SlbError *err)
{
    SlbPatience patience = {0};
    SlbStatus s = SLB_OK;
    double began = slb_seconds();
    for (;;) {
        slb_exchange_poll(x);
        if (x->missing == 0 || x->status != SLB_OK || s != SLB_OK) break;
        s = slb_comm_wait(x->comm, &patience, err);
    }
    x->times.waited += slb_seconds() - began;
    x->times.seconds += x->ended - x->began;
    if (x->status == SLB_OK) return s;
    if (err) *err = x->error;
    return x->status;
}

SlbExchangeTimes slb_exchange_times(const SlbExchange *x)
{
    return x->times;
}
