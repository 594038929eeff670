/* One process at a time. */
#ifndef SLBSR_BASE_LOCK_H
#define SLBSR_BASE_LOCK_H

#include "base/status.h"

/* The right to be the only process at work on something: a file that is locked, and is gone when
 * the right is given back. The lock of a process that is killed falls by itself; the file that is
 * left over does no harm. */
typedef struct SlbLock {
    char *path; /* NULL: none is held */
    int fd;
} SlbLock;

/* Takes the right whose file is `path`; does not wait. SLB_E_OUTPUT when another process has it,
 * the file cannot be made, or something stands there that is no such file (empty, of one name, no
 * link) and stays as it is; SLB_E_MEMORY. `what` is for the message: "<what>: another run is at
 * work on it; ...". */
SLB_MUST_CHECK SlbStatus slb_lock(SlbLock *lock, const char *path, const char *what, SlbError *err);
void slb_unlock(SlbLock *lock); /* safe on a zeroed one */

#endif
