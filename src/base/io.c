#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

static SlbStatus read_all(FILE *file, const char *path, size_t limit_bytes, SlbStatus status,
                          unsigned char **data, size_t *bytes, SlbError *err)
{
    size_t room = 1 << 16, used = 0;
    unsigned char *buffer = slb_alloc(room + 1, 1);
    while (buffer) {
        used += fread(buffer + used, 1, room - used, file);
        if (ferror(file)) {
            int why = errno;
            slb_free(buffer);
            errno = why;
            return slb_fail_system(err, status, path, "cannot be read");
        }
        if (used > limit_bytes) {
            slb_free(buffer);
            return slb_fail(err, status, "%s: larger than the limit of %zu bytes", path,
                            limit_bytes);
        }
        if (used < room) {
            buffer[used] = 0;
            *data = buffer;
            *bytes = used;
            return SLB_OK;
        }
        unsigned char *larger = slb_alloc(room * 2 + 1, 1);
        if (larger) memcpy(larger, buffer, used);
        slb_free(buffer);
        buffer = larger;
        room *= 2;
    }
    return slb_fail_memory(err, path);
}

/* Closes `file`; NULL: errno says why it could not be opened. */
static SlbStatus read_opened(FILE *file, const char *path, size_t limit_bytes, SlbStatus status,
                             unsigned char **data, size_t *bytes, SlbError *err)
{
    if (!file) return slb_fail_system(err, status, path, "cannot be opened");
    struct stat st;
    SlbStatus s;
    if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode))
        s = slb_fail(err, status, "%s: is a folder, a file is expected", path);
    else
        s = read_all(file, path, limit_bytes, status, data, bytes, err);
    fclose(file);
    return s;
}

SlbStatus slb_read_file(const char *path, size_t limit_bytes, SlbStatus status,
                        unsigned char **data, size_t *bytes, SlbError *err)
{
    return read_opened(fopen(path, "rbe"), path, limit_bytes, status, data, bytes, err);
}

SlbStatus slb_read_stdin(size_t limit_bytes, SlbStatus status, unsigned char **data, size_t *bytes,
                         SlbError *err)
{
    int fd = slb_duplicate(STDIN_FILENO, O_WRONLY);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");
    if (fd >= 0 && !file) close(fd);
    return read_opened(file, "standard input", limit_bytes, status, data, bytes, err);
}

/* The names that a signal handler has to remove. A slot is taken and released with atomic
 * exchanges, so the handler sees either a whole name or none. */
enum { MAX_OPEN = 64 };
static char *volatile pending[MAX_OPEN];

