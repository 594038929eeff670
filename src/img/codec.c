#include "img/codec.h"

#include <errno.h>
#include <fcntl.h>
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
static const char writable[] = "png, jpg, pnm, pgm, ppm, pam, bmp or tga";

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

static const SlbFormat *format_to_write(const char *path, const SlbWriteOptions *options)
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

SlbStatus slb_read_size(SlbReader *reader, uint64_t width, uint64_t height, int channels, int depth,
                        SlbError *err)
{
    if (!width || !height)
        return slb_fail(err, SLB_E_INPUT, "%s: an empty picture of %llu x %llu pixels",
                        reader->path, (unsigned long long)width, (unsigned long long)height);
    if (width > INT32_MAX || height > INT32_MAX || width > reader->max_pixels / height)
        return slb_fail(
            err, SLB_E_INPUT,
            "%s: %llu x %llu pixels are over the limit of %llu; cut it into parts first",
            reader->path, (unsigned long long)width, (unsigned long long)height,
            (unsigned long long)reader->max_pixels);
    reader->info = (SlbImageInfo){(uint32_t)width, (uint32_t)height, channels, depth};
    return SLB_OK;
}

SlbStatus slb_read_exif(SlbReader *reader, const void *exif, size_t bytes, SlbError *err)
{
    if (reader->meta.exif.data || !bytes) return SLB_OK;
    reader->orientation = slb_exif_orientation(exif, bytes);
    return slb_block_set(&reader->meta.exif, exif, bytes, err);
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
    *file = fd >= 0 ? fdopen(fd, "rb") : standard ? NULL : fopen(path, "rb");
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
    r->max_pixels = limits && limits->max_pixels ? limits->max_pixels : (uint64_t)1 << 30;
    r->path = strdup(slb_input_name(path));
    SlbStatus status = r->path ? SLB_OK : slb_fail_memory(err, path);
    if (status == SLB_OK) status = sniff(r, err);
    if (status == SLB_OK) status = r->format->read_open(r, err);
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

/* ---- Writing ---- */

SlbStatus slb_write_failed(const SlbWriter *writer, int system_error, const char *why,
                           SlbError *err)
{
    return slb_fail(err, SLB_E_OUTPUT, "%s: cannot be written: %s", writer->output.path,
                    system_error ? strerror(system_error) : why);
}

static void fit_info(const SlbFormat *format, SlbImageInfo *info)
{
    bool alpha = format->channels == 4;
    if (!alpha && (info->channels == 2 || info->channels == 4)) info->channels--;
    if (info->depth > format->depth) info->depth = format->depth;
}

bool slb_format_fits(const char *path, const SlbWriteOptions *options, SlbImageInfo *info)
{
    const SlbFormat *format = format_to_write(path, options);
    if (format) fit_info(format, info);
    return format;
}

uint64_t slb_writer_bytes(const char *path, const SlbWriteOptions *options,
                          const SlbImageInfo *info)
{
    const SlbFormat *format = format_to_write(path, options);
    return format && format->whole ? info->height * (uint64_t)slb_row_bytes(info) : 0;
}

static SlbStatus check_fit(const SlbFormat *format, const char *path, const SlbImageInfo *info,
                           SlbError *err)
{
    SlbImageInfo fit = *info;
    if (!format)
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: the extension says no format that can be written; use %s", path,
                        writable);
    if (info->width > format->max_side || info->height > format->max_side)
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: %u x %u pixels are too many for %s; write PNG instead", path,
                        info->width, info->height, format->name);
    if (format->channels == 1 && info->channels > 2)
        return slb_fail(err, SLB_E_OUTPUT, "%s: %s holds no colour; write PPM or PNG instead", path,
                        format->name);
    fit_info(format, &fit);
    if (fit.channels != info->channels)
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: %s holds no transparency; drop it or write PNG instead", path,
                        format->name);
    if (fit.depth != info->depth)
        return slb_fail(err, SLB_E_OUTPUT, "%s: %s holds 8 bits only; reduce them or write PNG",
                        path, format->name);
    return SLB_OK;
}

