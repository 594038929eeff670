/* Whole files in, whole files out. */
#ifndef SLBSR_BASE_IO_H
#define SLBSR_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

/* Reads the file at `path` into *data (slb_alloc; the caller frees it; one extra zero byte stands
 * behind the contents) and its size to *bytes. `limit_bytes` bounds what is read. `status` is what
 * a failure is called (SLB_E_INPUT or SLB_E_MODEL). Nothing to free on failure. */
SLB_MUST_CHECK SlbStatus slb_read_file(const char *path, size_t limit_bytes, SlbStatus status,
                                       unsigned char **data, size_t *bytes, SlbError *err);

/* The same of standard input, from where it stands to its end. */
SLB_MUST_CHECK SlbStatus slb_read_stdin(size_t limit_bytes, SlbStatus status, unsigned char **data,
                                        size_t *bytes, SlbError *err);

/* A file that appears whole or not at all: written under a temporary name in the same folder, then
 * synced and renamed. What has no second name to appear under, standard output and character
 * devices, gets what is written as it comes. */
typedef struct SlbOutput {
    FILE *file;      /* write here */
    char *path;      /* the final name */
    char *temporary; /* the name while it is being written; NULL: what has one name only */
    bool overwrite;
} SlbOutput;

/* Opens *out for `path`. Without `overwrite`, an existing file at `path` is an SLB_E_OUTPUT (looked
 * at now and once more at the end); one that is replaced leaves its owner, group and permissions to
 * the new one, as far as this process may give them. A character device (/dev/null) is written
 * itself, with or without `overwrite`; but for terminals, as below. On failure there is nothing to
 * close. */
SLB_MUST_CHECK SlbStatus slb_output_open(SlbOutput *out, const char *path, bool overwrite,
                                         SlbError *err);

/* Whether slb_output_open would go well, as far as can be told without making a file. */
SLB_MUST_CHECK SlbStatus slb_output_check(const char *path, bool overwrite, SlbError *err);

/* Whether `name` names no file, nor a place for one in a folder: what is built in may have it, and
 * who mistypes that gets another message than for a file that is missing. */
bool slb_is_bare_name(const char *name);

/* A second descriptor of an open file, to be closed by itself. -1 and errno (EBADF) when it is not
 * open, or open for `wrong_mode` (O_RDONLY or O_WRONLY) only. */
int slb_duplicate(int fd, int wrong_mode);

/* Opens *out for standard output. SLB_E_OUTPUT where that is a terminal, which binary data would
 * put out of order. */
SLB_MUST_CHECK SlbStatus slb_output_stdout(SlbOutput *out, SlbError *err);

/* Flushes, syncs and renames; closes *out in any case. On failure no file is left behind and what
 * stood at the final name is untouched. Detects write errors (a full disk) of all earlier writes.
 */
SLB_MUST_CHECK SlbStatus slb_output_commit(SlbOutput *out, SlbError *err);

/* Closes *out and removes the temporary file. Safe after commit and on a zeroed SlbOutput. */
void slb_output_abort(SlbOutput *out);

/* Removes the temporary files of all open outputs; async-signal-safe, for a signal handler that
 * ends the process. */
void slb_output_abort_all(void);

/* True when the name ends, ignoring case, in a dot and one of the `|`-separated `extensions`; a
 * name that begins with its only dot has none. Folders before the name are allowed. */
bool slb_has_extension(const char *path, const char *extensions);

/* Whether `path` leads to a folder, through links too. */
bool slb_is_folder(const char *path);

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

/* Whether a file is at `path`, through links too, or what is only told when it is opened: in a
 * folder that gives names and nothing else, or a link that leads nowhere. Not a pipe, which could
 * be waited for for ever. */
bool slb_may_be_file(const char *path);

/* The files in folder `path` whose names end (ignoring case) in one of the `|`-separated
 * `extensions`, e.g. "png|jpg"; without sub-folders and pipes, sorted by byte order. *names is an
 * array of *count strings "path/name"; free with slb_free_names. A missing folder is SLB_E_INPUT.
 */
SLB_MUST_CHECK SlbStatus slb_list_folder(const char *path, const char *extensions, char ***names,
                                         size_t *count, SlbError *err);
void slb_free_names(char **names, size_t count);

#endif
