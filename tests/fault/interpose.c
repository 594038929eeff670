/* Makes calls to the C library fail, for programs that are run with LD_PRELOAD of this. The
 * environment says which:
 *   SLBSR_FAULT=malloc:17        the 17th allocation (malloc, calloc, realloc, aligned_alloc)
 *                                returns NULL
 *   SLBSR_FAULT=malloc:17+       that one and all behind it
 *   SLBSR_FAULT=write:3:ENOSPC   the third write of a stream of fdopen fails; also EIO
 *   SLBSR_FAULT=pwrite:2:short   the second pwrite writes half of what was asked; or fails with
 *                                ENOSPC, EIO
 *   SLBSR_FAULT=fsync:1:EIO, rename:..., link:..., open:... (to write), mmap:..., fclose:...
 *   SLBSR_FAULT_LOG=FILE         is made when the fault happens
 * Allocations of the OpenMP runtime, the dynamic loader and sanitizers are not counted: they end
 * the process themselves, or are not the program's. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_SPARED = 32, MAX_STREAMS = 64 };

static char call[16];   /* which call fails; "" while there is none */
static long fail_at;    /* counted from 1 */
static bool all_behind; /* fail from there on */
static int fail_errno;  /* 0: a short write */
static atomic_long counter;
static atomic_int logged;

static struct {
    uintptr_t begin, end;
} spared[MAX_SPARED];
static int spared_count;

static int spare(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    static const char *const names[] = {"libgomp",  "libomp",  "ld-linux", "libasan",
                                        "libubsan", "liblsan", "libtsan"};
    (void)bytes;
    (void)unused;
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        found = found || strstr(info->dlpi_name, names[i]);
    for (int i = 0; found && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || spared_count == MAX_SPARED) continue;
        spared[spared_count].begin = info->dlpi_addr + p->p_vaddr;
        spared[spared_count++].end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
    }
    return 0;
}

__attribute__((constructor)) static void start(void)
{
    const char *fault = getenv("SLBSR_FAULT");
    char kind[16] = "", why[16] = "", plus = 0;
    long n = 0;
    if (!fault) return;
    if (sscanf(fault, "%15[^:]:%ld%c%15s", kind, &n, &plus, why) < 2 || n < 1) {
        fprintf(stderr, "SLBSR_FAULT=%s: not understood\n", fault);
        _exit(99);
    }
    dl_iterate_phdr(spare, NULL);
    fail_at = n;
    all_behind = plus == '+';
    fail_errno = strcmp(why, "ENOSPC") == 0 ? ENOSPC : strcmp(why, "short") == 0 ? 0 : EIO;
    if (strcmp(kind, "malloc") == 0) fail_errno = ENOMEM;
    memcpy(call, kind, sizeof kind);
}

/* True when this call of `name` is the one that fails. */
static bool fails(const char *name, const void *caller)
{
    if (!call[0] || strcmp(call, name) != 0) return false;
    for (int i = 0; i < spared_count; i++)
        if ((uintptr_t)caller >= spared[i].begin && (uintptr_t)caller < spared[i].end) return false;
    long n = atomic_fetch_add(&counter, 1) + 1;
    if (n != fail_at && !(all_behind && n > fail_at)) return false;
    const char *log = getenv("SLBSR_FAULT_LOG");
    if (log && !atomic_exchange(&logged, 1)) {
        long fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT, 0666);
        if (fd >= 0) syscall(SYS_close, fd);
    }
    errno = fail_errno;
    return true;
}

#define CALLER __builtin_return_address(0)
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ---- Memory ---- */

/* dlsym may ask for memory itself, before the real functions are known. */
static char early[4096];
static size_t early_used;

static void *early_block(size_t bytes)
{
    size_t at = (early_used + 15) / 16 * 16;
    if (at + bytes > sizeof early) return NULL;
    early_used = at + bytes;
    return early + at;
}

