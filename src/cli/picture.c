#include "cli/picture.h"

#include <string.h>

#include "cli/message.h"

SlbStatus cli_crop_to_multiple(SlbImage *image, const char *name, int scale, SlbError *err)
{
    uint32_t n = (uint32_t)scale;
    SlbImageInfo *info = &image->info;
    if (info->width < n || info->height < n)
        return slb_fail(err, SLB_E_INPUT, "%s: %ux%u pixels: too small to be made %d times smaller",
                        name, info->width, info->height, scale);
    info->width -= info->width % n;
    info->height -= info->height % n;
    return SLB_OK;
}

void cli_print_note(const char *path, const char *note)
{
    if (*note) cli_message("%s: note: %s", path, note);
}

const char *cli_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
