/* What the fuzz targets share. A target is one fuzz_*.c with LLVMFuzzerTestOneInput: libFuzzer
 * calls it with inputs that it makes up (-DSLBSR_FUZZ=ON, tests/fuzz/run.sh), replay.c with files
 * that are there. It aborts where a promise is broken. */
#ifndef SLBSR_TESTS_FUZZ_FUZZ_H
#define SLBSR_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Ends the process, for the fuzzer to keep the input, where `holds` is false. */
static inline void fuzz_want(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* Reads a value that depends on everything that has to be readable. */
static inline void fuzz_use(double value)
{
    static volatile double sink;
    sink = value;
    (void)sink;
}

/* A status of a parser: one of `expected` (0: SLB_OK alone) or SLB_OK, and a failure has a message.
 */
static inline void fuzz_status(SlbStatus status, SlbStatus expected, const SlbError *err)
{
    if (status == SLB_OK) return;
    if (status != expected) fprintf(stderr, "status %d: %s\n", (int)status, err->message);
    fuzz_want(status == expected, "another status than this input should have");
    fuzz_want(err->status == status && err->message[0], "a failure without a message");
    fuzz_want(!strchr(err->message, '\n'), "a message of more than one line");
}

/* The path of a file in memory that holds these bytes, until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    static char path[40];
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    fuzz_want(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, bytes, 0) == (ssize_t)bytes,
              "no file in memory");
    return path;
}

#endif
