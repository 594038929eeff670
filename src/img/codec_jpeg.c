/* JPEG by libjpeg-turbo. Its errors come back by longjmp, and so do the warnings that mean lost
 * pixels: libjpeg would go on and fill the rest with grey. Every function that calls setjmp
 * keeps what changes after it in the state, never in a local variable. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "base/mem.h"
#include "base/text.h"
#include "img/codec_cmyk.h"
#include "img/codec_format.h"
#include "img/iptc.h"

enum {
    MAX_SCANS = 500,      /* a small file of very many would keep the decoder busy for hours */
    SEGMENT_BYTES = 1024, /* what an empty marker segment counts for */
    SEGMENT = 65533,      /* the most that one holds */
    MAX_FILLER = 1 << 16, /* bytes behind the end that are looked at */
};

typedef struct JpegState {
    struct jpeg_error_mgr errors; /* first: libjpeg hands out a pointer to it */
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    union {
        struct jpeg_common_struct common;
        struct jpeg_decompress_struct in;
        struct jpeg_compress_struct out;
    } jpeg;
    bool created, started;
    bool jumbf; /* there are segments of it (APP11) */
    bool more;  /* what stands behind the picture has been told */
    int system_error;
    JOCTET *profile;      /* malloc, by libjpeg */
    JOCTET *row;          /* of C, M, Y, K; slb_alloc; NULL: the picture has other colours */
    SlbInks *inks;        /* likewise */
    size_t saved;         /* bytes of marker segments that were kept, and SEGMENT_BYTES for each */
    uint64_t needed;      /* the same with all copies that are made of them */
    uint64_t most_needed; /* as much as the caller allows */
    char message[JMSG_LENGTH_MAX];
} JpegState;

static void on_error(j_common_ptr jpeg)
{
    JpegState *s = (JpegState *)(void *)jpeg->err;
    s->system_error = errno;
    s->errors.format_message(jpeg, s->message);
    slb_clean(s->message);
    longjmp(s->back, 1);
}

/* Those with metadata, up to so many bytes of each; 0: no more of them. */
static void save_segments(struct jpeg_decompress_struct *in, unsigned int bytes)
{
    jpeg_save_markers(in, JPEG_APP0 + 1, bytes);  /* EXIF, XMP */
    jpeg_save_markers(in, JPEG_APP0 + 2, bytes);  /* the ICC profile */
    jpeg_save_markers(in, JPEG_APP0 + 13, bytes); /* IPTC */
    jpeg_save_markers(in, JPEG_COM, bytes);
}

/* libjpeg tells of each segment that it has kept or skipped. A file may have any number of them:
 * after enough of them the rest is skipped. Each counts for more than its bytes: libjpeg walks
 * along all of them to add one, and empty ones would take it hours. */
static void count_saved(j_common_ptr jpeg)
{
    JpegState *s = (JpegState *)(void *)jpeg->err;
    int marker = jpeg->err->msg_parm.i[0];
    size_t bytes = (size_t)jpeg->err->msg_parm.i[1] + SEGMENT_BYTES;
    s->jumbf = s->jumbf || marker == JPEG_APP0 + 11;
    s->saved += bytes;
    bool kept = marker == JPEG_APP0 + 1 || marker == JPEG_APP0 + 13 || marker == JPEG_COM;
    s->needed += (marker == JPEG_APP0 + 2 ? 3 : kept) * bytes; /* a profile: read_profile copies */
    if (s->saved >= SLB_META_LIMIT || s->needed > s->most_needed) save_segments(&s->jpeg.in, 0);
}

static void on_message(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;
    if (level >= 0 && jpeg->is_decompressor && code == JTRC_MISC_MARKER) count_saved(jpeg);
    if (level >= 0) return;
    /* Oddities of marker segments; the pixels are whole. */
    if (code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR || code == JWRN_BOGUS_ICC) return;
    JpegState *s = (JpegState *)(void *)jpeg->err;
    if (code == JWRN_EXTRANEOUS_DATA && s->jpeg.in.input_scan_number == 0) return;
    on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
    JpegState *s = (JpegState *)(void *)jpeg->err;
    if (!jpeg->is_decompressor || s->jpeg.in.input_scan_number <= MAX_SCANS) return;
    snprintf(s->message, sizeof s->message, "it has more than %d scans", MAX_SCANS);
    longjmp(s->back, 1);
}