static void pending_add(char *name)
{
    for (int i = 0; i < MAX_OPEN; i++) {
        char *empty = NULL;
        if (__atomic_compare_exchange_n(&pending[i], &empty, name, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return;
    }
}

/* False when the handler has taken it: it is in use then, and the process is about to end. */
static bool pending_remove(char *name)
{
    for (int i = 0; i < MAX_OPEN; i++) {
        char *mine = name;
        if (__atomic_compare_exchange_n(&pending[i], &mine, NULL, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
    }
    return false;
}

void slb_output_abort_all(void)
{
    for (int i = 0; i < MAX_OPEN; i++) {
        const char *name = __atomic_exchange_n(&pending[i], NULL, __ATOMIC_SEQ_CST);
        if (name) unlink(name);
    }
}

static void forget(SlbOutput *out)
{
    if (out->temporary && pending_remove(out->temporary)) free(out->temporary);
    free(out->path);
    *out = (SlbOutput){0};
}

static SlbStatus exists_error(const char *path, SlbError *err)
{
    return slb_fail(err, SLB_E_OUTPUT, "%s: already exists; give -y to overwrite it", path);
}

/* Bytes of a name that leave room for more, whole characters: some file systems take no others. */
static int first_bytes(const char *name)
{
    enum { ROOM = 100 };
    size_t n = 0;
    while (name[n]) {
        size_t character = slb_utf8_bytes(name + n);
        if (!character) character = 1; /* no UTF-8 */
        if (n + character > ROOM) break;
        n += character;
    }
    return (int)n;
}

/* Opens a file of a name that nobody has: hidden, in the folder of out->path, so that rename never
 * crosses file systems; of the final name only so much that it does not become too long. -1 and
 * errno on failure. A file of a killed process may have the same number: hence the tries. */
static int open_temporary(const SlbOutput *out, size_t bytes, mode_t mode)
{
    static atomic_uint serial;
    const char *slash = strrchr(out->path, '/');
    int folder = slash ? (int)(slash - out->path + 1) : 0;
    const char *name = out->path + folder;
    for (int tries = 0;; tries++) {
        snprintf(out->temporary, bytes, "%.*s.%.*s.%lx.%x.tmp", folder, out->path,
                 first_bytes(name), name, (unsigned long)getpid(), atomic_fetch_add(&serial, 1));
        pending_add(out->temporary);
        int fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST || tries == 100) return fd;
        pending_remove(out->temporary);
    }
}

bool slb_is_bare_name(const char *name)
{
    return access(name, F_OK) != 0 && errno == ENOENT && !strchr(name, '/');
}

/* What stands at `path`, where an output shall be. */
typedef struct Place {
    bool taken, link; /* `link`: by a link, and what that points to is meant */
    bool device;      /* a character device, which is written and not replaced */
    uid_t owner;      /* these three of what is replaced */
    gid_t group;
    mode_t mode; /* permissions alone */
} Place;

static SlbStatus look_at(const char *path, bool overwrite, Place *place, SlbError *err)
{
    struct stat st;
    *place = (Place){0};
    if (!*path) return slb_fail(err, SLB_E_OUTPUT, "the name of an output is empty; give one");
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? SLB_OK
                               : slb_fail_system(err, SLB_E_OUTPUT, path, "cannot be created");
    place->taken = true;
    place->link = S_ISLNK(st.st_mode);
    int lost = place->link && stat(path, &st) != 0 ? errno : 0;
    if (!lost && S_ISDIR(st.st_mode))
        return slb_fail(err, SLB_E_OUTPUT, "%s: is a folder, a file name is expected", path);
    if (!lost && S_ISCHR(st.st_mode)) return place->device = true, SLB_OK;
    if (!overwrite) return exists_error(path, err);
    if (lost)
        return slb_fail(err, SLB_E_OUTPUT, "%s: is a link that leads nowhere: %s; remove it", path,
                        strerror(lost));
    if (!S_ISREG(st.st_mode))
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: is no ordinary file and is not replaced; give another name", path);
    place->owner = st.st_uid;
    place->group = st.st_gid;
    place->mode = st.st_mode & 0777;
    return SLB_OK;
}

/* Gives the new file the owner, group and permissions of what it replaces, as far as the process
 * may and the file system can: where it may not, the file is no worse than any new one. A group
 * that is another one now gets no more than everybody has. */
static void take_place(int fd, const Place *place)
{
    if (fchown(fd, place->owner, place->group) != 0) (void)!fchown(fd, (uid_t)-1, place->group);
    struct stat st;
    mode_t mode = place->mode;
    if (fstat(fd, &st) != 0 || st.st_gid != place->group) mode &= ~070u | (mode & 07) << 3;
    (void)!fchmod(fd, mode);
}

/* Opens *out for a descriptor, its own from now on; -1: errno says why there is none. */
static SlbStatus open_directly(SlbOutput *out, const char *name, int fd, SlbError *err)
{
    *out = (SlbOutput){0};
    if (fd >= 0 && isatty(fd)) {
        close(fd);
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: is a terminal, binary data is not written there; give a file name or "
                        "send it through a pipe",
                        name);
    }
    if (fd >= 0) out->path = strdup(name);
    if (out->path) out->file = fdopen(fd, "wb");
    if (out->file) return SLB_OK;
    SlbStatus status = slb_fail_system(err, SLB_E_OUTPUT, name, "cannot be written");
    if (fd >= 0) close(fd);
    forget(out);
    return status;
}

/* Nothing is made or cut short, whatever has come to stand there since it was looked at. */
static SlbStatus open_device(SlbOutput *out, const char *path, SlbError *err)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISCHR(st.st_mode))) {
        close(fd);
        return exists_error(path, err);
    }
    return open_directly(out, path, fd, err);
}

