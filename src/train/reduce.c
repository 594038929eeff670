#include "train/reduce.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "train/tree.h"

/* One part of the batch. */
typedef struct Part {
    SlbReduction *reduction;
    SlbGrads *grads;  /* NULL while it has not begun, and once it has been added to another */
    int block;        /* span of the block that begins here; 0: none does */
    atomic_int convs; /* that are not added to another part yet */
} Part;

struct SlbReduction {
    const SlbEngine *engine;
    int parts, convs;
    Part *part;
    /* [convs][parts], at the first part of the right half of a node: one of the halves is there. */
    atomic_bool *half;
    pthread_mutex_t lock;
    SlbGrads **spare; /* [parts] not in use; under the lock, like their count */
    int spares;
    SlbGrads *total;
    SlbExchange *exchange;
};

static SlbStatus create_exchange(SlbReduction *r, SlbComm *comm, SlbError *err)
{
    size_t n = (size_t)r->convs;
    size_t *counts = slb_calloc(n, sizeof *counts);
    float **results = slb_calloc(n, sizeof *results);
    SlbStatus s = counts && results ? SLB_OK : slb_fail_memory(err, "the sums of training");
    for (int i = 0; s == SLB_OK && i < r->convs; i++)
        results[i] = slb_grads_conv(r->total, i, &counts[i]);
    if (s == SLB_OK)
        s = slb_exchange_create(comm, r->parts, r->convs, counts, results, &r->exchange, err);
    slb_free(counts);
    slb_free(results);
    return s;
}

SlbStatus slb_reduction_create(const SlbEngine *engine, SlbComm *comm, int parts, int *from,
                               int *to, SlbReduction **reduction, SlbError *err)
{
    int rank = slb_comm_rank(comm), size = slb_comm_size(comm), convs = slb_engine_convs(engine);
    SlbReduction *r = slb_calloc(1, sizeof *r);
    if (!r) return slb_fail_memory(err, "the sums of training");
    *r = (SlbReduction){.engine = engine, .parts = parts, .convs = convs};
    pthread_mutex_init(&r->lock, NULL);
    r->part = slb_calloc((size_t)parts, sizeof *r->part);
    r->half = slb_calloc((size_t)parts * (size_t)convs, sizeof *r->half);
    r->spare = slb_calloc((size_t)parts, sizeof *r->spare);
    bool ok = r->part && r->half && r->spare;
    SlbStatus s = ok ? slb_grads_create(engine, &r->total, err)
                     : slb_fail_memory(err, "the sums of training");
    if (s == SLB_OK) s = create_exchange(r, comm, err);
    if (s != SLB_OK) {
        slb_reduction_free(r);
        return s;
    }
    *from = slb_tree_share(parts, rank, size);
    *to = slb_tree_share(parts, rank + 1, size);
    for (int p = 0; p < parts; p++) r->part[p].reduction = r;
    for (int p = *from; p < *to; p += r->part[p].block)
        r->part[p].block = slb_tree_block(parts, p, *to);
    *reduction = r;
    return SLB_OK;
}

void slb_reduction_free(SlbReduction *r)
{
    if (!r) return;
    for (int p = 0; r->part && p < r->parts; p++) slb_grads_free(r->part[p].grads);
    for (int i = 0; i < r->spares; i++) slb_grads_free(r->spare[i]);
    slb_exchange_free(r->exchange);
    slb_grads_free(r->total);
    pthread_mutex_destroy(&r->lock);
    slb_free(r->part);
    slb_free((void *)r->half);
    slb_free(r->spare);
    slb_free(r);
}

static void put_away(SlbReduction *r, Part *part)
{
    pthread_mutex_lock(&r->lock);
    r->spare[r->spares++] = part->grads;
    pthread_mutex_unlock(&r->lock);
    part->grads = NULL;
}

void slb_reduction_begin(SlbReduction *r)
{
    for (int p = 0; p < r->parts; p++) {
        if (r->part[p].grads) put_away(r, &r->part[p]);
        atomic_store(&r->part[p].convs, r->convs);
    }
    for (int i = 0; i < r->parts * r->convs; i++) atomic_store(&r->half[i], false);
    slb_exchange_begin(r->exchange);
}

SlbStatus slb_reduction_part(SlbReduction *r, int part, SlbGrads **grads, SlbError *err)
{
    pthread_mutex_lock(&r->lock);
    SlbGrads *g = r->spares ? r->spare[--r->spares] : NULL;
    pthread_mutex_unlock(&r->lock);
    SlbStatus s = g ? SLB_OK : slb_grads_create(r->engine, &g, err);
    if (s != SLB_OK) return s;
    slb_grads_zero(g);
    slb_grads_watch(g, NULL, NULL);
    r->part[part].grads = *grads = g;
    return SLB_OK;
}

static void add(Part *to, Part *from, int conv)
{
    size_t count;
    float *sum = slb_grads_conv(to->grads, conv, &count);
    const float *more = slb_grads_conv(from->grads, conv, &count);
    for (size_t k = 0; k < count; k++) sum[k] += more[k];
    if (atomic_fetch_sub(&from->convs, 1) == 1) put_away(from->reduction, from);
}

/* Up the tree from a part that has convolution `conv`'s gradients, as far as the other halves are
 * there. */
static void climb(void *user, int conv)
{
    const Part *part = user;
    SlbReduction *r = part->reduction;
    int p = (int)(part - r->part);
    size_t count;
    for (int span = 1; r->part[p].block != span; span *= 2) {
        int left = p & ~span, right = left | span;
        if (right >= r->parts) continue; /* nothing beside it */
        if (!atomic_exchange(&r->half[conv * r->parts + right], true)) {
            slb_exchange_poll(r->exchange);
            return;
        }
        add(&r->part[left], &r->part[right], conv);
        p = left;
    }
    slb_exchange_block(r->exchange, conv, p, slb_grads_conv(r->part[p].grads, conv, &count));
}

void slb_reduction_last(SlbReduction *r, int part)
{
    slb_grads_watch(r->part[part].grads, climb, &r->part[part]);
}

void slb_reduction_whole(SlbReduction *r, int part)
{
    for (int i = r->convs - 1; i >= 0; i--) climb(&r->part[part], i);
}

SlbStatus slb_reduction_finish(SlbReduction *r, const SlbGrads **total, SlbError *err)
{
    *total = r->total;
    return slb_exchange_finish(r->exchange, err);
}

size_t slb_reduction_floats(const SlbReduction *r, int conv)
{
    size_t count;
    (void)slb_grads_conv(r->total, conv, &count);
    return count;
}

SlbExchangeTimes slb_reduction_times(const SlbReduction *r)
{
    return slb_exchange_times(r->exchange);
}
