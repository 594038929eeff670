/* PNG by libpng: what both ways share, and writing. */
#include "img/codec_png.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "img/codec_png_text.h"

void slb_png_on_error(png_structp png, png_const_charp text)
{
    PngState *s = png_get_error_ptr(png);
    s->system_error = errno;
    /* Warnings tell what is wrong with a header, the error behind them only that it is wrong. */
    const char *why = strcmp(text, "Invalid IHDR data") == 0 && s->warning[0] ? s->warning : text;
    snprintf(s->message, sizeof s->message, "%s", why);
    slb_clean(s->message); /* it may have words of the file */
    png_longjmp(png, 1);
}

static bool is_of_packed_text(const char *warning)
{
    return strncmp(warning, "zTXt: ", 6) == 0 || strncmp(warning, "iTXt: ", 6) == 0;
}

void slb_png_on_warning(png_structp png, png_const_charp text)
{
    PngState *s = png_get_error_ptr(png);
    if (is_of_packed_text(text) && ++s->faulty_texts == SLB_PNG_MAX_FAULTY)
        png_set_chunk_cache_max(png, 1); /* no more texts */
    if (strncmp(text, "iCCP: ", 6) == 0) snprintf(s->profile, sizeof s->profile, "%s", text + 6);
    snprintf(s->warning, sizeof s->warning, "%s", text);
    slb_clean(s->warning);
}

png_voidp slb_png_on_alloc(png_structp png, png_alloc_size_t bytes)
{
    PngState *s = png_get_mem_ptr(png);
    if (bytes > s->most_bytes) return NULL; /* not every chunk is held to libpng's own limit */
    bool crowded = bytes > s->left_bytes;   /* what is freed counts too: it took its time */
    if (crowded || s->used_bytes > s->most_used || bytes > s->most_used - s->used_bytes) {
        s->crowded = s->crowded || crowded;
        s->starved = s->starved || !crowded;
        png_set_chunk_cache_max(png, 1); /* no more texts: unpacking them takes time */
        return NULL;
    }
    unsigned char *block =
        bytes < SLB_MEM_LIMIT - SLB_ALIGN ? slb_alloc(SLB_ALIGN + bytes, 1) : NULL;
    if (!block) {
        s->no_memory = true;
        return NULL;
    }
    memcpy(block, &(size_t){bytes}, sizeof(size_t)); /* for slb_png_on_free */
    s->left_bytes -= bytes;
    s->used_bytes += bytes;
    return block + SLB_ALIGN;
}

void slb_png_on_free(png_structp png, png_voidp block)
{
    PngState *s = png_get_mem_ptr(png);
    size_t bytes;
    if (!block) return;
    unsigned char *begin = (unsigned char *)block - SLB_ALIGN;
    memcpy(&bytes, begin, sizeof bytes);
    s->used_bytes -= bytes;
    slb_free(begin);
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

/* libpng would leave out such a profile too, but not before it writes. */
static void fit_meta(const SlbImageInfo *info, SlbMeta *m)
{
    bool grey = info->channels < 3;
    if (m->icc.bytes < 20 || memcmp(m->icc.data + 16, grey ? "GRAY" : "RGB ", 4) == 0) return;
    slb_meta_note(m, "the ICC profile is none for %s: left out", grey ? "grey" : "RGB");
    m->icc = (SlbBlock){0};
}

static void set_colours(const SlbMeta *m, PngState *s)
{
    const int32_t *c = m->chroma;
    if (m->has_chroma)
        png_set_cHRM_fixed(s->png, s->info, c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]);
    if (m->gamma) png_set_gAMA_fixed(s->png, s->info, (png_fixed_point)m->gamma);
    if (m->icc.data)
        png_set_iCCP(s->png, s->info, "ICC profile", PNG_COMPRESSION_TYPE_BASE, m->icc.data,
                     (png_uint_32)m->icc.bytes);
    else if (m->srgb)
        png_set_sRGB(s->png, s->info, m->srgb - 1);
}

static png_uint_32 to_density(double value)
{
    return (png_uint_32)(value < 1 ? 1 : value > INT32_MAX ? INT32_MAX : value + 0.5);
}

/* What libpng finds faulty is left out, with its warning: the picture matters more. */
static void set_meta(SlbWriter *w, PngState *s)
{
    const SlbMeta *m = &w->meta;
    uint32_t x, y;
    png_set_benign_errors(s->png, 1);
    set_colours(m, s);
    if (m->icc.data && !png_get_valid(s->png, s->info, PNG_INFO_iCCP))
        slb_meta_note(&w->meta, "the ICC profile does not fit (%s): left out", s->warning);
    if (m->density_unit == SLB_DENSITY_METRE) {
        png_set_pHYs(s->png, s->info, to_density(m->density_x), to_density(m->density_y),
                     PNG_RESOLUTION_METER);
    } else if (m->density_unit == SLB_DENSITY_ASPECT) {
        slb_density_aspect(m, INT32_MAX, &x, &y);
        png_set_pHYs(s->png, s->info, x, y, PNG_RESOLUTION_UNKNOWN);
    }
#ifdef PNG_eXIf_SUPPORTED
    if (m->exif.data) png_set_eXIf_1(s->png, s->info, (png_uint_32)m->exif.bytes, m->exif.data);
#endif
    if (m->xmp.data) {
        char key[] = SLB_PNG_XMP_KEY, nothing[1] = "";
        png_text text = {.compression = PNG_ITXT_COMPRESSION_NONE,
                         .key = key,
                         .text = (char *)m->xmp.data,
                         .itxt_length = m->xmp.bytes,
                         .lang = nothing,
                         .lang_key = nothing};
        png_set_text(s->png, s->info, &text, 1);
    }
    slb_png_put_texts(s->png, s->info, &m->texts);
}

/* What libpng does not know; such chunks stand ahead of a palette. */
static void write_unknown(const SlbMeta *m, png_structp png)
{
    if (m->has_cicp) png_write_chunk(png, (png_const_bytep) "cICP", m->cicp, 4);
    if (m->has_mastering) png_write_chunk(png, (png_const_bytep) "mDCV", m->mastering, 24);
    if (m->has_light) png_write_chunk(png, (png_const_bytep) "cLLI", m->light, 8);
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
    set_meta(w, s);
    if (s->no_memory)
        return slb_fail_memory(err, w->output.path); /* libpng leaves such chunks out */
    png_write_info_before_PLTE(s->png, s->info);
    write_unknown(&w->meta, s->png);
    png_write_info(s->png, s->info);
    if (w->info.depth == 16 && *(const unsigned char *)&one == 1) png_set_swap(s->png);
    return SLB_OK;
}

static SlbStatus write_open(SlbWriter *w, SlbError *err)
{
    PngState *s = w->state = slb_calloc(1, sizeof *s);
    if (!s) return slb_fail_memory(err, w->output.path);
    s->most_bytes = s->left_bytes = s->most_used = SIZE_MAX;
    s->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, s, slb_png_on_error,
                                       slb_png_on_warning, s, slb_png_on_alloc, slb_png_on_free);
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
    png_write_end(s->png, NULL); /* with the info it would write EXIF once more */
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
    .keeps = SLB_KEEPS_BLOCKS | SLB_KEEPS_PNG_OWN,
    .max_side = INT32_MAX,
    .sniff = slb_png_sniff,
    .read_open = slb_png_read_open,
    .read_rows = slb_png_read_rows,
    .read_close = slb_png_read_close,
    .fit_meta = fit_meta,
    .write_open = write_open,
    .write_rows = write_rows,
    .write_end = write_end,
    .write_close = write_close,
};