static JpegState *new_state(void)
{
    JpegState *s = slb_calloc(1, sizeof *s);
    if (!s) return NULL;
    jpeg_std_error(&s->errors);
    s->errors.error_exit = on_error;
    s->errors.emit_message = on_message;
    s->progress.progress_monitor = on_progress;
    return s;
}

static void free_state(JpegState *s)
{
    if (!s) return;
    if (s->created) jpeg_destroy(&s->jpeg.common);
    free(s->profile);
    slb_free(s->row);
    slb_inks_close(s->inks);
    slb_free(s);
}

static bool no_memory(const JpegState *s)
{
    return s->errors.msg_code == JERR_OUT_OF_MEMORY;
}

/* ---- Reading ---- */

static bool sniff_jpeg(const unsigned char *head, size_t bytes)
{
    return bytes >= 3 && head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff;
}

static SlbStatus read_failed(SlbReader *r, SlbError *err)
{
    JpegState *s = r->state;
    if (no_memory(s)) return slb_fail_memory(err, r->path);
    if (ferror(r->file))
        return slb_fail(err, SLB_E_INPUT, "%s: cannot be read: %s", r->path,
                        strerror(s->system_error));
    return slb_read_damaged(r, s->message, err);
}

static SlbStatus read_profile(SlbReader *r, JpegState *s, SlbError *err)
{
    unsigned int bytes = 0;
    if (!jpeg_read_icc_profile(&s->jpeg.in, &s->profile, &bytes)) return SLB_OK;
    SlbStatus status = slb_block_set(&r->meta.icc, s->profile, bytes, err);
    free(s->profile);
    s->profile = NULL;
    return status;
}

static const char exif_name[] = "Exif\0", xmp_name[] = "http://ns.adobe.com/xap/1.0/",
                  xmp_more_name[] = "http://ns.adobe.com/xmp/extension/", mpf_name[] = "MPF";

/* True when an APP1 segment begins with `name` and its zero byte and holds more. */
static bool is_segment(jpeg_saved_marker_ptr m, const char *name, size_t bytes)
{
    return m->marker == JPEG_APP0 + 1 && m->data_length > bytes &&
           memcmp(m->data, name, bytes) == 0;
}

/* Adds a comment to those there are. */
static SlbStatus add_comment(SlbBlock *comment, const void *data, size_t bytes, SlbError *err)
{
    SlbBlock all;
    size_t old = comment->bytes ? comment->bytes + 1 : 0;
    if (!bytes) return SLB_OK;
    all = (SlbBlock){slb_alloc(old + bytes + 1, 1), old + bytes};
    if (!all.data) return slb_fail_memory(err, "the metadata of a picture");
    if (old) {
        memcpy(all.data, comment->data, old - 1);
        all.data[old - 1] = '\n';
    }
    memcpy(all.data + old, data, bytes);
    all.data[old + bytes] = 0;
    slb_free(comment->data);
    *comment = all;
    return SLB_OK;
}

static void note_more(SlbReader *r, JpegState *s)
{
    if (!s->more)
        slb_meta_note(&r->meta, "only the main picture is taken: what stands behind it, such as a "
                                "film or a gain map, is left out");
    s->more = true;
}

static SlbStatus read_segments(SlbReader *r, JpegState *s, SlbError *err)
{
    SlbStatus status = SLB_OK;
    bool more = false, iptc = false;
    jpeg_saved_marker_ptr m = s->jpeg.in.marker_list;
    for (; m && status == SLB_OK; m = m->next) {
        if (is_segment(m, exif_name, sizeof exif_name))
            status = slb_read_exif(r, m->data + sizeof exif_name, m->data_length - sizeof exif_name,
                                   err);
        else if (is_segment(m, xmp_name, sizeof xmp_name) && !r->meta.xmp.data)
            status = slb_block_set(&r->meta.xmp, m->data + sizeof xmp_name,
                                   m->data_length - sizeof xmp_name, err);
        else if (m->marker == JPEG_APP0 + 13 && !r->meta.iptc.data)
            status = slb_iptc_read(m->data, m->data_length, &r->meta.iptc, err);
        else if (m->marker == JPEG_COM && r->meta.comment.bytes < SEGMENT)
            status = add_comment(&r->meta.comment, m->data, m->data_length, err);
        more = more || is_segment(m, xmp_more_name, sizeof xmp_more_name);
        if (m->marker == JPEG_APP0 + 2 && m->data_length > sizeof mpf_name &&
            memcmp(m->data, mpf_name, sizeof mpf_name) == 0)
            note_more(r, s);
        iptc = iptc || (m->marker == JPEG_APP0 + 13 && slb_iptc_is_there(m->data, m->data_length));
    }
    if (iptc && !r->meta.iptc.data)
        slb_meta_note(&r->meta, "its IPTC data are damaged or go on in a second segment: left out");
    if (s->jumbf)
        slb_meta_note(&r->meta, "its content credentials, or what else APP11 holds, are left out");
    if (more) slb_meta_note(&r->meta, "its XMP of more than 64 KiB: only the main part is kept");
    if (s->saved >= SLB_META_LIMIT)
        slb_meta_note(&r->meta, "more than %d MiB of metadata: the rest is left out",
                      SLB_META_LIMIT >> 20);
    return status;
}

