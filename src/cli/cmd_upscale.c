#include <limits.h>
#include <string.h>

#include "base/folder.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/model_choice.h"
#include "cli/picture.h"
#include "cli/upscale_files.h"
#include "cli/values.h"

typedef struct Settings {
    ModelChoice choice;
    double scale;
    int width, height, alpha, wrap, quality, png_level, format, progress, max_pixels;
    const char *size, *fit, *background, *max_memory, *output, *folder, *list, *template;
    bool tta, strip, overwrite, recursive, null_separated, skip_existing, json, dry_run, verbose,
        quiet;
} Settings;

enum { DEFAULT_BITS = 2 };

static const char formats[] = "auto|png|jpg|pnm|pgm|ppm|pam|bmp|tga|y4m";

static const Option options[] = {
    {'s', "scale", OPTION_REAL, offsetof(Settings, scale), "N", NULL, 0.01, SLB_MAX_WANTED_SCALE,
     NULL, false, "make larger by this factor; without a size: 2"},
    {0, "size", OPTION_TEXT, offsetof(Settings, size), "WxH", NULL, 0, 0, NULL, false,
     "make exactly so large, in pixels"},
    {0, "width", OPTION_INT, offsetof(Settings, width), "N", NULL, 1, INT_MAX, NULL, false,
     "make so wide; the height follows"},
    {0, "height", OPTION_INT, offsetof(Settings, height), "N", NULL, 1, INT_MAX, NULL, false,
     "make so high; the width follows"},
    {0, "fit", OPTION_TEXT, offsetof(Settings, fit), "WxH", NULL, 0, 0, NULL, false,
     "make as large as goes into W by H pixels, the shape kept"},
    MODEL_CHOICE_OPTIONS(Settings, "; 32 is VDSR in float, slower and no better; without --bits "
                                   "and --model: 2"),
    {0, "tta", OPTION_FLAG, offsetof(Settings, tta), NULL, NULL, 0, 0, NULL, false,
     "the mean of eight results, one for each way to turn and mirror the picture: a little better, "
     "eight times the time"},
    {0, "wrap", OPTION_CHOICE, offsetof(Settings, wrap), NULL, "none|x|y|xy", 0, 0, "none", false,
     "the picture is a texture that goes on at its other side: left and right, top and bottom"},
    {0, "alpha", OPTION_CHOICE, offsetof(Settings, alpha), NULL, "resize|net|drop", 0, 0, "resize",
     false, "transparency: bicubic, through the network too, or left out"},
    {0, "background", OPTION_TEXT, offsetof(Settings, background), "COLOUR", NULL, 0, 0, "white",
     false,
     "what transparency is put on where the output's format has none: #rrggbb, white, black"},
    {0, "max-memory", OPTION_TEXT, offsetof(Settings, max_memory), "SIZE", NULL, 0, 0, NULL, false,
     "keep the program within this, e.g. 512M or 2G, by narrower bands of the picture; more than "
     "that is refused"},
    {'o', "output", OPTION_TEXT, offsetof(Settings, output), "FILE", NULL, 0, 0, NULL, false,
     "OUTPUT of a single INPUT"},
    {'O', "output-dir", OPTION_TEXT, offsetof(Settings, folder), "DIR", NULL, 0, 0, NULL, false,
     "put the results of all INPUTs there; made where it is missing"},
    {'r', "recursive", OPTION_FLAG, offsetof(Settings, recursive), NULL, NULL, 0, 0, NULL, false,
     "search INPUTs that are folders, and those in them, for PNG, JPEG and PNM files by their "
     "names"},
    {0, "files-from", OPTION_TEXT, offsetof(Settings, list), "FILE", NULL, 0, 0, NULL, false,
     "more INPUTs, one a line; - is standard input"},
    {'0', "null", OPTION_FLAG, offsetof(Settings, null_separated), NULL, NULL, 0, 0, NULL, false,
     "the names of --files-from end in zero bytes, not newlines"},
    {0, "name", OPTION_TEXT, offsetof(Settings, template), "TEMPLATE", NULL, 0, 0, NULL, false,
     "names in --output-dir, of {name}, {inext}, {ext}, {scale}, {model}; without it {name}.{ext}"},
    {0, "format", OPTION_CHOICE, offsetof(Settings, format), NULL, formats, 0, 0, "auto", false,
     "format to write; auto: by the name of OUTPUT, else that of INPUT"},
    {0, "skip-existing", OPTION_FLAG, offsetof(Settings, skip_existing), NULL, NULL, 0, 0, NULL,
     false, "pass over inputs whose output exists, with --overwrite too"},
    {'q', "quality", OPTION_INT, offsetof(Settings, quality), "N", NULL, 1, 100, "95", false,
     "quality of a JPEG"},
    {0, "png-level", OPTION_INT, offsetof(Settings, png_level), "N", NULL, 1, 9, "4", false,
     "effort to make a PNG small: 1 is quick, 9 slow"},
    {0, "strip", OPTION_FLAG, offsetof(Settings, strip), NULL, NULL, 0, 0, NULL, false,
     "leave out EXIF, XMP, IPTC, texts and comments; colour profile and density stay"},
    MAX_PIXELS_OPTION(Settings),
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace outputs that exist, an INPUT in its own place too"},
    {'n', "dry-run", OPTION_FLAG, offsetof(Settings, dry_run), NULL, NULL, 0, 0, NULL, false,
     "only say what would be done: sizes, memory, and about how long the network takes"},
    {0, "json", OPTION_FLAG, offsetof(Settings, json), NULL, NULL, 0, 0, NULL, false,
     "results on standard output, a JSON object a line for each file"},
    {0, "progress", OPTION_CHOICE, offsetof(Settings, progress), NULL, PROGRESS_MODES, 0, 0, "auto",
     false, "on standard error; auto: a bar on a terminal, else a plain line now and then"},
    {'v', "verbose", OPTION_FLAG, offsetof(Settings, verbose), NULL, NULL, 0, 0, NULL, false,
     "tell the model and each file that is done"},
    {0, "quiet", OPTION_FLAG, offsetof(Settings, quiet), NULL, NULL, 0, 0, NULL, false,
     "errors only: no notes, no progress, no summary"},
    {0},
};

