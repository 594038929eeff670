/* Included before every file that clang-tidy reads, by tidy.sh. Its analyzer sees one file at a
 * time and would think that a function that failed may yet say SLB_OK: these macros tell it what
 * slb_fail and its kin return. */
#include <errno.h>

#include "base/status.h"

#define slb_fail(err, status, ...) ((void)slb_fail(err, status, __VA_ARGS__), (status))
#define slb_fail_memory(err, what) ((void)slb_fail_memory(err, what), SLB_E_MEMORY)
#define slb_fail_system(err, status, path, what)                                                   \
    ((void)slb_fail_system(err, status, path, what), errno == ENOMEM ? SLB_E_MEMORY : (status))
