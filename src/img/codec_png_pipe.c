/* A PNG from a pipe becomes a file: EXIF, XMP and texts may stand behind its pixels (ImageMagick
 * puts EXIF there), but are wanted ahead of them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "img/codec_png.h"

/* What a file may have beyond twice its samples: metadata, and chunks of hardly any pixels. */
static const uint64_t most_besides = (uint64_t)256 << 20;

/* A file that is gone when it is closed. -1 and errno when there is none, not even in memory. */
static int open_nameless(bool *in_memory)
{
    const char *folder = getenv("TMPDIR");
    char *path;
    *in_memory = false;
    if (asprintf(&path, "%s/slbsr-XXXXXX", folder && *folder ? folder : "/tmp") < 0) return -1;
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    free(path);
#ifdef MFD_CLOEXEC
    if (fd < 0) {
        *in_memory = true;
        fd = memfd_create("slbsr", MFD_CLOEXEC);
    }
#endif
    return fd;
}

/* False at the end of `in`, and after a failure, which the streams remember. */
static bool copy_bytes(FILE *in, FILE *out, uint64_t bytes)
{
    char piece[1 << 14];
    while (bytes > 0) {
        size_t n = bytes < sizeof piece ? (size_t)bytes : sizeof piece;
        size_t got = fread(piece, 1, n, in);
        if (fwrite(piece, 1, got, out) != got || got < n) return false;
        bytes -= n;
    }
    return true;
}

/* Reads `n` bytes into `head` too. */
static bool copy_head(FILE *in, FILE *out, unsigned char *head, size_t n)
{
    size_t got = fread(head, 1, n, in);
    return fwrite(head, 1, got, out) == got && got == n;
}

static SlbStatus no_room(const SlbReader *r, SlbError *err)
{
    return slb_fail(err, SLB_E_MEMORY,
                    "%s: needs more memory than the %" PRIu64
                    " MiB that are left, as no temporary file can be made for it; set TMPDIR to a "
                    "folder that can be written to, or raise --max-memory",
                    r->path, r->meta_bytes >> 20);
}

static SlbStatus copy_chunks(SlbReader *r, FILE *out, bool in_memory, SlbError *err)
{
    unsigned char head[24]; /* signature; length, name, width and height of IHDR */
    if (!copy_head(r->file, out, head, sizeof head) || memcmp(head + 12, "IHDR", 4) != 0)
        return SLB_OK;
    uint64_t width = png_get_uint_32(head + 16), height = png_get_uint_32(head + 20);
    if (!width || !height || width > INT32_MAX || height > INT32_MAX) return SLB_OK;
    SlbStatus status = slb_read_size(r, width, height, 1, 8, err);
    if (status != SLB_OK) return status;
    /* Of 16 bits, four channels; and what comes through a pipe may never end. */
    uint64_t left = 2 * height * (8 * width + 8) + most_besides;
    uint64_t memory = in_memory ? r->meta_bytes : UINT64_MAX;
    uint64_t rest = (uint64_t)png_get_uint_32(head + 8) + 4; /* with the checksum */
    if (rest < 8 || !copy_bytes(r->file, out, rest - 8)) return SLB_OK;
    while (copy_head(r->file, out, head, 8)) {
        rest = (uint64_t)png_get_uint_32(head) + 4;
        if (rest + 8 > left)
            return slb_read_damaged(r, "it is far longer than a picture of its size", err);
        if (rest + 8 > memory) return no_room(r, err);
        left -= rest + 8;
        memory -= rest + 8;
        if (!copy_bytes(r->file, out, rest) || memcmp(head + 4, "IEND", 4) == 0) break;
    }
    return SLB_OK;
}

static SlbStatus copy_file(SlbReader *r, FILE *out, bool in_memory, SlbError *err)
{
    errno = 0;
    SlbStatus status = copy_chunks(r, out, in_memory, err);
    if (status != SLB_OK) return status;
    if (ferror(r->file)) return slb_fail_system(err, SLB_E_INPUT, r->path, "cannot be read");
    if (fflush(out) == 0 && !ferror(out)) return SLB_OK;
    return slb_fail(err, SLB_E_OUTPUT,
                    "%s: cannot be copied into a temporary file: %s; set TMPDIR to a folder with "
                    "more room",
                    r->path, strerror(errno));
}

SlbStatus slb_png_make_file(SlbReader *r, SlbError *err)
{
    struct stat st;
    bool in_memory;
    if (fstat(fileno(r->file), &st) == 0 && S_ISREG(st.st_mode)) return SLB_OK;
    int fd = open_nameless(&in_memory);
    FILE *copy = fd < 0 ? NULL : fdopen(fd, "w+b");
    if (!copy) {
        SlbStatus status =
            slb_fail_system(err, SLB_E_OUTPUT, r->path, "no temporary file can be made for it");
        if (fd >= 0) close(fd);
        return status;
    }
    SlbStatus status = copy_file(r, copy, in_memory, err);
    if (status != SLB_OK) {
        fclose(copy);
        return status;
    }
    if (in_memory) {
        uint64_t bytes = (uint64_t)ftello(copy);
        r->held_bytes += bytes;
        if (r->meta_bytes != UINT64_MAX) /* the rest of it is for metadata */
            r->meta_bytes -= bytes < r->meta_bytes ? bytes : r->meta_bytes;
    }
    rewind(copy);
    fclose(r->file);
    r->file = copy;
    return SLB_OK;
}
