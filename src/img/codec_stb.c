/* BMP and TGA, written by stb_image_write, which wants the whole picture at once. */
#include <errno.h>
#include <string.h>

#include <stb_image_write.h>

#include "base/mem.h"
#include "img/codec_format.h"

/* stb counts the bytes of a file in an int. */
enum { MAX_BYTES = INT32_MAX - 256 };

static SlbStatus write_open(SlbWriter *w, SlbError *err)
{
    w->state = slb_alloc(w->info.height, slb_row_bytes(&w->info));
    return w->state ? SLB_OK : slb_fail_memory(err, w->output.path);
}

static SlbStatus write_rows(SlbWriter *w, const unsigned char *in, size_t stride_bytes,
                            uint32_t rows, SlbError *err)
{
    (void)err;
    size_t bytes = slb_row_bytes(&w->info);
    unsigned char *whole = w->state;
    for (size_t i = 0; i < rows; i++)
        memcpy(whole + (w->row + i) * bytes, in + i * stride_bytes, bytes);
    return SLB_OK;
}

/* Nothing can be reported from here; the stream remembers that it failed. */
static void on_write(void *context, void *data, int bytes)
{
    (void)!fwrite(data, 1, (size_t)bytes, context);
}

static SlbStatus write_end(SlbWriter *w, SlbError *err)
{
    int width = (int)w->info.width, height = (int)w->info.height, channels = w->info.channels;
    FILE *file = w->output.file;
    errno = 0;
    int done = w->format == &slb_format_bmp
                   ? stbi_write_bmp_to_func(on_write, file, width, height, channels, w->state)
                   : stbi_write_tga_to_func(on_write, file, width, height, channels, w->state);
    if (done && !ferror(file)) return SLB_OK;
    return slb_write_failed(w, errno, "write error", err);
}

static void write_close(SlbWriter *w)
{
    slb_free(w->state);
    w->state = NULL;
}

#define STB_WRITER(label, extension, most)                                                         \
    {                                                                                              \
        .name = label, .extensions = extension, .channels = most, .depth = 8, .whole = true,       \
        .max_side = 65535, .max_bytes = MAX_BYTES, .write_open = write_open,                       \
        .write_rows = write_rows, .write_end = write_end, .write_close = write_close,              \
    }

const SlbFormat slb_format_bmp = STB_WRITER("BMP", "bmp", 3);
const SlbFormat slb_format_tga = STB_WRITER("TGA", "tga", 4);
