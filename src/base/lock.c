#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever had the file before may have removed it between our open and our lock: a lock counts only
 * on the file that still has the name. */
static bool is_current(int fd, const char *path)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

/* What is to be removed in the end must be what was made for it: an empty file of one name. */
static bool is_lock_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 && st.st_nlink == 1;
}

/* Locks the file of *lock. `again`: it has to be tried once more. */
static SlbStatus try_lock(SlbLock *lock, const char *what, bool *again, SlbError *err)
{
    static const char foreign[] = "%s: is no lock file; remove it or give another name";
    const char *path = lock->path;
    *again = false;
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0666);
    if (lock->fd < 0 && errno == ELOOP) return slb_fail(err, SLB_E_OUTPUT, foreign, path);
    if (lock->fd < 0) return slb_fail_system(err, SLB_E_OUTPUT, path, "cannot be created");
    /* Where a file system has no locks, there is no more to be done. */
    if (flock(lock->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: another run is at work on it; wait for its end or give another name",
                        what);
    *again = !is_current(lock->fd, path);
    if (*again)
        return slb_fail(err, SLB_E_OUTPUT, "%s: cannot be locked: it keeps being replaced", path);
    return is_lock_file(lock->fd) ? SLB_OK : slb_fail(err, SLB_E_OUTPUT, foreign, path);
}

SlbStatus slb_lock(SlbLock *lock, const char *path, const char *what, SlbError *err)
{
    bool again = true;
    SlbStatus s = SLB_OK;
    *lock = (SlbLock){strdup(path), -1};
    if (!lock->path) return slb_fail_memory(err, path);
    for (int tries = 0; again && tries < 100; tries++) {
        s = try_lock(lock, what, &again, err);
        if (s == SLB_OK) return SLB_OK;
        if (lock->fd >= 0) close(lock->fd);
    }
    free(lock->path);
    *lock = (SlbLock){.fd = -1};
    return s;
}

void slb_unlock(SlbLock *lock)
{
    if (!lock->path) return;
    /* While it is locked: nobody else can have it yet. */
    if (is_current(lock->fd, lock->path)) unlink(lock->path);
    close(lock->fd);
    free(lock->path);
    *lock = (SlbLock){.fd = -1};
}
