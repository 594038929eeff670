#include "img/image.h"

#include "base/mem.h"

SlbStatus slb_image_alloc(SlbImage *image, SlbImageInfo info, SlbError *err)
{
    image->info = info;
    image->stride_bytes = slb_row_bytes(&info); /* 2^32 * 4 * 2 at most: no overflow */
    image->data = slb_alloc(info.height, image->stride_bytes);
    if (image->data) return SLB_OK;
    image->stride_bytes = 0;
    return slb_fail(err, SLB_E_MEMORY, "out of memory: a picture of %u x %u pixels", info.width,
                    info.height);
}

void slb_image_free(SlbImage *image)
{
    slb_free(image->data);
    slb_meta_free(&image->meta);
    *image = (SlbImage){0};
}