static void read_density(SlbReader *r, const JpegState *s)
{
    const struct jpeg_decompress_struct *in = &s->jpeg.in;
    if (!in->saw_JFIF_marker || !in->X_density || !in->Y_density || in->density_unit > 2) return;
    double unit = in->density_unit == 1 ? 1 / 0.0254 : in->density_unit == 2 ? 100 : 1;
    /* 1:1 is what is written where nothing is known. */
    if (!in->density_unit && in->X_density == in->Y_density) return;
    r->meta.density_unit = in->density_unit ? SLB_DENSITY_METRE : SLB_DENSITY_ASPECT;
    r->meta.density_x = in->X_density * unit;
    r->meta.density_y = in->Y_density * unit;
}

static SlbStatus choose_colours(SlbReader *r, JpegState *s, SlbError *err)
{
    J_COLOR_SPACE space = s->jpeg.in.jpeg_color_space;
    if (space == JCS_CMYK || space == JCS_YCCK) {
        s->jpeg.in.out_color_space = JCS_CMYK;
        s->row = slb_alloc(s->jpeg.in.image_width, 4);
        return s->row ? SLB_OK : slb_fail_memory(err, r->path);
    }
    if (space != JCS_GRAYSCALE && space != JCS_YCbCr && space != JCS_RGB)
        return slb_fail(err, SLB_E_INPUT, "%s: a JPEG of unknown colours; convert it to RGB first",
                        r->path);
    s->jpeg.in.out_color_space = space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    return SLB_OK;
}

/* Bytes of the coefficients of a picture in several scans: libjpeg keeps them all. */
static uint64_t coefficients(struct jpeg_decompress_struct *in)
{
    uint64_t blocks = 0;
    if (!jpeg_has_multiple_scans(in)) return 0;
    for (int c = 0; c < in->num_components; c++)
        blocks += (uint64_t)in->comp_info[c].width_in_blocks * in->comp_info[c].height_in_blocks;
    return blocks * sizeof(JBLOCK);
}

static SlbStatus read_open(SlbReader *r, SlbError *err)
{
    JpegState *s = r->state = new_state();
    if (!s) return slb_fail_memory(err, r->path);
    struct jpeg_decompress_struct *in = &s->jpeg.in;
    in->err = &s->errors;
    if (setjmp(s->back)) return read_failed(r, err);
    jpeg_create_decompress(in);
    s->created = true;
    in->progress = &s->progress;
    s->most_needed = r->meta_bytes;
    jpeg_stdio_src(in, r->file);
    save_segments(in, 0xffff);
    (void)jpeg_read_header(in, TRUE);
    if (s->needed > s->most_needed) return slb_read_meta_large(r, err);
    SlbStatus status = choose_colours(r, s, err);
    int channels = in->out_color_space == JCS_GRAYSCALE ? 1 : 3;
    if (status == SLB_OK)
        status = slb_read_size(r, in->image_width, in->image_height, channels, 8, err);
    if (status == SLB_OK) status = read_profile(r, s, err);
    if (status == SLB_OK) status = read_segments(r, s, err);
    if (status == SLB_OK) read_density(r, s);
    if (status == SLB_OK && s->row)
        status = slb_inks_open(&r->meta, in->saw_Adobe_marker, &s->inks, err);
    if (status == SLB_OK) r->held_bytes = coefficients(in);
    return status;
}

/* Whether more than filler and ends of lines stands behind the end of the picture: films, pictures
 * of other sizes, gain maps. */
