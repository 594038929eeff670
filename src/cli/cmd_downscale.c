#include "cli/commands.h"
#include "cli/picture.h"
#include "img/codec.h"
#include "img/resize.h"

typedef struct Settings {
    int scale, edge, quality, max_pixels;
    bool overwrite;
} Settings;

static const Option options[] = {
    {'s', "scale", OPTION_INT, offsetof(Settings, scale), "N", NULL, 2, 16, NULL, true,
     "make smaller by this factor"},
    {'e', "edge", OPTION_CHOICE, offsetof(Settings, edge), NULL, "mirror|replicate", 0, 0, "mirror",
     false, "what lies beyond the border: mirror is MATLAB today, replicate the published sets"},
    {'q', "quality", OPTION_INT, offsetof(Settings, quality), "N", NULL, 1, 100, "95", false,
     "quality of a JPEG"},
    MAX_PIXELS_OPTION(Settings),
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace OUTPUT when it exists"},
    {0},
};

/* Says what of the picture the file cannot hold. */
static SlbStatus save(const char *output, const SlbImage *image, const Settings *set, SlbError *err)
{
    static const uint8_t white[3] = {255, 255, 255};
    SlbWriteOptions how = {.overwrite = set->overwrite, .jpeg_quality = set->quality};
    SlbImageInfo kept = image->info;
    char lost[SLB_NOTE_BYTES];
    Reduction notes;
    (void)slb_format_fits(output, &how, &kept);
    SlbStatus s = slb_image_save_noting(output, image, &how, lost, err);
    if (s != SLB_OK) return s;
    cli_reduction(&image->info, &kept, white, &notes);
    cli_print_note(output, lost);
    cli_print_note(output, notes.alpha);
    cli_print_note(output, notes.depth);
    return SLB_OK;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    const char *input = invocation->operands[0], *output = invocation->operands[1];
    SlbImage large = {0}, small = {0};
    const SlbReadLimits limits = {.max_pixels = (uint64_t)set->max_pixels};
    SlbStatus s = slb_image_load(input, &limits, &large, err);
    if (s == SLB_OK) cli_print_note(input, large.meta.note);
    if (s == SLB_OK) s = cli_crop_to_multiple(&large, input, set->scale, err);
    if (s == SLB_OK)
        s = slb_resize_visible(&large, 1, (uint32_t)set->scale, (SlbEdge)set->edge, &small, err);
    if (s == SLB_OK) s = save(output, &small, set, err);
    slb_image_free(&small);
    slb_image_free(&large);
    return s;
}

const Command cmd_downscale = {
    .name = "downscale",
    .operands = "INPUT OUTPUT",
    .min_operands = 2,
    .max_operands = 2,
    .summary = "Make a picture smaller by a whole factor, as test sets are made",
    .notes = "Bicubic (a = -0.5), antialiased, rounded after each axis: the samples that MATLAB's "
             "imresize "
             "gives. The picture is cropped to a multiple of the factor first.\n"
             "Alpha is multiplied into the colours before and divided out behind, so that colours "
             "that do not show do not bleed into those that do; imresize knows none.",
    .example = "slbsr downscale photo.png small.png --scale 2\n"
               "slbsr downscale HR/baby.png X3/baby.png --scale 3 --edge replicate -y",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
