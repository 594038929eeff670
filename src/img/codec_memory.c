/* Pictures as files in memory, by the same writers. */
#include <stdlib.h>

#include "base/mem.h"
#include "img/codec_format.h"

static SlbStatus write_all(SlbWriter *w, const SlbImage *image, SlbError *err)
{
    SlbStatus s = w->format->write_open(w, err);
    if (s == SLB_OK)
        s = w->format->write_rows(w, image->data, image->stride_bytes, image->info.height, err);
    if (s == SLB_OK) s = w->format->write_end(w, err);
    w->format->write_close(w);
    return s;
}

SlbStatus slb_image_to_png(const SlbImage *image, unsigned char **data, size_t *bytes,
                           SlbError *err)
{
    static char name[] = "a PNG in memory";
    char *text = NULL;
    FILE *file = open_memstream(&text, bytes);
    if (!file) return slb_fail_memory(err, name);
    SlbWriter writer = {.format = &slb_format_png,
                        .output = {.file = file, .path = name},
                        .info = image->info,
                        .options = {.png_level = 9}};
    SlbStatus s = write_all(&writer, image, err);
    if (fclose(file) != 0 && s == SLB_OK) s = slb_fail_memory(err, name);
    if (s == SLB_OK)
        *data = (unsigned char *)text;
    else
        free(text);
    return s;
}