/* The size that is wanted: one of the ways to say it, or times 2. */
static SlbStatus wanted_size(const Settings *set, SlbWantedSize *wanted, SlbError *err)
{
    int ways =
        (set->scale != 0) + (set->size != NULL) + (set->fit != NULL) + (set->width || set->height);
    *wanted = (SlbWantedSize){.scale = ways ? set->scale : 2,
                              .width = (uint32_t)set->width,
                              .height = (uint32_t)set->height,
                              .fit = set->fit != NULL};
    if (ways > 1)
        return slb_fail(err, SLB_E_USAGE,
                        "--scale, --size, --fit, --width and --height: give one way to say a size");
    if (set->size) return cli_parse_size("--size", set->size, &wanted->width, &wanted->height, err);
    if (set->fit) return cli_parse_size("--fit", set->fit, &wanted->width, &wanted->height, err);
    return SLB_OK;
}

/* The network that is known ahead of any picture: that of --model, or for a scale. Errors of it
 * come before those of files. NULL: the size of each picture decides. */
static SlbStatus find_first_model(const UpscaleFiles *job, UpscaleModel **model, SlbError *err)
{
    double scale = job->size.scale;
    int factor = scale <= 2 ? 2 : scale <= 3 ? 3 : SLB_MAX_SCALE;
    *model = NULL;
    if (scale == 0 && !job->models->choice.model) return SLB_OK;
    return cli_models_get(job->models, factor, model, err);
}

/* {scale} in names of outputs: "2", "1.5", "640x480". */
static void print_size(const SlbWantedSize *wanted, char text[32])
{
    if (wanted->scale != 0)
        snprintf(text, 32, "%.10g", wanted->scale);
    else if (wanted->width && wanted->height)
        snprintf(text, 32, "%ux%u", wanted->width, wanted->height);
    else
        snprintf(text, 32, wanted->width ? "w%u" : "h%u",
                 wanted->width ? wanted->width : wanted->height);
}

/* The format that --format names; NULL: none. */
static const char *format_of(int index, char name[16])
{
    const char *at = formats;
    if (index == 0) return NULL;
    while (index-- > 0) at = strchr(at, '|') + 1;
    snprintf(name, 16, "%.*s", (int)strcspn(at, "|"), at);
    return name;
}

/* OUTPUT of the one INPUT that there is then; NULL with --output-dir, which is for any number. */
static SlbStatus find_output(const Invocation *invocation, const char **output, SlbError *err)
{
    const Settings *set = invocation->settings;
    int inputs = invocation->operand_count;
    *output = set->output;
    if (set->null_separated && !set->list)
        return slb_fail(err, SLB_E_USAGE,
                        "--null: needs --files-from, as it is about the names there");
    if (set->folder) {
        if (set->output)
            return slb_fail(err, SLB_E_USAGE, "--output and --output-dir exclude each other");
        if (inputs || set->list) return SLB_OK;
        return slb_fail(err, SLB_E_USAGE, "upscale: nothing to do; give INPUTs or --files-from");
    }
    if (set->recursive || set->list || set->template)
        return slb_fail(err, SLB_E_USAGE, "--%s: needs --output-dir (-O) for the results",
                        set->recursive ? "recursive"
                        : set->list    ? "files-from"
                                       : "name");
    if (!set->output && inputs > 1) *output = invocation->operands[--inputs];
    if (inputs == 0)
        return slb_fail(err, SLB_E_USAGE, "upscale: no INPUT; usage: slbsr upscale INPUT OUTPUT");
    if (inputs > 1)
        return slb_fail(err, SLB_E_USAGE,
                        "upscale: %d inputs; for several give --output-dir (-O) for the results",
                        inputs);
    if (!*output)
        return slb_fail(err, SLB_E_USAGE,
                        "upscale: no OUTPUT; give it behind INPUT, or --output-dir (-O)");
    if (slb_is_folder(*output))
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: is a folder; to put the result there give --output-dir (-O)", *output);
    return SLB_OK;
}