SlbStatus slb_output_open(SlbOutput *out, const char *path, bool overwrite, SlbError *err)
{
    Place place;
    *out = (SlbOutput){0};
    SlbStatus status = look_at(path, overwrite, &place, err);
    if (status != SLB_OK) return status;
    if (place.device) return open_device(out, path, err);
    out->overwrite = overwrite;
    out->path = place.link ? realpath(path, NULL) : strdup(path);
    if (!out->path) return slb_fail_system(err, SLB_E_OUTPUT, path, "cannot be created");
    size_t bytes = strlen(out->path) + 48;
    out->temporary = malloc(bytes);
    if (!out->temporary) {
        forget(out);
        return slb_fail_memory(err, path);
    }
    int fd = open_temporary(out, bytes, place.taken ? 0600 : 0666);
    out->file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!out->file) {
        status = slb_fail_system(err, SLB_E_OUTPUT, out->path, "cannot be created");
        if (fd >= 0) {
            close(fd);
            unlink(out->temporary);
        }
        forget(out);
        return status;
    }
    if (place.taken) take_place(fd, &place);
    return SLB_OK;
}

/* The folder of `path`; free it. NULL when memory is out. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
}

SlbStatus slb_output_check(const char *path, bool overwrite, SlbError *err)
{
    Place place;
    SlbStatus status = look_at(path, overwrite, &place, err);
    if (status != SLB_OK) return status;
    char *real = place.link ? realpath(path, NULL) : strdup(path);
    char *folder = real ? folder_of(real) : NULL;
    if (!folder || access(place.device ? real : folder, place.device ? W_OK : W_OK | X_OK) != 0)
        status = slb_fail_system(err, SLB_E_OUTPUT, path, "cannot be created");
    free(folder);
    free(real);
    return status;
}

int slb_duplicate(int fd, int wrong_mode)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != wrong_mode) return fcntl(fd, F_DUPFD_CLOEXEC, 3);
    errno = EBADF;
    return -1;
}

SlbStatus slb_output_stdout(SlbOutput *out, SlbError *err)
{
    return open_directly(out, "standard output", slb_duplicate(STDOUT_FILENO, O_RDONLY), err);
}

static void sync_folder(const char *path)
{
    char *folder = folder_of(path);
    if (!folder) return;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd); /* some file systems refuse; the data itself is synced already */
        close(fd);
    }
    free(folder);
}

/* link() fails where the name exists, which rename() does not: no overwriting by a race. */
static int publish(const SlbOutput *out)
{
    if (out->overwrite) return rename(out->temporary, out->path);
    if (link(out->temporary, out->path) == 0) {
        (void)!unlink(out->temporary); /* the file stands at its name, whatever comes of this */
        return 0;
    }
    if (errno == EEXIST) return -1;
    struct stat st; /* a file system without hard links */
    if (lstat(out->path, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(out->temporary, out->path);
}

SlbStatus slb_output_commit(SlbOutput *out, SlbError *err)
{
    errno = 0;
    int failed = fflush(out->file) != 0 || ferror(out->file) ||
                 (out->temporary && fsync(fileno(out->file)) != 0);
    int why = errno;
    if (fclose(out->file) != 0 && !failed) {
        failed = 1;
        why = errno;
    }
    out->file = NULL;
    SlbStatus status = SLB_OK;
    if (failed) {
        status = slb_fail(err, SLB_E_OUTPUT, "%s: cannot be written: %s", out->path,
                          strerror(why ? why : EIO));
    } else if (!out->temporary) {
        /* standard output, a device: nothing to put in place */
    } else if (publish(out) != 0) {
        status = errno == EEXIST ? exists_error(out->path, err)
                                 : slb_fail(err, SLB_E_OUTPUT, "%s: cannot be put in place: %s",
                                            out->path, strerror(errno));
    } else {
        sync_folder(out->path);
    }
    if (status != SLB_OK && out->temporary) unlink(out->temporary);
    forget(out);
    return status;
}

void slb_output_abort(SlbOutput *out)
{
    if (out->file) fclose(out->file);
    if (out->temporary) unlink(out->temporary);
    forget(out);
}