static SlbStatus check_write(const SlbFormat *format, const char *path, const SlbImageInfo *info,
                             const SlbWriteOptions *o, SlbError *err)
{
    if (!info->width || !info->height || info->channels < 1 || info->channels > 4 ||
        (info->depth != 8 && info->depth != 16))
        return slb_fail(err, SLB_E_USAGE, "%s: no picture: %u x %u, %d channels of %d bits", path,
                        info->width, info->height, info->channels, info->depth);
    if (o->jpeg_quality < 1 || o->jpeg_quality > 100 || o->png_level < 1 || o->png_level > 9)
        return slb_fail(err, SLB_E_USAGE,
                        "%s: JPEG quality %d or PNG level %d is out of range (1..100, 1..9)", path,
                        o->jpeg_quality, o->png_level);
    return check_fit(format, path, info, err);
}

/* What the format cannot hold is taken out, and noted. */
static void fit_meta(const SlbFormat *format, SlbMeta *m)
{
    const char *name = format->name;
    m->note[0] = 0;
    if (!(format->keeps & SLB_KEEPS_BLOCKS)) {
        if (m->icc.data || m->exif.data || m->xmp.data)
            slb_meta_note(m, "%s holds no metadata: left out%s%s%s", name,
                          m->icc.data ? " the ICC profile" : "", m->exif.data ? " EXIF" : "",
                          m->xmp.data ? " XMP" : "");
        m->icc = m->exif = m->xmp = (SlbBlock){0};
        m->density_unit = SLB_DENSITY_NONE;
    }
    if (!(format->keeps & SLB_KEEPS_PNG_OWN)) {
        if (m->texts.data) slb_meta_note(m, "%s holds no texts as PNG does: left out", name);
        m->texts = (SlbBlock){0};
        /* Nearly 1/2.2: what viewers take for granted. */
        bool usual = m->srgb || m->gamma == 0 || (m->gamma >= 45000 && m->gamma <= 46000);
        if (!usual && !m->icc.data)
            slb_meta_note(m, "%s holds no gamma value: that of %.5g was left out", name,
                          m->gamma / 1e5);
        m->srgb = 0;
        m->gamma = 0;
        m->has_chroma = false;
    }
}

const char *slb_writer_note(const SlbWriter *writer)
{
    return writer->meta.note;
}

static SlbWriteOptions with_defaults(const SlbWriteOptions *options)
{
    SlbWriteOptions o = options ? *options : (SlbWriteOptions){0};
    if (!o.jpeg_quality) o.jpeg_quality = 95;
    if (!o.png_level) o.png_level = 6;
    return o;
}

SlbStatus slb_writer_check(const char *path, const SlbImageInfo *info, const SlbMeta *meta,
                           const SlbWriteOptions *options, char note[sizeof((SlbMeta *)0)->note],
                           SlbError *err)
{
    const SlbFormat *format = format_to_write(path, options);
    SlbWriteOptions o = with_defaults(options);
    SlbMeta fit = meta ? *meta : (SlbMeta){0};
    SlbStatus status = check_write(format, path, info, &o, err);
    if (status != SLB_OK) return status;
    fit_meta(format, &fit);
    memcpy(note, fit.note, sizeof fit.note);
    return SLB_OK;
}

SlbStatus slb_writer_open(const char *path, const SlbImageInfo *info, const SlbMeta *meta,
                          const SlbWriteOptions *options, SlbWriter **writer, SlbError *err)
{
    *writer = NULL;
    const SlbFormat *format = format_to_write(path, options);
    SlbWriteOptions o = with_defaults(options);
    SlbStatus status = check_write(format, path, info, &o, err);
    if (status != SLB_OK) return status;
    SlbWriter *w = slb_calloc(1, sizeof *w);
    if (!w) return slb_fail_memory(err, path);
    w->format = format;
    w->info = *info;
    w->options = o;
    if (meta) w->meta = *meta;
    fit_meta(format, &w->meta);
    status = strcmp(path, "-") == 0 ? slb_output_stdout(&w->output, err)
                                    : slb_output_open(&w->output, path, o.overwrite, err);
    if (status == SLB_OK) status = format->write_open(w, err);
    if (status != SLB_OK)
        slb_writer_abort(w);
    else
        *writer = w;
    return status;
}