static SlbStatus check_standard_input(const Invocation *invocation, int inputs, SlbError *err)
{
    const Settings *set = invocation->settings;
    int count = set->list && strcmp(set->list, "-") == 0;
    for (int i = 0; i < inputs; i++) count += strcmp(invocation->operands[i], "-") == 0;
    return count < 2 ? SLB_OK
                     : slb_fail(err, SLB_E_USAGE, "-: standard input can be read only once");
}

/* One of the options that say how a picture is written: a video has nothing for them. */
static const char *option_for_pictures(const Invocation *invocation)
{
    static const char *const names[] = {"--background", "--quality", "--png-level", "--strip"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cli_given(invocation, names[i] + strlen("--"))) return names[i];
    return NULL;
}

/* Lists the files, with their outputs. `model` may be NULL: not known yet. */
static SlbStatus list_files(const Invocation *invocation, const UpscaleFiles *job,
                            const UpscaleModel *model, FileList *files, SlbError *err)
{
    const Settings *set = invocation->settings;
    const char *output = NULL;
    char scale[32];
    print_size(&job->size, scale);
    SlbStatus s = set->template ? cli_check_template(set->template, err) : SLB_OK;
    if (s == SLB_OK && !model && set->template && strstr(set->template, "{model}"))
        s = slb_fail(err, SLB_E_USAGE,
                     "--name: which {model} is taken depends on each picture's size; give --model, "
                     "or --scale instead of a size");
    if (s == SLB_OK) s = find_output(invocation, &output, err);
    if (s == SLB_OK && set->json && output && strcmp(output, "-") == 0)
        s = slb_fail(err, SLB_E_USAGE, "--json: standard output is taken by the picture");
    int inputs = output ? 1 : invocation->operand_count;
    if (s == SLB_OK) s = check_standard_input(invocation, inputs, err);
    if (s != SLB_OK) return s;
    const FileSources sources = {.operands = invocation->operands,
                                 .operand_count = inputs,
                                 .recursive = set->recursive,
                                 .list = set->list,
                                 .null_separated = set->null_separated,
                                 .left_out = set->folder};
    const NameRule rule = {.folder = set->folder,
                           .template = set->template ? set->template : "{name}.{ext}",
                           .format = job->how.format,
                           .scale = scale,
                           .model = model ? model->name : "",
                           .skip_existing = job->skip_existing};
    s = cli_list_files(&sources, files, err);
    if (s != SLB_OK || set->folder) return s == SLB_OK ? cli_name_outputs(files, &rule, err) : s;
    files->item->output = strdup(output);
    return files->item->output ? SLB_OK : slb_fail_memory(err, output);
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    UpscaleModels models = {.choice = set->choice, .quiet = set->quiet, .verbose = set->verbose};
    UpscaleModel *first;
    FileList files = {0};
    char format[16];
    UpscaleFiles job = {.files = &files,
                        .models = &models,
                        .limits = {.max_pixels = (uint64_t)set->max_pixels},
                        .alpha = (SlbAlpha)set->alpha,
                        .wrap = (unsigned)set->wrap, /* in the order of its words */
                        .tta = set->tta,
                        .how = {.overwrite = set->overwrite,
                                .strip = set->strip,
                                .jpeg_quality = set->quality,
                                .png_level = set->png_level,
                                .format = format_of(set->format, format)},
                        .for_pictures = option_for_pictures(invocation),
                        .make_folders = set->folder != NULL,
                        .skip_existing = set->skip_existing,
                        .json = set->json,
                        .quiet = set->quiet,
                        .verbose = set->verbose,
                        .progress = set->quiet ? PROGRESS_NONE : (ProgressMode)set->progress};
    if (!set->choice.bits && !set->choice.model) models.choice.bits = DEFAULT_BITS;
    SlbStatus s = wanted_size(set, &job.size, err);
    if (s == SLB_OK) s = cli_parse_colour("--background", set->background, job.background, err);
    if (s == SLB_OK && set->max_memory)
        s = cli_parse_bytes("--max-memory", set->max_memory, &job.max_memory, err);
    if (job.max_memory) slb_mem_give_back();
    if (s == SLB_OK) s = find_first_model(&job, &first, err);
    if (s == SLB_OK) s = list_files(invocation, &job, first, &files, err);
    if (s == SLB_OK && files.passed_over && !set->quiet) {
        char text[SLB_NOTE_BYTES];
        cli_describe_passed_over(&files, text);
        cli_message("note: %s; convert pictures to PNG first", text);
    }
    if (s == SLB_OK)
        s = set->dry_run ? cli_upscale_dry_run(&job, err) : cli_upscale_files(&job, err);
    cli_free_files(&files);
    cli_models_free(&models);
    return s;
}

