/* Work on many items one after another, while the next one is read and the last one is written. */
#ifndef SLBSR_CLI_BATCH_H
#define SLBSR_CLI_BATCH_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The stages that each item goes through, in this order and the items in theirs: never two items in
 * one stage, one item in one stage only. A stage that fails keeps that with the item, and the later
 * ones pass it by. */
typedef struct BatchStages {
    /* Begins item `index` and tells what memory it will take until it is done. Reading thread. */
    void *(*open)(void *context, size_t index, uint64_t *bytes);
    void (*read)(void *context, void *item);  /* reading thread */
    void (*work)(void *context, void *item);  /* the thread that called cli_batch_run */
    void (*write)(void *context, void *item); /* writing thread */
    void (*done)(void *context, void *item);  /* writing thread; says how it went, frees it */
    void (*drop)(void *context, void *item);  /* any thread; frees an item that did not get there */
} BatchStages;

typedef struct Batch {
    const BatchStages *stages;
    void *context;
    size_t count;          /* of items */
    uint64_t memory_bytes; /* items wait to be read while those at work take more than this */
    const volatile sig_atomic_t *stop; /* nonzero: begin nothing any more; NULL: never */
} Batch;

/* At most two items are between `open` and the end of `work`, and two between its begin and the end
 * of `write`. *ended gets how many were done: all, or those whose work was over when *stop was
 * seen. `open` may return NULL when memory is out: SLB_E_MEMORY, once the items before it are done.
 */
SLB_MUST_CHECK SlbStatus cli_batch_run(const Batch *batch, size_t *ended, SlbError *err);

#endif
