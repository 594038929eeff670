#include "img/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "img/codec_format.h"
#include "img/exif.h"

/* All formats. When one is added, its extensions go into slb_read_extensions too if it is read. */
static const SlbFormat *const formats[] = {
    &slb_format_png, &slb_format_jpeg, &slb_format_pnm, &slb_format_pgm,
    &slb_format_ppm, &slb_format_pam,  &slb_format_bmp, &slb_format_tga,
};
enum { FORMATS = sizeof formats / sizeof *formats };

const char *const slb_read_extensions = "png|jpg|jpeg|jpe|pnm|pbm|pgm|ppm|pam";

static bool one_of(const char *word, const char *list)
{
    size_t length = strlen(word);
    for (const char *e = list; *e;) {
        size_t n = strcspn(e, "|");
        if (n == length && strncasecmp(e, word, n) == 0) return true;
        e += n + (e[n] == '|');
    }
    return false;
}

const char *slb_input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

const SlbFormat *slb_format_to_write(const char *path, const SlbWriteOptions *options)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    const char *extension = options && options->format ? options->format : dot ? dot + 1 : "";
    for (int i = 0; i < FORMATS; i++)
        if (formats[i]->channels && one_of(extension, formats[i]->extensions)) return formats[i];
    return NULL;
}

/* ---- Reading ---- */

SlbStatus slb_read_damaged(const SlbReader *reader, const char *why, SlbError *err)
{
    return slb_fail(err, SLB_E_INPUT, "%s: damaged %s file: %s; get a whole copy of it",
                    reader->path, reader->format->name, why);
}

SlbStatus slb_read_meta_large(const SlbReader *reader, SlbError *err)
{
    return slb_fail(err, SLB_E_MEMORY,
                    "%s: its metadata need more memory than the %" PRIu64
                    " MiB that are left for them; raise --max-memory",
                    reader->path, reader->meta_bytes >> 20);
}

SlbStatus slb_read_size(SlbReader *reader, uint64_t width, uint64_t height, int channels, int depth,
                        SlbError *err)
{
    if (!width || !height)
        return slb_fail(err, SLB_E_INPUT, "%s: an empty picture of %llu x %llu pixels",
                        reader->path, (unsigned long long)width, (unsigned long long)height);
    if (width > INT32_MAX || height > INT32_MAX || width > reader->max_pixels / height)
        return slb_fail(
            err, SLB_E_INPUT,
            "%s: %llu x %llu pixels are over the limit of %llu; cut it into parts first%s",
            reader->path, (unsigned long long)width, (unsigned long long)height,
            (unsigned long long)reader->max_pixels,
            reader->limit_given ? " or raise --max-pixels" : "");
    reader->info = (SlbImageInfo){(uint32_t)width, (uint32_t)height, channels, depth};
    return SLB_OK;
}

SlbStatus slb_read_exif(SlbReader *reader, const void *exif, size_t bytes, SlbError *err)
{
    if (reader->meta.exif.data || !bytes) return SLB_OK;
    reader->orientation = slb_exif_told_orientation(exif, bytes);
    return slb_block_set(&reader->meta.exif, exif, bytes, err);
}

int slb_read_behind(FILE *file)
{
    struct stat st;
    struct pollfd next = {.fd = fileno(file), .events = POLLIN};
    bool waits = fstat(next.fd, &st) != 0 || !S_ISREG(st.st_mode);
    return waits && poll(&next, 1, 100) <= 0 ? EOF : getc(file);
}

/* On failure *file is NULL. */
static SlbStatus open_input(const char *path, FILE **file, SlbError *err)
{
    struct stat st;
    *file = NULL;
    bool standard = strcmp(path, "-") == 0;
    if (standard && isatty(STDIN_FILENO))
        return slb_fail(err, SLB_E_INPUT,
                        "standard input: is a terminal; send a picture through a pipe");
    int fd = standard ? slb_duplicate(STDIN_FILENO, O_WRONLY) : -1;
    *file = fd >= 0 ? fdopen(fd, "rb") : standard ? NULL : fopen(path, "rbe");
    if (!*file) return slb_fail_system(err, SLB_E_INPUT, slb_input_name(path), "cannot be opened");
    if (fstat(fileno(*file), &st) != 0 || !S_ISDIR(st.st_mode)) return SLB_OK;
    fclose(*file);
    *file = NULL;
    return slb_fail(err, SLB_E_INPUT, "%s: is a folder, a picture file is expected", path);
}

/* The bytes that were read go back before the decoder starts, without a seek: a pipe has none.
 * The C libraries in use take back eight bytes, the standard promises one. */
static bool put_back(FILE *file, const unsigned char *head, size_t bytes)
{
    clearerr(file);
    while (bytes > 0)
        if (ungetc(head[--bytes], file) == EOF) return fseek(file, 0, SEEK_SET) == 0;
    return true;
}

static SlbStatus peek(FILE *file, const char *path, unsigned char head[SLB_HEAD_BYTES],
                      size_t *bytes, SlbError *err)
{
    *bytes = fread(head, 1, SLB_HEAD_BYTES, file);
    if (ferror(file) || !put_back(file, head, *bytes))
        return slb_fail_system(err, SLB_E_INPUT, slb_input_name(path), "cannot be read");
    return SLB_OK;
}

