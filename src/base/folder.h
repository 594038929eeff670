/* Files by their names, and what is in folders. */
#ifndef SLBSR_BASE_FOLDER_H
#define SLBSR_BASE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* True when the name ends, ignoring case, in a dot and one of the `|`-separated `extensions`; a
 * name that begins with its only dot has none. Folders before the name are allowed. */
bool slb_has_extension(const char *path, const char *extensions);

/* Whether `path` leads to a folder, through links too. */
bool slb_is_folder(const char *path);

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
