/* Writing picture files: what all formats share. */
#include <string.h>

#include "base/mem.h"
#include "img/codec_format.h"

static const char writable[] = "png, jpg, pnm, pgm, ppm, pam, bmp or tga";

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
    const SlbFormat *format = slb_format_to_write(path, options);
    if (format) fit_info(format, info);
    return format;
}

uint64_t slb_writer_bytes(const char *path, const SlbWriteOptions *options,
                          const SlbImageInfo *info)
{
    const SlbFormat *format = slb_format_to_write(path, options);
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
    uint64_t bytes = ((uint64_t)info->width + 1) * 4 * info->height;
    if (info->width > format->max_side || info->height > format->max_side ||
        (format->max_bytes && bytes > format->max_bytes))
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

/* Whether the primaries are those of sRGB, to half a hundredth: what viewers take for granted. */
static bool has_usual_primaries(const SlbMeta *m)
{
    static const int32_t usual[8] = {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000};
    for (int i = 0; i < 8 && m->has_chroma; i++)
        if (m->chroma[i] < usual[i] - 500 || m->chroma[i] > usual[i] + 500) return false;
    return true;
}

/* PNG's own ways to tell colours; `told`: by a profile or as sRGB, which stand above gamma and
 * primaries. */
static void note_lost_colours(const char *name, SlbMeta *m, bool told)
{
    static const uint8_t srgb[4] = {1, 13, 0, 1};
    const uint8_t *c = m->cicp;
    if (m->has_cicp && memcmp(c, srgb, 4) != 0)
        slb_meta_note(m, "%s holds no cICP: the coding of colours %d/%d/%d/%d was left out", name,
                      c[0], c[1], c[2], c[3]);
    if (m->has_mastering || m->has_light)
        slb_meta_note(m, "%s holds no brightness of a display: that of mDCV and cLLI was left out",
                      name);
    if (told || m->has_cicp) return;
    /* Nearly 1/2.2: what viewers take for granted. */
    if (m->gamma && (m->gamma < 45000 || m->gamma > 46000))
        slb_meta_note(m, "%s holds no gamma value: that of %.5g was left out", name,
                      m->gamma / 1e5);
    if (!has_usual_primaries(m))
        slb_meta_note(
            m, "%s holds no primaries: those of cHRM, which are not sRGB's, were left out", name);
}

/* What the format cannot hold is taken out, and noted; what is not wanted, without a word. */
static void fit_meta(const SlbFormat *format, const SlbImageInfo *info, const SlbWriteOptions *o,
                     SlbMeta *m)
{
    const char *name = format->name;
    bool told = m->icc.data || m->srgb;
    m->note[0] = 0;
    if (o->strip) m->exif = m->xmp = m->texts = m->iptc = m->comment = (SlbBlock){0};
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
        note_lost_colours(name, m, told);
        m->srgb = 0;
        m->gamma = 0;
        m->has_chroma = m->has_cicp = m->has_mastering = m->has_light = false;
    }
    if (!(format->keeps & SLB_KEEPS_JPEG_OWN)) {
        if (m->iptc.data) slb_meta_note(m, "%s holds no IPTC data: left out", name);
        if (m->comment.data) slb_meta_note(m, "%s holds no comment as JPEG does: left out", name);
        m->iptc = m->comment = (SlbBlock){0};
    }
    if (format->fit_meta) format->fit_meta(info, m);
}

const char *slb_writer_note(const SlbWriter *writer)
{
    return writer->meta.note;
}

static SlbWriteOptions with_defaults(const SlbWriteOptions *options)
{
    SlbWriteOptions o = options ? *options : (SlbWriteOptions){0};
    if (!o.jpeg_quality) o.jpeg_quality = 95;
    if (!o.png_level) o.png_level = 4;
    return o;
}

SlbStatus slb_writer_check(const char *path, const SlbImageInfo *info, const SlbMeta *meta,
                           const SlbWriteOptions *options, char note[SLB_NOTE_BYTES], SlbError *err)
{
    const SlbFormat *format = slb_format_to_write(path, options);
    SlbWriteOptions o = with_defaults(options);
    SlbMeta fit = meta ? *meta : (SlbMeta){0};
    SlbStatus status = check_write(format, path, info, &o, err);
    if (status != SLB_OK) return status;
    fit_meta(format, info, &o, &fit);
    memcpy(note, fit.note, sizeof fit.note);
    return SLB_OK;
}

SlbStatus slb_writer_open(const char *path, const SlbImageInfo *info, const SlbMeta *meta,
                          const SlbWriteOptions *options, SlbWriter **writer, SlbError *err)
{
    *writer = NULL;
    const SlbFormat *format = slb_format_to_write(path, options);
    SlbWriteOptions o = with_defaults(options);
    SlbStatus status = check_write(format, path, info, &o, err);
    if (status != SLB_OK) return status;
    SlbWriter *w = slb_calloc(1, sizeof *w);
    if (!w) return slb_fail_memory(err, path);
    w->format = format;
    w->info = *info;
    w->options = o;
    if (meta) w->meta = *meta;
    fit_meta(format, info, &o, &w->meta);
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

SlbStatus slb_image_save_noting(const char *path, const SlbImage *image,
                                const SlbWriteOptions *options, char note[SLB_NOTE_BYTES],
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
    memcpy(note, slb_writer_note(writer), SLB_NOTE_BYTES);
    if (status == SLB_OK) return slb_writer_finish(writer, err);
    slb_writer_abort(writer);
    return status;
}

SlbStatus slb_image_save(const char *path, const SlbImage *image, const SlbWriteOptions *options,
                         SlbError *err)
{
    char note[SLB_NOTE_BYTES];
    return slb_image_save_noting(path, image, options, note, err);
}
