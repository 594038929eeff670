/* What the fuzz targets share. A target is one fuzz_*.c with LLVMFuzzerTestOneInput: libFuzzer
 * calls it with inputs that it makes up (-DSLBSR_FUZZ=ON, tests/fuzz/run.sh), replay.c with files
 * that are there. It aborts where a promise is broken. */
#ifndef SLBSR_TESTS_FUZZ_FUZZ_H
#define SLBSR_TESTS_FUZZ_FUZZ_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
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

enum { FUZZ_FILES = 3 }; /* that there can be at a time */

/* The descriptor of a file in memory; `which`: which of them. */
static inline int fuzz_memory(int which)
{
    static int files[FUZZ_FILES]; /* 0: none yet, as that is standard input */
    if (!files[which]) files[which] = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_want(files[which] > 0, "no file in memory");
    return files[which];
}

static inline const char *fuzz_memory_path(int which)
{
    static char paths[FUZZ_FILES][40];
    snprintf(paths[which], sizeof *paths, "/proc/self/fd/%d", fuzz_memory(which));
    return paths[which];
}

/* The path of a file in memory that holds these bytes, until the next call for the same number. */
static inline const char *fuzz_numbered_file(int which, const uint8_t *data, size_t bytes)
{
    int fd = fuzz_memory(which);
    fuzz_want(ftruncate(fd, 0) == 0 && pwrite(fd, data, bytes, 0) == (ssize_t)bytes,
              "no room in memory");
    return fuzz_memory_path(which);
}

static inline const char *fuzz_file(const uint8_t *data, size_t bytes)
{
    return fuzz_numbered_file(0, data, bytes);
}

/* Standard output goes into a file in memory until fuzz_caught, which tells its path: for what is
 * written to "-". */
static inline int fuzz_catch(void)
{
    int fd = fuzz_memory(FUZZ_FILES - 1), before = dup(STDOUT_FILENO);
    fuzz_want(before >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
                  dup2(fd, STDOUT_FILENO) >= 0,
              "standard output cannot be caught");
    return before;
}

static inline const char *fuzz_caught(int before)
{
    fuzz_want(dup2(before, STDOUT_FILENO) >= 0 && close(before) == 0, "standard output is lost");
    return fuzz_memory_path(FUZZ_FILES - 1);
}

static char fuzz_folder[] = "/dev/shm/slbsr-fuzz-XXXXXX";

static inline void fuzz_remove_folder(void)
{
    DIR *folder = opendir(fuzz_folder);
    for (struct dirent *e; folder && (e = readdir(folder));)
        (void)unlinkat(dirfd(folder), e->d_name, 0);
    if (folder) closedir(folder);
    rmdir(fuzz_folder);
}

/* The path of a file in a folder in memory that goes when the process ends, for what has to be
 * written under a name; until the next call. */
static inline const char *fuzz_path(const char *name)
{
    static char path[64];
    static bool made;
    if (!made) fuzz_want(mkdtemp(fuzz_folder) && !atexit(fuzz_remove_folder), "no folder");
    made = true;
    snprintf(path, sizeof path, "%s/%s", fuzz_folder, name);
    return path;
}

/* How many files there are in that folder. */
static inline int fuzz_left(void)
{
    int files = 0;
    DIR *folder = opendir(fuzz_folder);
    for (struct dirent *e; folder && (e = readdir(folder));)
        files += e->d_name[0] != '.' || e->d_name[1] > '.';
    if (folder) closedir(folder);
    return files;
}

/* Whether two files hold the same bytes. */
static inline bool fuzz_same_files(const char *a, const char *b)
{
    unsigned char *data[2] = {0};
    size_t bytes[2];
    SlbError err;
    const size_t most = (size_t)1 << 28;
    bool same = slb_read_file(a, most, SLB_E_INPUT, &data[0], &bytes[0], &err) == SLB_OK &&
                slb_read_file(b, most, SLB_E_INPUT, &data[1], &bytes[1], &err) == SLB_OK &&
                bytes[0] == bytes[1] && memcmp(data[0], data[1], bytes[0]) == 0;
    slb_free(data[0]);
    slb_free(data[1]);
    return same;
}

/* An input that is read from its front; behind its end there are zeros. */
typedef struct FuzzInput {
    const uint8_t *at;
    size_t left;
} FuzzInput;

static inline unsigned fuzz_byte(FuzzInput *in)
{
    if (!in->left) return 0;
    in->left--;
    return *in->at++;
}

/* Two or four bytes, little-endian. */
static inline unsigned fuzz_u16(FuzzInput *in)
{
    unsigned low = fuzz_byte(in);
    return low | fuzz_byte(in) << 8;
}

static inline uint32_t fuzz_u32(FuzzInput *in)
{
    uint32_t low = fuzz_u16(in);
    return low | (uint32_t)fuzz_u16(in) << 16;
}

/* The next `bytes` bytes, or as many as there are. */
static inline FuzzInput fuzz_part(FuzzInput *in, size_t bytes)
{
    FuzzInput part = {in->at, bytes < in->left ? bytes : in->left};
    in->at += part.left;
    in->left -= part.left;
    return part;
}

/* A copy with a zero byte behind it; the caller frees it. */
static inline char *fuzz_text(const FuzzInput *in)
{
    char *text = malloc(in->left + 1);
    fuzz_want(text != NULL, "no memory");
    if (in->left) memcpy(text, in->at, in->left);
    text[in->left] = 0;
    return text;
}

#endif
