/* PNG by libpng. Its errors come back by longjmp: every function that calls setjmp keeps what
 * changes after it in the state, never in a local variable. */
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "img/codec_format.h"
#include "img/exif.h"

typedef struct PngState {
    png_structp png;
    png_infop info;
    unsigned char *whole; /* an interlaced picture, NULL otherwise */
    bool no_memory;
    int system_error;
    char message[160], warning[160];
} PngState;

static void on_error(png_structp png, png_const_charp text)
{
    PngState *s = png_get_error_ptr(png);
    s->system_error = errno;
    /* Warnings tell what is wrong with a header, the error behind them only that it is wrong. */
    const char *why = strcmp(text, "Invalid IHDR data") == 0 && s->warning[0] ? s->warning : text;
    snprintf(s->message, sizeof s->message, "%s", why);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    PngState *s = png_get_error_ptr(png);
    snprintf(s->warning, sizeof s->warning, "%s", text);
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t bytes)
{
    PngState *s = png_get_mem_ptr(png);
    void *block = slb_alloc(bytes, 1);
    if (!block) s->no_memory = true;
    return block;
}

static void on_free(png_structp png, png_voidp block)
{
    (void)png;
    slb_free(block);
}

/* ---- Reading ---- */

static bool sniff_png(const unsigned char *head, size_t bytes)
{
    return bytes >= 8 && png_sig_cmp(head, 0, 8) == 0;
}

static SlbStatus read_failed(SlbReader *r, SlbError *err)
{
    PngState *s = r->state;
    if (s->no_memory) return slb_fail_memory(err, r->path);
    return slb_read_damaged(r, s->message, err);
}

static void on_read(png_structp png, png_bytep data, size_t bytes)
{
    SlbReader *r = png_get_io_ptr(png);
    errno = 0;
    if (fread(data, 1, bytes, r->file) == bytes) return;
    png_error(png, ferror(r->file) ? strerror(errno) : "it ends too early");
}

/* Everything to grey, grey + alpha, RGB or RGB + alpha of 8 or native 16 bits. */
static void ask_for_plain_samples(png_structp png)
{
    const uint16_t one = 1;
    png_set_expand(png); /* palettes, 1 to 4 bits, tRNS to alpha */
    if (*(const unsigned char *)&one == 1) png_set_swap(png);
    (void)png_set_interlace_handling(png);
}

static SlbStatus read_profile(SlbReader *r, PngState *s, SlbError *err)
{
    png_charp name;
    png_bytep profile;
    png_uint_32 bytes;
    int method;
    if (!png_get_iCCP(s->png, s->info, &name, &method, &profile, &bytes)) return SLB_OK;
    return slb_read_icc(r, profile, bytes, err);
}

static void read_orientation(SlbReader *r, PngState *s)
{
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 bytes;
    png_bytep exif;
    if (png_get_eXIf_1(s->png, s->info, &bytes, &exif))
        r->orientation = slb_exif_orientation(exif, bytes);
#else
    (void)r;
    (void)s;
#endif
}

