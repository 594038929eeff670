/* Work on many items one after another, while the next one is read and the last one is written. */
#ifndef SLBSR_CLI_BATCH_H
#define SLBSR_CLI_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The stages that each item goes through, in this order and the items in theirs: never two items in
 * one stage, one item in one stage only. A stage that fails keeps that with the item, and the later
 * ones pass it by. */
typedef struct BatchStages {
    /* Begins item `index` and tells what memory it will take until it is done; NULL: there is none
     * any more. Reading thread. */
    void *(*open)(void *context, size_t index, uint64_t *bytes);
    void (*read)(void *context, void *item);  /* reading thread */
    void (*work)(void *context, void *item);  /* the thread that called cli_batch_run */
    void (*write)(void *context, void *item); /* writing thread */
    void (*done)(void *context, void *item);  /* writing thread; says how it went, frees it */
    void (*drop)(void *context, void *item);  /* any thread; frees an item that did not get there */
    /* True from some time on: begin nothing any more, and write nothing but what has been worked
     * on. Any thread, again and again. `open`, `read` and `work` that wait for a file then, as a
     * pipe may make them, see their call fail with EINTR; what becomes of their items does not
     * matter. */
    bool (*stopped)(void *context);
} BatchStages;

typedef struct Batch {
    const BatchStages *stages;
    void *context;
    size_t count;          /* the most items there may be */
    uint64_t memory_bytes; /* items wait to be read while those at work take more than this */
    bool open_alone;       /* nor are they opened while there is one that takes memory */
} Batch;

/* At most two items are between `open` and the end of `work`, and two between its begin and the end
 * of `write`. Returns soon after `stopped` becomes true, whatever is waited for. SLB_E_MEMORY when
 * threads cannot be made; else SLB_OK, and what became of the items is the stages' to know. */
SLB_MUST_CHECK SlbStatus cli_batch_run(const Batch *batch, SlbError *err);

#endif
