/* Processes that talk by MPI. Compiled with SLBSR_MPI only. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/comm_ops.h"

typedef struct MpiComm {
    SlbComm base;
    MPI_Request *request; /* [count], room for more */
    int *what;            /* [count] as given with the request */
    int count, room;
} MpiComm;

static const char *library(void)
{
    static char text[64];
    char all[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(all, &length);
    snprintf(text, sizeof text, "%.*s", (int)strcspn(all, ",\n"), all);
    return text;
}

static SlbStatus check(SlbComm *comm, int code, SlbError *err)
{
    char why[MPI_MAX_ERROR_STRING];
    int length;
    if (code == MPI_SUCCESS) return SLB_OK;
    slb_comm_leave(comm);
    MPI_Error_string(code, why, &length);
    return slb_fail(err, SLB_PARTIAL, "the other processes cannot be reached any more: %s", why);
}

static void close_comm(SlbComm *comm)
{
    MpiComm *c = (MpiComm *)comm;
    if (!comm->left) MPI_Finalize();
    slb_free(c->request);
    slb_free(c->what);
    slb_free(c);
}

/* Waits for one request of this process alone; as slb_comm_wait says. */
static SlbStatus wait(SlbComm *comm, MPI_Request *request, SlbError *err)
{
    SlbPatience patience = {0};
    for (;;) {
        int done;
        SlbStatus s = check(comm, MPI_Test(request, &done, MPI_STATUS_IGNORE), err);
        if (s != SLB_OK || done) return s;
        s = slb_comm_wait(comm, &patience, err);
        if (s != SLB_OK) return s;
    }
}

static SlbStatus sum(SlbComm *comm, double *values, size_t count, SlbError *err)
{
    MPI_Request request;
    SlbStatus s = check(comm,
                        MPI_Iallreduce(MPI_IN_PLACE, values, (int)count, MPI_DOUBLE, MPI_SUM,
                                       MPI_COMM_WORLD, &request),
                        err);
    return s == SLB_OK ? wait(comm, &request, err) : s;
}

static SlbStatus share(SlbComm *comm, int root, void *data, size_t bytes, SlbError *err)
{
    enum { MOST = 1 << 26 };
    SlbStatus s = SLB_OK;
    for (size_t at = 0; s == SLB_OK && at < bytes; at += MOST) {
        MPI_Request request;
        int n = (int)(bytes - at < MOST ? bytes - at : MOST);
        s = check(comm, MPI_Ibcast((char *)data + at, n, MPI_BYTE, root, MPI_COMM_WORLD, &request),
                  err);
        if (s == SLB_OK) s = wait(comm, &request, err);
    }
    return s;
}

/* Room for one more request. */
static SlbStatus grow(MpiComm *c, SlbError *err)
{
    if (c->count < c->room) return SLB_OK;
    int room = c->room ? 2 * c->room : 64;
    MPI_Request *request = slb_calloc((size_t)room, sizeof *request);
    int *what = slb_calloc((size_t)room, sizeof *what);
    if (!request || !what) {
        slb_free(request);
        slb_free(what);
        return slb_fail_memory(err, "the messages of training");
    }
    if (c->count) {
        memcpy(request, c->request, (size_t)c->count * sizeof *request);
        memcpy(what, c->what, (size_t)c->count * sizeof *what);
    }
    slb_free(c->request);
    slb_free(c->what);
    c->request = request;
    c->what = what;
    c->room = room;
    return SLB_OK;
}

static SlbStatus begun(MpiComm *c, int code, int what, SlbError *err)
{
    SlbStatus s = check(&c->base, code, err);
    if (s == SLB_OK) c->what[c->count++] = what;
    return s;
}

static SlbStatus send(SlbComm *comm, int rank, int tag, const float *data, size_t count, int what,
                      SlbError *err)
{
    MpiComm *c = (MpiComm *)comm;
    SlbStatus s = grow(c, err);
    if (s != SLB_OK) return s;
    return begun(
        c, MPI_Isend(data, (int)count, MPI_FLOAT, rank, tag, MPI_COMM_WORLD, &c->request[c->count]),
        what, err);
}

static SlbStatus receive(SlbComm *comm, int rank, int tag, float *data, size_t count, int what,
                         SlbError *err)
{
    MpiComm *c = (MpiComm *)comm;
    SlbStatus s = grow(c, err);
    if (s != SLB_OK) return s;
    return begun(
        c, MPI_Irecv(data, (int)count, MPI_FLOAT, rank, tag, MPI_COMM_WORLD, &c->request[c->count]),
        what, err);
}

static SlbStatus test(SlbComm *comm, bool *any, int *what, SlbError *err)
{
    MpiComm *c = (MpiComm *)comm;
    int which = MPI_UNDEFINED, done = 0;
    SlbStatus s = SLB_OK;
    *any = false;
    if (c->count)
        s = check(comm, MPI_Testany(c->count, c->request, &which, &done, MPI_STATUS_IGNORE), err);
    if (s != SLB_OK || !done || which == MPI_UNDEFINED) return s;
    *any = true;
    *what = c->what[which];
    c->request[which] = c->request[--c->count];
    c->what[which] = c->what[c->count];
    return SLB_OK;
}

const SlbCommOps slb_comm_mpi_ops = {library, close_comm, sum, share, send, receive, test};

/* mpirun, srun and the like tell by these. */
static bool started_by_launcher(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) return true;
    return false;
}

SlbStatus slb_comm_mpi(SlbComm **comm, SlbError *err)
{
    int provided = MPI_THREAD_SINGLE;
    *comm = NULL;
    if (!started_by_launcher()) return SLB_OK;
    MpiComm *c = slb_calloc(1, sizeof *c);
    if (!c) return slb_fail_memory(err, "the processes of training");
    c->base.ops = &slb_comm_mpi_ops;
    bool ok = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) == MPI_SUCCESS;
    if (ok) {
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
        MPI_Comm_rank(MPI_COMM_WORLD, &c->base.rank);
        MPI_Comm_size(MPI_COMM_WORLD, &c->base.size);
    }
    if (!ok || provided < MPI_THREAD_SERIALIZED) {
        c->base.left = !ok;
        close_comm(&c->base);
        return slb_fail(err, SLB_E_UNBUILT, "this MPI cannot be used from several threads");
    }
    *comm = &c->base;
    return SLB_OK;
}
