#include "train/comm_ops.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

const char *slb_comm_library(void)
{
#ifdef SLBSR_MPI
    return slb_comm_mpi_ops.library();
#else
    return NULL;
#endif
}

/* Processes that know nothing of each other would all write the same files. */
static SlbStatus open_any(SlbComm **comm, SlbError *err)
{
#ifdef SLBSR_MPI
    return slb_comm_mpi(comm, err);
#else
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    *comm = NULL;
    if (!size || atoi(size) <= 1) return SLB_OK;
    return slb_fail(err, SLB_E_UNBUILT,
                    "mpirun started %s processes, but this build trains in one; build it with "
                    "-DSLBSR_MPI=ON",
                    size);
#endif
}

SlbStatus slb_comm_open(const volatile sig_atomic_t *stop, SlbComm **comm, SlbError *err)
{
    SlbStatus s = open_any(comm, err);
    if (s == SLB_OK && *comm) (*comm)->stop = stop;
    return s;
}

void slb_comm_close(SlbComm *comm)
{
    if (comm) comm->ops->close(comm);
}

void slb_comm_leave(SlbComm *comm)
{
    if (comm) comm->left = true;
}

bool slb_comm_has_left(const SlbComm *comm)
{
    return comm && comm->left;
}

int slb_comm_rank(const SlbComm *comm)
{
    return comm ? comm->rank : 0;
}

int slb_comm_size(const SlbComm *comm)
{
    return comm ? comm->size : 1;
}

SlbStatus slb_comm_sum(SlbComm *comm, double *values, size_t count, SlbError *err)
{
    return comm ? comm->ops->sum(comm, values, count, err) : SLB_OK;
}

SlbStatus slb_comm_share(SlbComm *comm, void *data, size_t bytes, SlbError *err)
{
    return comm ? comm->ops->share(comm, 0, data, bytes, err) : SLB_OK;
}

SlbStatus slb_comm_settle(SlbComm *comm, SlbStatus mine, SlbError *err)
{
    SlbError told = {.status = mine};
    if (!comm) return mine;
    double *failed = slb_calloc((size_t)comm->size, sizeof *failed);
    if (!failed) return slb_fail_memory(err, "the processes of training");
    failed[comm->rank] = mine != SLB_OK;
    SlbStatus s = slb_comm_sum(comm, failed, (size_t)comm->size, err);
    int first = 0;
    while (s == SLB_OK && first < comm->size && failed[first] == 0) first++;
    slb_free(failed);
    if (s != SLB_OK || first == comm->size) return s;
    if (mine != SLB_OK && err) told = *err;
    s = comm->ops->share(comm, first, &told, sizeof told, err);
    if (s != SLB_OK) return s;
    if (err) *err = told;
    return told.status;
}

SlbStatus slb_comm_wait(SlbComm *comm, SlbPatience *patience, SlbError *err)
{
    const double busy = 0.002, grace = 0.3; /* seconds */
    double now = slb_seconds();
    if (patience->began == 0) patience->began = now;
    if (now - patience->began < busy)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    if (!comm->stop || !*comm->stop) return SLB_OK;
    if (patience->asked == 0) patience->asked = now;
    if (now - patience->asked < grace) return SLB_OK;
    slb_comm_leave(comm);
    return slb_fail(err, SLB_PARTIAL,
                    "asked to stop while waiting for the other processes (has one of them ended?)");
}