static SlbStatus read_header(SlbReader *r, SlbError *err)
{
    PngState *s = r->state;
    if (setjmp(png_jmpbuf(s->png))) return read_failed(r, err);
    png_set_read_fn(s->png, r, on_read);
    png_set_user_limits(s->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* slb_read_size checks */
    png_set_chunk_malloc_max(s->png, 16 << 20);
    png_set_chunk_cache_max(s->png, 64);
    png_set_crc_action(s->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_read_info(s->png, s->info);
    SlbStatus status = slb_read_size(r, png_get_image_width(s->png, s->info),
                                     png_get_image_height(s->png, s->info), 1, 8, err);
    if (status != SLB_OK) return status;
    ask_for_plain_samples(s->png);
    png_read_update_info(s->png, s->info);
    r->info.channels = png_get_channels(s->png, s->info);
    r->info.depth = png_get_bit_depth(s->png, s->info);
    if (png_get_rowbytes(s->png, s->info) != slb_row_bytes(&r->info))
        return slb_read_damaged(r, "its rows have an unknown layout", err);
    read_orientation(r, s);
    return read_profile(r, s, err);
}

static SlbStatus read_open(SlbReader *r, SlbError *err)
{
    PngState *s = r->state = slb_calloc(1, sizeof *s);
    if (!s) return slb_fail_memory(err, r->path);
    s->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, s, on_error, on_warning, s, on_alloc,
                                      on_free);
    s->info = s->png ? png_create_info_struct(s->png) : NULL;
    if (!s->info) return slb_fail_memory(err, r->path);
    return read_header(r, err);
}

/* Interlaced pictures come in seven passes over the whole. */
static SlbStatus read_interlaced(SlbReader *r, PngState *s, SlbError *err)
{
    size_t row_bytes = slb_row_bytes(&r->info);
    s->whole = slb_alloc(r->info.height, row_bytes);
    if (!s->whole) return slb_fail_memory(err, r->path);
    if (setjmp(png_jmpbuf(s->png))) return read_failed(r, err);
    for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
        for (size_t y = 0; y < r->info.height; y++)
            png_read_row(s->png, s->whole + y * row_bytes, NULL);
    png_read_end(s->png, s->info);
    read_orientation(r, s); /* eXIf may stand behind the picture, too */
    return SLB_OK;
}

static SlbStatus read_plain(SlbReader *r, PngState *s, unsigned char *out, size_t stride_bytes,
                            uint32_t rows, SlbError *err)
{
    if (setjmp(png_jmpbuf(s->png))) return read_failed(r, err);
    for (size_t i = 0; i < rows; i++) png_read_row(s->png, out + i * stride_bytes, NULL);
    if (r->row + rows < r->info.height) return SLB_OK;
    png_read_end(s->png, s->info);
    read_orientation(r, s); /* eXIf may stand behind the picture, too */
    return SLB_OK;
}

static SlbStatus read_rows(SlbReader *r, unsigned char *out, size_t stride_bytes, uint32_t rows,
                           SlbError *err)
{
    PngState *s = r->state;
    if (png_get_interlace_type(s->png, s->info) == PNG_INTERLACE_NONE)
        return read_plain(r, s, out, stride_bytes, rows, err);
    SlbStatus status = s->whole ? SLB_OK : read_interlaced(r, s, err);
    size_t row_bytes = slb_row_bytes(&r->info);
    for (size_t i = 0; status == SLB_OK && i < rows; i++)
        memcpy(out + i * stride_bytes, s->whole + (r->row + i) * row_bytes, row_bytes);
    return status;
}

static void read_close(SlbReader *r)
{
    PngState *s = r->state;
    if (!s) return;
    if (s->png) png_destroy_read_struct(&s->png, &s->info, NULL);
    slb_free(s->whole);
    slb_free(s);
    r->state = NULL;
}

/* ---- Writing ---- */

static SlbStatus write_failed(const SlbWriter *w, SlbError *err)
{
    PngState *s = w->state;
    if (s->no_memory) return slb_fail_memory(err, w->output.path);
    return slb_write_failed(w, ferror(w->output.file) ? s->system_error : 0, s->message, err);
}

static void on_write(png_structp png, png_bytep data, size_t bytes)
{
    SlbWriter *w = png_get_io_ptr(png);
    if (fwrite(data, 1, bytes, w->output.file) != bytes) png_error(png, "write error");
}

static void on_flush(png_structp png)
{
    (void)png;
}

static SlbStatus write_header(SlbWriter *w, SlbError *err)
{
    static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    const uint16_t one = 1;
    PngState *s = w->state;
    if (setjmp(png_jmpbuf(s->png))) return write_failed(w, err);
    png_set_write_fn(s->png, w, on_write, on_flush);
    png_set_user_limits(s->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_compression_level(s->png, w->options.png_level);
    png_set_IHDR(s->png, s->info, w->info.width, w->info.height, w->info.depth,
                 types[w->info.channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    /* A profile that libpng finds faulty is left out, with its warning: the picture matters
     * more. */
    png_set_benign_errors(s->png, 1);
    if (w->icc_bytes && w->icc_bytes <= PNG_UINT_31_MAX)
        png_set_iCCP(s->png, s->info, "ICC profile", PNG_COMPRESSION_TYPE_BASE, w->icc,
                     (png_uint_32)w->icc_bytes);
    png_write_info(s->png, s->info);
    if (w->info.depth == 16 && *(const unsigned char *)&one == 1) png_set_swap(s->png);
    return SLB_OK;
}

static SlbStatus write_open(SlbWriter *w, SlbError *err)
{
    PngState *s = w->state = slb_calloc(1, sizeof *s);
    if (!s) return slb_fail_memory(err, w->output.path);
    s->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, s, on_error, on_warning, s, on_alloc,
                                       on_free);
    s->info = s->png ? png_create_info_struct(s->png) : NULL;
    if (!s->info) return slb_fail_memory(err, w->output.path);
    return write_header(w, err);
}

static SlbStatus write_rows(SlbWriter *w, const unsigned char *in, size_t stride_bytes,
                            uint32_t rows, SlbError *err)
{
    PngState *s = w->state;
    if (setjmp(png_jmpbuf(s->png))) return write_failed(w, err);
    for (size_t i = 0; i < rows; i++) png_write_row(s->png, in + i * stride_bytes);
    return SLB_OK;
}

static SlbStatus write_end(SlbWriter *w, SlbError *err)
{
    PngState *s = w->state;
    if (setjmp(png_jmpbuf(s->png))) return write_failed(w, err);
    png_write_end(s->png, s->info);
    return SLB_OK;
}

static void write_close(SlbWriter *w)
{
    PngState *s = w->state;
    if (!s) return;
    if (s->png) png_destroy_write_struct(&s->png, &s->info);
    slb_free(s);
    w->state = NULL;
}

const SlbFormat slb_format_png = {
    .name = "PNG",
    .extensions = "png",
    .channels = 4,
    .depth = 16,
    .max_side = INT32_MAX,
    .sniff = sniff_png,
    .read_open = read_open,
    .read_rows = read_rows,
    .read_close = read_close,
    .write_open = write_open,
    .write_rows = write_rows,
    .write_end = write_end,
    .write_close = write_close,
};
