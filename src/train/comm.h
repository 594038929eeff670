/* The processes that train one model together. In a build with MPI (SLBSR_MPI) these are the ones
 * that mpirun started; else, and without mpirun, there is this one alone. Nothing else knows MPI.
 *
 * Every function but those that say otherwise is to be called by all processes, in the same order.
 * They fail with SLB_PARTIAL when another process is gone, or when this one was asked to stop (see
 * slb_comm_open) while it waited: it has left then, as by slb_comm_leave. A comm of NULL is this
 * process alone. */
#ifndef SLBSR_TRAIN_COMM_H
#define SLBSR_TRAIN_COMM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct SlbComm SlbComm;

/* What the processes talk by, e.g. "Open MPI v4.1.4"; NULL in a build without MPI. */
const char *slb_comm_library(void);

/* Once in a process. *comm is NULL for a process alone. `stop` (may be NULL) becomes nonzero when
 * this process is asked to stop: mpirun does so when another one has died, so that waiting on is
 * given up a moment later. SLB_E_UNBUILT when mpirun started several and the build lacks MPI. */
SLB_MUST_CHECK SlbStatus slb_comm_open(const volatile sig_atomic_t *stop, SlbComm **comm,
                                       SlbError *err);
void slb_comm_close(SlbComm *comm);

/* Not collective. */
int slb_comm_rank(const SlbComm *comm); /* from 0; rank 0 writes files and reports */
int slb_comm_size(const SlbComm *comm);

/* This process has failed alone. Nothing but slb_comm_close is allowed any more, which does not
 * wait for the others: mpirun ends them as soon as this one has ended with an exit code other than
 * 0. Not collective. */
void slb_comm_leave(SlbComm *comm);
bool slb_comm_has_left(const SlbComm *comm);

/* Adds each of `count` values up over the processes, for all of them. In no particular order: for
 * values of which all but one are zero, or for whole numbers. */
SLB_MUST_CHECK SlbStatus slb_comm_sum(SlbComm *comm, double *values, size_t count, SlbError *err);

/* Copies the `bytes` at `data` of rank 0 to those of the others. */
SLB_MUST_CHECK SlbStatus slb_comm_share(SlbComm *comm, void *data, size_t bytes, SlbError *err);

/* One answer for all: SLB_OK when `mine` is that everywhere, else the failure of the lowest rank
 * that has one, with its *err. */
SLB_MUST_CHECK SlbStatus slb_comm_settle(SlbComm *comm, SlbStatus mine, SlbError *err);

/* Sums of arrays over all parts of a batch, in the order of train/tree.h: every process hands in
 * the blocks of its parts, array after array, as they get ready, and goes on computing meanwhile.
 * Each array is cut into a slice for each process, which gets all blocks of its slice, adds them up
 * and sends the sum to everyone. */
typedef struct SlbExchange SlbExchange;

/* Arrays of counts[i] floats, summed over `parts` parts into results[i] (the caller's, to outlive
 * the exchange). */
SLB_MUST_CHECK SlbStatus slb_exchange_create(SlbComm *comm, int parts, int arrays,
                                             const size_t *counts, float *const *results,
                                             SlbExchange **exchange, SlbError *err);
void slb_exchange_free(SlbExchange *exchange); /* not collective; NULL is allowed */

/* Before the first block of a batch. */
void slb_exchange_begin(SlbExchange *exchange);
/* The block that begins with part `first` is ready for array `i`. Not to be touched before
 * slb_exchange_finish, which may change it. Any thread; not collective. */
void slb_exchange_block(SlbExchange *exchange, int i, int first, float *sum);
/* Lets messages that have come be worked on. Any thread, now and then; not collective. */
void slb_exchange_poll(SlbExchange *exchange);
/* After the last block: waits until all results are there. */
SLB_MUST_CHECK SlbStatus slb_exchange_finish(SlbExchange *exchange, SlbError *err);

/* What this process sent and how long it took, over all batches since the creation. */
typedef struct SlbExchangeTimes {
    double bytes, messages;
    double seconds; /* from the first block handed in to the last result */
    double waited;  /* of these in slb_exchange_finish: what computing did not hide */
} SlbExchangeTimes;
SlbExchangeTimes slb_exchange_times(const SlbExchange *exchange);

#endif