const Command cmd_upscale = {
    .name = "upscale",
    .operands = "INPUT... [OUTPUT]",
    .max_operands = INT_MAX,
    .standard_io = true,
    .summary = "Make pictures larger",
    .notes =
        "Either one INPUT and its OUTPUT, or any number of INPUTs and -O DIR. '-' is standard "
        "input "
        "or output; the format of the latter is that of INPUT unless --format says another.\n"
        "With -r, INPUTs that are folders are searched for pictures, and DIR gets the same folders "
        "below it. The names in DIR come from --name: {name} is the input's name without "
        "extension, "
        "{inext} that extension, {ext} the extension of the output's format, {scale} the factor, "
        "{model} the model. Inputs "
        "that would become the same file are refused before any work. One that fails is told, the "
        "rest is done, and the exit code is 1; where all fail alike, it is that of one. Where no "
        "more can be written, as on a full disk, the rest is not begun, and the exit code is 4. A "
        "signal ends the run in good order: what is done "
        "is "
        "whole, the rest is not begun; the same command with --skip-existing goes on.\n"
        "The network enlarges by the least of 2, 3 and 4 that is enough (a network made for one "
        "factor by that), and one bicubic resize brings its result to the size that is wanted, "
        "larger or smaller. Where that is larger than the picture in neither direction, as with "
        "--scale 1, the resize is all there is. --bits takes for each picture the best model for "
        "its factor.\n"
        "Networks on brightness leave colour to the resize; those on RGB make it too. Alpha is "
        "multiplied into the colours before, and divided out behind; --alpha drop takes the "
        "colours as they are stored.\n"
        "Pictures that take more than 256 MiB, or any with --max-memory, stream from file to file. "
        "Those that have to be turned, --tta, --wrap y, BMP and TGA take memory for the whole; "
        "interlaced PNG and progressive JPEG for the whole input.\n"
        "Bit depth, grey, alpha, ICC profile, EXIF and XMP are kept where the format of OUTPUT can "
        "hold them; density and the sizes in EXIF grow with the picture, which is turned "
        "upright.\n"
        "INPUT may be PNG, JPEG or PNM, told by its content; the format of OUTPUT follows its "
        "extension (png, jpg, pnm, pgm, ppm, pam, bmp, tga). OUTPUT appears whole or not at "
        "all; a device, as /dev/null to measure time, is written as it is.\n"
        "INPUT may also be a video without compression, Y4M, as programs pipe it to each other: "
        "progressive, 8 to 16 bits, 4:2:0, 4:2:2, 4:4:4 or luma alone. Luma goes through the "
        "network, chroma is enlarged where its samples lie; levels, range, rate, aspect and "
        "the words of the headers stay. Videos are enlarged by 2, 3 or 4, and frames are in "
        "memory as a whole; sizes, --tta, --wrap, --alpha, --background, --strip, --quality and "
        "--png-level are for pictures.\n"
        "Models with activations of 8 bits or fewer run on integer kernels, which give the same "
        "pixels on every machine, unless --float is given. SLBSR_CPU=c|sse2|avx2|vnni|amx|neon "
        "forces a kernel level.",
    .example = "slbsr upscale photo.jpg large.png\n"
               "slbsr upscale photo.png large.png --bits 1 -s 4 -y\n"
               "slbsr upscale photo.jpg wall.jpg --fit 3840x2160\n"
               "slbsr upscale scan.png huge.png -s 2 --max-memory 512M\n"
               "slbsr upscale *.jpg -O large --name '{name}-{scale}x.{ext}'\n"
               "slbsr upscale -r photos -O large --format png --skip-existing\n"
               "find photos -name '*.png' -mtime -1 -print0 | slbsr upscale --files-from - -0 -O "
               "large\n"
               "slbsr upscale - - --format jpg <small.png >large.jpg\n"
               "ffmpeg -i in.mp4 -f yuv4mpegpipe - | slbsr upscale - - -m light-x2-w4 | ffmpeg -i "
               "- -i in.mp4 "
               "-map 0:v -map '1:a?' -c:a copy out.mp4\n"
               "slbsr upscale photo.png large.png --model my.safetensors",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
