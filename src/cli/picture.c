#include "cli/picture.h"

#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "infer/upscaler.h"

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

void cli_reduction(const SlbImageInfo *asked, const SlbImageInfo *kept, const uint8_t background[3],
                   Reduction *notes)
{
    const uint8_t *b = background;
    bool grounded = asked->channels % 2 == 0 && kept->channels % 2 == 1;
    unsigned grey = (unsigned)(slb_background_grey(b) + 0.5);
    *notes = (Reduction){"", ""};
    if (grounded && (b[0] & b[1] & b[2]) == 255)
        snprintf(notes->alpha, sizeof notes->alpha, "this format has no alpha: put on white");
    else if (grounded && kept->channels == 1)
        snprintf(notes->alpha, sizeof notes->alpha,
                 "this format has no alpha: put on #%02x%02x%02x", grey, grey, grey);
    else if (grounded)
        snprintf(notes->alpha, sizeof notes->alpha,
                 "this format has no alpha: put on #%02x%02x%02x", b[0], b[1], b[2]);
    if (kept->depth < asked->depth)
        snprintf(notes->depth, sizeof notes->depth,
                 "this format has 8 bits a sample: rounded from 16");
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