SlbStatus slb_writer_rows(SlbWriter *writer, const void *rows_in, size_t stride_bytes,
                          uint32_t rows, SlbError *err)
{
    uint32_t left = writer->info.height - writer->row;
    if (rows > left)
        return slb_fail(err, SLB_E_USAGE, "%s: %u rows too many", writer->output.path, rows - left);
    if (!rows) return SLB_OK;
    SlbStatus status = writer->format->write_rows(writer, rows_in, stride_bytes, rows, err);
    if (status == SLB_OK) writer->row += rows;
    return status;
}

SlbStatus slb_writer_finish(SlbWriter *writer, SlbError *err)
{
    SlbStatus status = SLB_OK;
    if (writer->row != writer->info.height)
        status = slb_fail(err, SLB_E_USAGE, "%s: %u of %u rows were written", writer->output.path,
                          writer->row, writer->info.height);
    if (status == SLB_OK) status = writer->format->write_end(writer, err);
    if (status == SLB_OK) {
        writer->format->write_close(writer);
        writer->state = NULL;
        status = slb_output_commit(&writer->output, err);
    }
    slb_writer_abort(writer);
    return status;
}

void slb_writer_abort(SlbWriter *writer)
{
    if (!writer) return;
    writer->format->write_close(writer);
    slb_output_abort(&writer->output);
    slb_free(writer);
}

static uint32_t sample_at(const unsigned char *row, size_t i, int depth)
{
    return depth == 8 ? row[i] : ((const uint16_t *)(const void *)row)[i];
}

/* One row without alpha (composited on white) and in the depth of `to`. */
static void reduce_row(const unsigned char *in, const SlbImageInfo *from, const SlbImageInfo *to,
                       unsigned char *out)
{
    size_t cf = (size_t)from->channels, ct = (size_t)to->channels;
    uint64_t peak = from->depth == 8 ? 255 : 65535;
    for (size_t x = 0; x < to->width; x++) {
        uint64_t alpha = cf > ct ? sample_at(in, x * cf + ct, from->depth) : peak;
        for (size_t c = 0; c < ct; c++) {
            uint64_t v = sample_at(in, x * cf + c, from->depth);
            v = (v * alpha + peak * (peak - alpha) + peak / 2) / peak;
            if (from->depth == to->depth && to->depth == 16)
                ((uint16_t *)(void *)out)[x * ct + c] = (uint16_t)v;
            else
                out[x * ct + c] = (uint8_t)(from->depth == 16 ? (v + 128) / 257 : v);
        }
    }
}

static SlbStatus write_reduced(SlbWriter *writer, const SlbImage *image, SlbError *err)
{
    unsigned char *row = slb_alloc(slb_row_bytes(&writer->info), 1);
    SlbStatus status = row ? SLB_OK : slb_fail_memory(err, "a row of a picture");
    for (size_t y = 0; status == SLB_OK && y < image->info.height; y++) {
        reduce_row(image->data + y * image->stride_bytes, &image->info, &writer->info, row);
        status = slb_writer_rows(writer, row, 0, 1, err);
    }
    slb_free(row);
    return status;
}

SlbStatus slb_image_save(const char *path, const SlbImage *image, const SlbWriteOptions *options,
                         SlbError *err)
{
    SlbWriter *writer;
    SlbImageInfo info = image->info;
    (void)slb_format_fits(path, options, &info); /* an unknown extension fails in slb_writer_open */
    SlbStatus status = slb_writer_open(path, &info, &image->meta, options, &writer, err);
    if (status != SLB_OK) return status;
    if (info.channels != image->info.channels || info.depth != image->info.depth)
        status = write_reduced(writer, image, err);
    else
        status = slb_writer_rows(writer, image->data, image->stride_bytes, info.height, err);
    if (status == SLB_OK) return slb_writer_finish(writer, err);
    slb_writer_abort(writer);
    return status;
}
