/* Status codes and error messages: the library returns them, it never prints and never exits. */
#ifndef SLBSR_BASE_STATUS_H
#define SLBSR_BASE_STATUS_H

#include <stdbool.h>

/* Every value is also the exit code of the program (128 + n: ended by signal n). */
typedef enum SlbStatus {
    SLB_OK = 0,
    SLB_PARTIAL = 1,      /* some inputs failed, the rest is done */
    SLB_E_USAGE = 2,      /* wrong arguments */
    SLB_E_INPUT = 3,      /* an input file is missing, damaged or not supported */
    SLB_E_OUTPUT = 4,     /* an output file cannot be written */
    SLB_E_MODEL = 5,      /* a model or network file is damaged or does not fit */
    SLB_E_MEMORY = 6,     /* out of memory, or over the ceiling that was asked for */
    SLB_E_QUALITY = 7,    /* a required quality was missed */
    SLB_E_UNBUILT = 8,    /* this build lacks what was asked for */
    SLB_E_DIVERGED = 9,   /* training diverged */
} SlbStatus;

enum { SLB_MESSAGE_BYTES = 4096 + 512 }; /* room for the longest path */

/* What went wrong, for a person: one line without a newline that says what, which file, why and
 * what to do. Owned by the caller; functions fill it on failure and leave it alone on success. */
typedef struct SlbError {
    SlbStatus status;
    char message[SLB_MESSAGE_BYTES];
} SlbError;

#define SLB_MUST_CHECK __attribute__((warn_unused_result))

/* Fills *err (err may be NULL) with status and a printf-style message; returns status, so that a
 * failing function can end with `return slb_fail(err, ...)`. Control characters that a file name
 * may bring along, and bytes that are no UTF-8, are replaced by '?'. A message that is too long is
 * cut. */
SlbStatus slb_fail(SlbError *err, SlbStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* slb_fail for a call of the system that failed: "<path>: <what>: <the reason in errno>", where
 * `what` is like "cannot be opened". When the reason is that memory is out, slb_fail_memory. */
SlbStatus slb_fail_system(SlbError *err, SlbStatus status, const char *path, const char *what);

/* Whether *err tells the system's reason `why` (ENOSPC, ...): messages about outputs that tell one
 * have it last, in the words of strerror (training adds what is kept). */
bool slb_error_tells(const SlbError *err, int why);

/* slb_fail for an allocation that failed: "out of memory: <what>". */
SlbStatus slb_fail_memory(SlbError *err, const char *what);

#endif