SlbStatus slb_open_head(const char *path, FILE **file, unsigned char head[SLB_HEAD_BYTES],
                        size_t *bytes, SlbError *err)
{
    SlbStatus status = open_input(path, file, err);
    if (status == SLB_OK) status = peek(*file, path, head, bytes, err);
    if (status != SLB_OK && *file) fclose(*file);
    return status;
}

static SlbStatus sniff(SlbReader *r, SlbError *err)
{
    unsigned char head[SLB_HEAD_BYTES];
    size_t bytes;
    SlbStatus status = peek(r->file, r->path, head, &bytes, err);
    if (status != SLB_OK) return status;
    if (!bytes) return slb_fail(err, SLB_E_INPUT, "%s: the file is empty", r->path);
    for (int i = 0; i < FORMATS; i++)
        if (formats[i]->sniff && formats[i]->sniff(head, bytes)) {
            r->format = formats[i];
            return SLB_OK;
        }
    return slb_fail(err, SLB_E_INPUT,
                    "%s: is no PNG, JPEG or PNM picture, whatever its name says; convert it to PNG",
                    r->path);
}

SlbStatus slb_reader_open_file(FILE *file, const char *path, const SlbReadLimits *limits,
                               SlbReader **reader, SlbError *err)
{
    *reader = NULL;
    SlbReader *r = slb_calloc(1, sizeof *r);
    if (!r) {
        fclose(file);
        return slb_fail_memory(err, path);
    }
    r->file = file;
    r->limit_given = limits && limits->max_pixels;
    r->max_pixels = r->limit_given ? limits->max_pixels : (uint64_t)1 << 30;
    r->meta_bytes = limits && limits->meta_bytes ? limits->meta_bytes : UINT64_MAX;
    r->path = strdup(slb_input_name(path));
    SlbStatus status = r->path ? SLB_OK : slb_fail_memory(err, path);
    if (status == SLB_OK) status = sniff(r, err);
    if (status == SLB_OK) status = r->format->read_open(r, err);
    if (!r->orientation) r->orientation = slb_xmp_orientation(&r->meta.xmp);
    if (status != SLB_OK)
        slb_reader_close(r);
    else
        *reader = r;
    return status;
}

SlbStatus slb_reader_open(const char *path, const SlbReadLimits *limits, SlbReader **reader,
                          SlbError *err)
{
    FILE *file = NULL;
    *reader = NULL;
    SlbStatus status = open_input(path, &file, err);
    return status == SLB_OK ? slb_reader_open_file(file, path, limits, reader, err) : status;
}

const char *slb_reader_format(const SlbReader *reader)
{
    return reader->format->name;
}

const SlbImageInfo *slb_reader_info(const SlbReader *reader)
{
    return &reader->info;
}

const SlbMeta *slb_reader_meta(const SlbReader *reader)
{
    return &reader->meta;
}

uint64_t slb_reader_bytes(const SlbReader *reader)
{
    return reader->held_bytes;
}

int slb_reader_orientation(const SlbReader *reader)
{
    return reader->orientation ? reader->orientation : 1;
}

SlbImageInfo slb_reader_upright(const SlbReader *reader)
{
    SlbImageInfo info = *slb_reader_info(reader);
    if (slb_reader_orientation(reader) >= 5) {
        uint32_t width = info.width;
        info.width = info.height;
        info.height = width;
    }
    return info;
}

SlbStatus slb_reader_rows(SlbReader *reader, void *rows_out, size_t stride_bytes, uint32_t rows,
                          SlbError *err)
{
    uint32_t left = reader->info.height - reader->row;
    if (rows > left)
        return slb_fail(err, SLB_E_USAGE, "%s: %u rows were asked for, %u are left", reader->path,
                        rows, left);
    if (!rows) return SLB_OK;
    SlbStatus status = reader->format->read_rows(reader, rows_out, stride_bytes, rows, err);
    /* After damage nothing more is given out: the decoder's state is undefined. */
    reader->row = status == SLB_OK ? reader->row + rows : reader->info.height;
    return status;
}

void slb_reader_close(SlbReader *reader)
{
    if (!reader) return;
    if (reader->format) reader->format->read_close(reader);
    if (reader->file) fclose(reader->file);
    free(reader->path);
    slb_meta_free(&reader->meta);
    slb_free(reader);
}

SlbStatus slb_image_read(SlbReader *reader, SlbImage *image, SlbError *err)
{
    *image = (SlbImage){0};
    SlbStatus status = slb_image_alloc(image, reader->info, err);
    if (status == SLB_OK)
        status =
            slb_reader_rows(reader, image->data, image->stride_bytes, reader->info.height, err);
    if (status == SLB_OK) status = slb_image_orient(image, slb_reader_orientation(reader), err);
    if (status == SLB_OK) {
        SlbMetaChange change = {slb_reader_orientation(reader), 1, 1, image->info.width,
                                image->info.height};
        status = slb_meta_derive(&reader->meta, &change, &image->meta, err);
    }
    if (status == SLB_OK)
        memcpy(image->meta.note, reader->meta.note, sizeof image->meta.note);
    else
        slb_image_free(image);
    return status;
}

SlbStatus slb_image_load(const char *path, const SlbReadLimits *limits, SlbImage *image,
                         SlbError *err)
{
    SlbReader *reader;
    *image = (SlbImage){0};
    SlbStatus status = slb_reader_open(path, limits, &reader, err);
    if (status != SLB_OK) return status;
    status = slb_image_read(reader, image, err);
    slb_reader_close(reader);
    return status;
}
