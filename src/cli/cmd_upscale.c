#include <string.h>

#include "cli/commands.h"
#include "cli/model_choice.h"
#include "cli/picture.h"
#include "cli/progress.h"
#include "img/codec.h"
#include "infer/upscale.h"

typedef struct Settings {
    ModelChoice choice;
    int scale, quality;
    bool overwrite;
} Settings;

enum { DEFAULT_BITS = 2 };

static const Option options[] = {
    {'s', "scale", OPTION_INT, offsetof(Settings, scale), NULL, "2|3|4", 0, 0, "2", false,
     "make larger by this factor"},
    MODEL_CHOICE_OPTIONS(Settings, "; without --bits and --model: 2"),
    {'q', "quality", OPTION_INT, offsetof(Settings, quality), "N", NULL, 1, 100, "95", false,
     "quality of a JPEG"},
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace OUTPUT when it exists"},
    {0},
};

/* Says what OUTPUT's format cannot keep, and complains about one that cannot be written, before the
 * long work rather than after it. */
static SlbStatus probe_output(const char *path, const SlbImage *image, int scale,
                              const SlbWriteOptions *how, SlbError *err)
{
    const SlbImageInfo *in = &image->info;
    SlbImageInfo info = *in;
    SlbWriter *writer;
    uint32_t most = UINT32_MAX / (uint32_t)scale;
    if (in->width > most || in->height > most)
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: %ux%u pixels times %d are more than a picture can have", path,
                        in->width, in->height, scale);
    info.width *= (uint32_t)scale;
    info.height *= (uint32_t)scale;
    (void)slb_format_fits(path, &info); /* an unknown extension is the writer's to tell */
    SlbStatus s = slb_writer_open(path, &info, &image->meta, how, &writer, err);
    if (s != SLB_OK) return s;
    cli_print_note(path, slb_writer_note(writer));
    slb_writer_abort(writer);
    if (info.channels < in->channels)
        fprintf(stderr, "slbsr: %s: note: this format has no alpha: put on white\n", path);
    if (info.depth < in->depth)
        fprintf(stderr, "slbsr: %s: note: this format has 8 bits a sample: rounded from 16\n",
                path);
    return SLB_OK;
}

static void note_untrained_scale(const SlbModel *model, int scale)
{
    char digit[2] = {(char)('0' + scale), 0};
    if (model->scales && *model->scales && !strstr(model->scales, digit))
        fprintf(stderr, "slbsr: note: this model was trained for scale %s, not %d\n", model->scales,
                scale);
}

static SlbStatus upscale(const Settings *set, const SlbPlan *plan, const SlbImage *in,
                         const char *output, const SlbWriteOptions *how, SlbError *err)
{
    Progress progress;
    SlbImage out = {0};
    progress_start(&progress, "upscaling");
    SlbStatus s = slb_upscale(plan, in, set->scale, progress_update, &progress, &out, err);
    progress_end(&progress);
    if (s == SLB_OK) s = slb_image_save(output, &out, how, err);
    slb_image_free(&out);
    return s;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    const char *input = invocation->operands[0], *output = invocation->operands[1];
    SlbWriteOptions how = {.overwrite = set->overwrite, .jpeg_quality = set->quality};
    ModelChoice choice = set->choice;
    SlbImage in = {0};
    SlbModel *model = NULL;
    SlbPlan *plan = NULL;
    if (!choice.bits && !choice.model) choice.bits = DEFAULT_BITS;
    SlbStatus s = cli_open_model(&choice, set->scale, &model, NULL, err);
    if (s == SLB_OK) s = slb_image_load(input, NULL, &in, err);
    if (s == SLB_OK) cli_print_note(input, in.meta.note);
    if (s == SLB_OK) s = probe_output(output, &in, set->scale, &how, err);
    if (s == SLB_OK) s = cli_make_plan(&choice, model, &plan, err);
    if (s == SLB_OK) {
        note_untrained_scale(model, set->scale);
        s = upscale(set, plan, &in, output, &how, err);
    }
    slb_plan_free(plan);
    slb_model_free(model);
    slb_image_free(&in);
    return s;
}

const Command cmd_upscale = {
    .name = "upscale",
    .operands = "INPUT OUTPUT",
    .min_operands = 2,
    .max_operands = 2,
    .summary = "Make a picture larger",
    .notes =
        "The network works on brightness; colour and alpha are enlarged bicubically. Bit "
        "depth, grey, alpha, ICC profile, EXIF and XMP are kept where the format of OUTPUT can "
        "hold them; density and the sizes in EXIF grow with the picture, which is turned "
        "upright.\n"
        "INPUT may be PNG, JPEG or PNM, told by its content; the format of OUTPUT follows its "
        "extension (png, jpg, pnm, pgm, ppm, pam, bmp, tga). OUTPUT appears whole or not at "
        "all.\n"
        "Models with 8-bit activations run on integer kernels, which give the same pixels on "
        "every machine, unless --float is given. SLBSR_CPU=c|sse2|avx2|vnni|amx|neon forces a "
        "kernel level.",
    .example = "slbsr upscale photo.jpg large.png\n"
               "slbsr upscale photo.png large.png --bits 1 -s 4 -y\n"
               "slbsr upscale photo.png large.png --model my.safetensors",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