static bool is_early(const void *block)
{
    return (const char *)block >= early && (const char *)block < early + sizeof early;
}

static void *(*real_malloc)(size_t), *(*real_calloc)(size_t, size_t),
    *(*real_realloc)(void *, size_t), *(*real_aligned)(size_t, size_t);
static void (*real_free)(void *);
static int finding;

static bool find_real(void)
{
    if (real_free) return true;
    if (finding) return false;
    finding = 1;
    real_malloc = REAL(malloc);
    real_calloc = REAL(calloc);
    real_realloc = REAL(realloc);
    real_aligned = REAL(aligned_alloc);
    real_free = REAL(free);
    finding = 0;
    return true;
}

void *malloc(size_t bytes)
{
    if (!find_real()) return early_block(bytes);
    return fails("malloc", CALLER) ? NULL : real_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    if (!find_real()) return early_block(count * bytes); /* static memory is zero */
    return fails("malloc", CALLER) ? NULL : real_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes)
{
    if (!find_real()) return NULL;
    return fails("malloc", CALLER) ? NULL : real_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    if (!find_real()) return NULL;
    return fails("malloc", CALLER) ? NULL : real_aligned(alignment, bytes);
}

void free(void *block)
{
    if (block && !is_early(block) && find_real()) real_free(block);
}

/* ---- Files ---- */

/* The writes of a stream happen within the C library, out of reach: such streams are made anew,
 * with a write function of our own. */
static struct {
    FILE *file;
    int fd;
} streams[MAX_STREAMS];

static ssize_t stream_write(void *cookie, const char *data, size_t bytes)
{
    int fd = (int)(intptr_t)cookie;
    if (fails("write", NULL)) return 0;
    for (size_t done = 0; done < bytes;) {
        ssize_t n = syscall(SYS_write, fd, data + done, bytes - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        done += (size_t)n;
    }
    return (ssize_t)bytes;
}

static int stream_close(void *cookie)
{
    int fd = (int)(intptr_t)cookie;
    for (int i = 0; i < MAX_STREAMS; i++)
        if (streams[i].file && streams[i].fd == fd) streams[i].file = NULL;
    int failed = fails("fclose", NULL) ? errno : 0;
    syscall(SYS_close, fd);
    errno = failed;
    return failed ? -1 : 0;
}

FILE *fdopen(int fd, const char *mode)
{
    if (strcmp(call, "write") != 0 && strcmp(call, "fclose") != 0) return REAL(fdopen)(fd, mode);
    cookie_io_functions_t functions = {.write = stream_write, .close = stream_close};
    FILE *file = fopencookie((void *)(intptr_t)fd, mode, functions);
    for (int i = 0; file && i < MAX_STREAMS; i++)
        if (!streams[i].file) {
            streams[i].file = file;
            streams[i].fd = fd;
            break;
        }
    return file;
}

int fileno(FILE *file)
{
    for (int i = 0; file && i < MAX_STREAMS; i++)
        if (streams[i].file == file) return streams[i].fd;
    return REAL(fileno)(file);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    if (fails("pwrite", CALLER)) {
        if (fail_errno || bytes < 2) return -1;
        bytes /= 2;
    }
    return REAL(pwrite)(fd, data, bytes, offset);
}

int fsync(int fd)
{
    return fails("fsync", CALLER) ? -1 : REAL(fsync)(fd);
}

int rename(const char *from, const char *to)
{
    return fails("rename", CALLER) ? -1 : REAL(rename)(from, to);
}

int link(const char *from, const char *to)
{
    return fails("link", CALLER) ? -1 : REAL(link)(from, to);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if ((flags & O_ACCMODE) != O_RDONLY && fails("open", CALLER)) return -1;
    return REAL(open)(path, flags, mode);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && fails("mmap", CALLER)) return MAP_FAILED;
    return REAL(mmap)(at, bytes, protection, flags, fd, offset);
}