static bool has_more(const SlbReader *r, const struct jpeg_source_mgr *source)
{
    static const unsigned char filler[] = {0, 0xff, '\r', '\n'};
    for (size_t i = 0; i < source->bytes_in_buffer; i++)
        if (!memchr(filler, source->next_input_byte[i], sizeof filler)) return true;
    for (int i = 0, c; i < MAX_FILLER && (c = slb_read_behind(r->file)) != EOF; i++)
        if (!memchr(filler, c, sizeof filler)) return true;
    return false;
}

/* Passes over zeros and 0xff between the last scan and the marker behind it, which some cameras put
 * there; other bytes are those of a damaged scan, and left to libjpeg. True when there were any. */
static bool skip_filler(struct jpeg_decompress_struct *in)
{
    struct jpeg_source_mgr *source = in->src;
    int found = 0;
    bool marks = false; /* the last byte begins a marker, or is filler ahead of one */
    while (!in->unread_marker) {
        if (!source->bytes_in_buffer)
            (void)source->fill_input_buffer(in); /* a file never suspends */
        JOCTET c = *source->next_input_byte;
        if (c != 0 && c != 0xff && !marks) break;
        if (c != 0 && c != 0xff)
            in->unread_marker = c;
        else
            found++;
        source->next_input_byte++;
        source->bytes_in_buffer--;
        marks = c == 0xff;
    }
    return found > 1;
}

static SlbStatus read_rows(SlbReader *r, unsigned char *out, size_t stride_bytes, uint32_t rows,
                           SlbError *err)
{
    JpegState *s = r->state;
    if (setjmp(s->back)) return read_failed(r, err);
    if (!s->started) { /* here, since it decodes all scans where there are several */
        s->started = true;
        (void)jpeg_start_decompress(&s->jpeg.in);
    }
    for (size_t i = 0; i < rows; i++) {
        JSAMPROW row = s->row ? s->row : out + i * stride_bytes;
        (void)jpeg_read_scanlines(&s->jpeg.in, &row, 1); /* a file never suspends */
        if (s->row) slb_inks_mix(s->inks, s->row, r->info.width, out + i * stride_bytes);
    }
    if (r->row + rows < r->info.height) return SLB_OK;
    if (!jpeg_input_complete(&s->jpeg.in) && skip_filler(&s->jpeg.in))
        slb_meta_note(&r->meta, "bytes of filler stand between its pixels and its end");
    (void)jpeg_finish_decompress(&s->jpeg.in);
    if (has_more(r, s->jpeg.in.src)) note_more(r, s);
    return SLB_OK;
}

static void read_close(SlbReader *r)
{
    free_state(r->state);
    r->state = NULL;
}

/* ---- Writing ---- */

static SlbStatus write_failed(const SlbWriter *w, SlbError *err)
{
    JpegState *s = w->state;
    if (no_memory(s)) return slb_fail_memory(err, w->output.path);
    return slb_write_failed(w, ferror(w->output.file) ? s->system_error : 0, s->message, err);
}

static UINT16 to_density(double value)
{
    return (UINT16)(value < 1 ? 1 : value > 65535 ? 65535 : value + 0.5);
}

/* In dots an inch, but where a whole number a centimetre says it better. */
static void set_density(SlbWriter *w, struct jpeg_compress_struct *out)
{
    const SlbMeta *m = &w->meta;
    uint32_t x, y;
    if (m->density_unit == SLB_DENSITY_NONE) return;
    if (m->density_unit == SLB_DENSITY_ASPECT) {
        slb_density_aspect(m, UINT16_MAX, &x, &y);
        out->X_density = (UINT16)x;
        out->Y_density = (UINT16)y;
        return;
    }
    double inch = m->density_x * 0.0254, cm = m->density_x / 100;
    bool by_inch = fabs(inch - round(inch)) <= fabs(cm - round(cm)) + 0.01;
    double unit = by_inch ? 0.0254 : 0.01;
    out->density_unit = by_inch ? 1 : 2;
    out->X_density = to_density(m->density_x * unit);
    out->Y_density = to_density(m->density_y * unit);
}

static void fit_block(SlbMeta *m, SlbBlock *block, size_t most, const char *what)
{
    if (block->bytes <= most) return;
    slb_meta_note(m, "%s of %zu bytes is too large for JPEG: left out", what, block->bytes);
    *block = (SlbBlock){0};
}

