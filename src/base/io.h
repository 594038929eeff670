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
 * itself, with or without `overwrite`; but for terminals, as below. An empty `path` is an
 * SLB_E_OUTPUT. On failure there is nothing to close. */
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

#endif
