/* What a way to talk between processes has to offer to comm.c and exchange.c. */
#ifndef SLBSR_TRAIN_COMM_OPS_H
#define SLBSR_TRAIN_COMM_OPS_H

#include "train/comm.h"

typedef struct SlbCommOps {
    const char *(*library)(void);
    void (*close)(SlbComm *comm);
    SlbStatus (*sum)(SlbComm *comm, double *values, size_t count, SlbError *err);
    /* From `root` to all. */
    SlbStatus (*share)(SlbComm *comm, int root, void *data, size_t bytes, SlbError *err);
    /* Begins to send to or to receive from another process; `data` is in use until slb_test has
     * given `what` back. Messages between two processes are told apart by `tag`, from 0. One thread
     * at a time. */
    SlbStatus (*send)(SlbComm *comm, int rank, int tag, const float *data, size_t count, int what,
                      SlbError *err);
    SlbStatus (*receive)(SlbComm *comm, int rank, int tag, float *data, size_t count, int what,
                         SlbError *err);
    /* Sets *what to that of a message that has come or gone, *any to false when there is none. */
    SlbStatus (*test)(SlbComm *comm, bool *any, int *what, SlbError *err);
} SlbCommOps;

struct SlbComm {
    const SlbCommOps *ops;
    int rank, size;
    bool left;
    const volatile sig_atomic_t *stop;
};

/* MPI; *comm is NULL when mpirun did not start this process. */
SLB_MUST_CHECK SlbStatus slb_comm_mpi(SlbComm **comm, SlbError *err);
extern const SlbCommOps slb_comm_mpi_ops;

/* A wait for other processes; zeroed when it begins. */
typedef struct SlbPatience {
    double began, asked;
} SlbPatience;

/* Between two looks: gives the processor away; SLB_PARTIAL when waiting is of no use any more. */
SLB_MUST_CHECK SlbStatus slb_comm_wait(SlbComm *comm, SlbPatience *patience, SlbError *err);

#endif