/* All have a segment each, a profile has up to 255. */
static void fit_meta(const SlbImageInfo *info, SlbMeta *m)
{
    (void)info;
    fit_block(m, &m->exif, SEGMENT - sizeof exif_name, "EXIF");
    fit_block(m, &m->xmp, SEGMENT - sizeof xmp_name, "XMP");
    fit_block(m, &m->iptc, SEGMENT - SLB_IPTC_HEAD - 1, "IPTC");
    fit_block(m, &m->comment, SEGMENT, "a comment");
    fit_block(m, &m->icc, (size_t)255 * 65519, "an ICC profile");
}

/* A segment: what it begins with, then the block, which fits, then `more` zero bytes. */
static void write_segment(struct jpeg_compress_struct *out, int marker, const void *head,
                          size_t head_bytes, const SlbBlock *block, size_t more)
{
    const unsigned char *first = head;
    if (!block->data) return;
    jpeg_write_m_header(out, marker, (unsigned int)(head_bytes + block->bytes + more));
    for (size_t i = 0; i < head_bytes; i++) jpeg_write_m_byte(out, first[i]);
    for (size_t i = 0; i < block->bytes; i++) jpeg_write_m_byte(out, block->data[i]);
    for (size_t i = 0; i < more; i++) jpeg_write_m_byte(out, 0);
}

/* Behind jpeg_start_compress, which writes the JFIF header. */
static void write_meta(const SlbWriter *w, struct jpeg_compress_struct *out)
{
    const SlbBlock *icc = &w->meta.icc, *iptc = &w->meta.iptc;
    unsigned char head[SLB_IPTC_HEAD];
    slb_iptc_head(iptc->bytes, head);
    write_segment(out, JPEG_APP0 + 1, exif_name, sizeof exif_name, &w->meta.exif, 0);
    write_segment(out, JPEG_APP0 + 1, xmp_name, sizeof xmp_name, &w->meta.xmp, 0);
    write_segment(out, JPEG_APP0 + 13, head, sizeof head, iptc, iptc->bytes % 2);
    write_segment(out, JPEG_COM, NULL, 0, &w->meta.comment, 0);
    if (icc->data) jpeg_write_icc_profile(out, icc->data, (unsigned int)icc->bytes);
}

static SlbStatus write_open(SlbWriter *w, SlbError *err)
{
    JpegState *s = w->state = new_state();
    if (!s) return slb_fail_memory(err, w->output.path);
    struct jpeg_compress_struct *out = &s->jpeg.out;
    out->err = &s->errors;
    if (setjmp(s->back)) return write_failed(w, err);
    jpeg_create_compress(out);
    s->created = true;
    jpeg_stdio_dest(out, w->output.file);
    out->image_width = w->info.width;
    out->image_height = w->info.height;
    out->input_components = w->info.channels;
    out->in_color_space = w->info.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(out);
    jpeg_set_quality(out, w->options.jpeg_quality, TRUE);
    for (int c = 0; c < out->num_components; c++)
        out->comp_info[c].h_samp_factor = out->comp_info[c].v_samp_factor = 1; /* 4:4:4 */
    set_density(w, out);
    jpeg_start_compress(out, TRUE);
    write_meta(w, out);
    return SLB_OK;
}

static SlbStatus write_rows(SlbWriter *w, const unsigned char *in, size_t stride_bytes,
                            uint32_t rows, SlbError *err)
{
    JpegState *s = w->state;
    if (setjmp(s->back)) return write_failed(w, err);
    for (size_t i = 0; i < rows; i++) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(in + i * stride_bytes); /* libjpeg only reads it */
        (void)jpeg_write_scanlines(&s->jpeg.out, &row, 1);
    }
    return SLB_OK;
}

static SlbStatus write_end(SlbWriter *w, SlbError *err)
{
    JpegState *s = w->state;
    if (setjmp(s->back)) return write_failed(w, err);
    jpeg_finish_compress(&s->jpeg.out);
    return SLB_OK;
}

static void write_close(SlbWriter *w)
{
    free_state(w->state);
    w->state = NULL;
}

const SlbFormat slb_format_jpeg = {
    .name = "JPEG",
    .extensions = "jpg|jpeg|jpe",
    .channels = 3,
    .depth = 8,
    .keeps = SLB_KEEPS_BLOCKS | SLB_KEEPS_JPEG_OWN,
    .max_side = 65500,
    .sniff = sniff_jpeg,
    .read_open = read_open,
    .read_rows = read_rows,
    .read_close = read_close,
    .fit_meta = fit_meta,
    .write_open = write_open,
    .write_rows = write_rows,
    .write_end = write_end,
    .write_close = write_close,
};
