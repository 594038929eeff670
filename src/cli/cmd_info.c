#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/embed.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/model_choice.h"
#include "img/codec.h"
#include "img/codec_cmyk.h"
#include "img/y4m.h"
#include "infer/builtin.h"
#include "train/comm.h"

typedef struct Settings {
    ModelChoice choice; /* `model` is the operand */
    bool kernels;
} Settings;

static const Option options[] = {
    {'k', "kernels", OPTION_FLAG, offsetof(Settings, kernels), NULL, NULL, 0, 0, NULL, false,
     "which kernel serves each layer of a model on this machine"},
    {0, "net", OPTION_TEXT, offsetof(Settings, choice.net), "NET|FILE", NULL, 0, 0, NULL, false,
     "the network of a weight file that carries none: a name (vdsr) or a .net file"},
    {0, "float", OPTION_FLAG, offsetof(Settings, choice.use_float), NULL, NULL, 0, 0, NULL, false,
     "with --kernels: as for upscale --float"},
    {0},
};

static const SlbBuiltin *find_builtin(const char *name)
{
    size_t count;
    const SlbBuiltin *all = slb_builtins(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0) return &all[i];
    return NULL;
}

/* Multiplications of convolution `index` for one pixel of the network's output. */
static double conv_macs(const SlbGraph *graph, int index)
{
    const SlbNode *node = graph->nodes;
    while (node->conv != index) node++;
    double area = (double)(node->scale * node->scale) / (graph->scale * graph->scale);
    return area * node->channels * graph->nodes[node->source[0]].channels *
           (node->kernel * node->kernel);
}

/* `conv`: [graph->conv_count]; `act_bits`: of those that have an in_step. */
static void print_layers(const SlbGraph *graph, const SlbConvParams *conv, int act_bits,
                         const SlbPlan *plan)
{
    printf("\n%-8s %-12s %-6s %6s %6s %11s %10s%s\n", "layer", "channels", "kernel", "bits",
           "input", "parameters", "MAC/pixel", plan ? "  runs as" : "");
    for (int i = 0; i < graph->conv_count; i++) {
        const SlbConvParams *c = &conv[i];
        char name[16], channels[32], kernel[16], input[16] = "float";
        if (c->in_step > 0.0f) snprintf(input, sizeof input, "%d bit", act_bits);
        snprintf(name, sizeof name, "conv%02d", i);
        snprintf(channels, sizeof channels, "%d -> %d", c->in_channels, c->out_channels);
        snprintf(kernel, sizeof kernel, "%dx%d", c->kernel, c->kernel);
        printf("%-8s %-12s %-6s %6d %6s %11zu %10.0f%s%s\n", name, channels, kernel, c->bits, input,
               slb_conv_parameters(c), conv_macs(graph, i), plan ? "  " : "",
               plan ? slb_plan_kernel(plan, i) : "");
    }
}

static void print_text(const char *label, const char *text)
{
    if (!text || !*text) return;
    printf("%-16s ", label);
    cli_print_clean(text);
    putchar('\n');
}

static void print_model(const char *name, size_t bytes, const SlbModel *model, const SlbPlan *plan)
{
    double macs = 0;
    int radius = slb_graph_radius(model->graph);
    for (int i = 0; i < model->graph->conv_count; i++) macs += conv_macs(model->graph, i);
    print_text("model", name);
    printf("%-16s %d bit%s\n", "weights", model->weight_bits, model->weight_bits == 1 ? "" : "s");
    if (model->act_bits < 32)
        printf("%-16s %d bit%s\n", "activations", model->act_bits, model->act_bits == 1 ? "" : "s");
    else
        printf("%-16s float\n", "activations");
    print_text("scales", model->scales);
    printf("%-16s %zu\n", "parameters", slb_model_parameters(model));
    printf("%-16s %.0f\n", "MAC per pixel", macs);
    printf("%-16s %dx%d pixels\n", "receptive field", 2 * radius + 1, 2 * radius + 1);
    printf("%-16s %zu\n", "bytes", bytes);
    print_text("figures", model->figures);
    print_text("made by", model->command);
    print_layers(model->graph, model->conv, model->act_bits, plan);
}

/* What is told of one thing begins with a blank line where something stands before it. */
static void set_apart(bool apart)
{
    if (apart) putchar('\n');
}

static SlbStatus info_model(const Settings *set, const char *name, bool apart, SlbError *err)
{
    ModelChoice choice = set->choice;
    SlbModel *model = NULL;
    SlbPlan *plan = NULL;
    const SlbBuiltin *builtin = find_builtin(name);
    struct stat st;
    size_t bytes = builtin ? builtin->bytes : stat(name, &st) == 0 ? (size_t)st.st_size : 0;
    choice.model = name;
    choice.threads = 1;
    SlbStatus s = cli_open_model(&choice, 0, &model, NULL, err);
    if (s == SLB_OK && set->kernels) s = cli_make_plan(&choice, model, &plan, err);
    if (s == SLB_OK) {
        set_apart(apart);
        print_model(name, bytes, model, plan);
    }
    slb_plan_free(plan);
    slb_model_free(model);
    return s;
}

static SlbStatus info_network(const char *name, bool apart, SlbError *err)
{
    SlbGraph *graph;
    SlbStatus s = slb_graph_open(name, &graph, err);
    if (s != SLB_OK) return s;
    SlbConvParams *shapes = slb_calloc((size_t)graph->conv_count, sizeof *shapes);
    if (shapes) {
        int radius = slb_graph_radius(graph);
        for (int i = 0; i < graph->node_count; i++) {
            const SlbNode *n = &graph->nodes[i];
            if (n->op == SLB_OP_CONV)
                shapes[n->conv] =
                    (SlbConvParams){.in_channels = graph->nodes[n->source[0]].channels,
                                    .out_channels = n->channels,
                                    .kernel = n->kernel,
                                    .bits = 32};
        }
        set_apart(apart);
        print_text("network", name);
        printf("%-16s %dx%d pixels\n", "receptive field", 2 * radius + 1, 2 * radius + 1);
        print_layers(graph, shapes, 32, NULL);
        putchar('\n');
        cli_print_lines(graph->text);
    } else {
        s = slb_fail_memory(err, name);
    }
    slb_free(shapes);
    slb_graph_free(graph);
    return s;
}

static SlbStatus info_video(FILE *file, const char *path, bool apart, SlbError *err)
{
    SlbVideoReader *reader;
    SlbStatus s = slb_video_open(file, path, 0, &reader, err);
    if (s != SLB_OK) return s;
    const SlbVideoInfo *info = slb_video_info(reader);
    const char *kind = info->planes == 1 ? "luma alone"
                       : info->shift_y   ? "4:2:0"
                       : info->shift_x   ? "4:2:2"
                                         : "4:4:4";
    const char *site = !info->shift_y        ? ""
                       : info->site_x == 0.5 ? ", chroma in the middle"
                       : info->site_y == 0.5 ? ", chroma at the left"
                                             : ", chroma at the top left";
    set_apart(apart);
    cli_print_clean(slb_input_name(path));
    printf(": video, %ux%u, %s%s, %d bits a sample, %s range\n", info->width, info->height, kind,
           site, info->depth, info->full_range ? "full" : "limited");
    slb_video_close(reader);
    return SLB_OK;
}

static double big_endian(const uint8_t *data)
{
    return ((uint32_t)data[0] << 24) | ((uint32_t)data[1] << 16) | ((uint32_t)data[2] << 8) |
           data[3];
}

/* How the colours of a PNG are coded: cICP, and in units of 1/10000 cd/m2 the brightness that mDCV
 * (behind 16 bytes of colours) and cLLI tell (PNG, third edition, 11.3.2). */
static void print_coding(const SlbMeta *meta)
{
    const double unit = 1e-4;
    if (meta->has_cicp)
        printf(", cICP %d/%d/%d/%d", meta->cicp[0], meta->cicp[1], meta->cicp[2], meta->cicp[3]);
    if (meta->has_mastering)
        printf(", mastered on a display of %.4g to %.4g cd/m2",
               big_endian(meta->mastering + 20) * unit, big_endian(meta->mastering + 16) * unit);
    if (meta->has_light)
        printf(", at most %.4g cd/m2, %.4g in a frame's mean", big_endian(meta->light) * unit,
               big_endian(meta->light + 4) * unit);
}

static SlbStatus info_picture(const char *path, bool apart, SlbError *err)
{
    static const char *const kinds[] = {"", "grey", "grey + alpha", "RGB", "RGB + alpha"};
    unsigned char head[SLB_HEAD_BYTES];
    size_t bytes;
    FILE *file;
    SlbReader *reader;
    SlbStatus s = slb_open_head(path, &file, head, &bytes, err);
    if (s != SLB_OK) return s;
    if (slb_is_y4m(head, bytes)) return info_video(file, path, apart, err);
    s = slb_reader_open_file(file, path, NULL, &reader, err);
    if (s != SLB_OK) return s;
    const SlbImageInfo info = slb_reader_upright(reader); /* as it is shown */
    const SlbMeta *meta = slb_reader_meta(reader);
    set_apart(apart);
    cli_print_clean(slb_input_name(path));
    printf(": picture, %ux%u, %s, %d bits a sample", info.width, info.height, kinds[info.channels],
           info.depth);
    if (meta->icc.data) printf(", ICC profile of %zu bytes", meta->icc.bytes);
    if (meta->exif.data) printf(", EXIF of %zu bytes", meta->exif.bytes);
    if (meta->xmp.data) printf(", XMP of %zu bytes", meta->xmp.bytes);
    if (meta->texts.data) printf(", texts");
    if (meta->iptc.data) printf(", IPTC of %zu bytes", meta->iptc.bytes);
    if (meta->comment.data) printf(", a comment");
    print_coding(meta);
    if (meta->density_unit == SLB_DENSITY_METRE)
        printf(", %.5g x %.5g dpi", meta->density_x * 0.0254, meta->density_y * 0.0254);
    if (*meta->note) printf("; %s", meta->note); /* clean: img/meta.h */
    putchar('\n');
    slb_reader_close(reader);
    return SLB_OK;
}

/* Files are told by what they hold: a safetensors file has '{' behind its 8-byte length. A pipe is
 * not looked into: it gives nothing twice. */
static bool holds_model(const char *path)
{
    unsigned char head[9];
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC); /* no stream: it could fail for want of memory */
    if (fd < 0) return false;
    bool yes = read(fd, head, sizeof head) == sizeof head && head[8] == '{' && head[7] == 0;
    close(fd);
    return yes;
}

static bool is_network(const char *name)
{
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, ".net") == 0) return true;
    for (const SlbEmbed *e = slb_embed; e->name; e++)
        if (strlen(e->name) == n + 4 && strncmp(e->name, name, n) == 0 &&
            strcmp(e->name + n, ".net") == 0)
            return true;
    return false;
}

static SlbStatus list_models(const Settings *set, SlbError *err)
{
    size_t count;
    const SlbBuiltin *all = slb_builtins(&count);
    for (size_t i = 0; i < count; i++) {
        if (set->kernels) {
            SlbStatus s = info_model(set, all[i].name, true, err);
            if (s != SLB_OK) return s;
            continue;
        }
        SlbModel *model;
        SlbStatus s = slb_model_open(all[i].name, NULL, &model, err);
        if (s != SLB_OK) return s;
        char activations[16] = "float";
        if (model->act_bits < 32)
            snprintf(activations, sizeof activations, "%d-bit", model->act_bits);
        printf("%-16s %s: %d-bit weights, %s activations, scales %s, %zu bytes\n", "model",
               all[i].name, model->weight_bits, activations,
               model->scales ? model->scales : "not told", all[i].bytes);
        slb_model_free(model);
    }
    return SLB_OK;
}

static SlbStatus info_program(const Settings *set, SlbError *err)
{
    SlbCpu cpu;
    (void)slb_cpu_detect(&cpu);
    printf("%-16s %s\n", "version", SLBSR_VERSION);
    printf("%-16s %s (this machine has:", "kernels", slb_cpu_level_name(cpu.level));
    for (int l = 0; l < SLB_CPU_LEVELS; l++)
        if (slb_cpu_has((SlbCpuLevel)l)) printf(" %s", slb_cpu_level_name((SlbCpuLevel)l));
    printf(")\n%-16s %d\n", "processors", slb_cpu_count());
    printf("%-16s %s\n", "processes",
           slb_comm_library() ? slb_comm_library() : "one (built without MPI)");
    printf("%-16s %s\n", "CMYK profiles",
           slb_cmyk_library() ? slb_cmyk_library() : "not used (built without lcms2)");
    for (const SlbEmbed *e = slb_embed; e->name; e++) {
        const char *dot = strrchr(e->name, '.');
        if (dot && strcmp(dot, ".net") == 0)
            printf("%-16s %.*s\n", "network", (int)(dot - e->name), e->name);
    }
    return list_models(set, err);
}

static SlbStatus info_one(const Settings *set, const char *name, bool apart, SlbError *err)
{
    if (find_builtin(name) || set->choice.net || holds_model(name))
        return info_model(set, name, apart, err);
    return is_network(name) ? info_network(name, apart, err) : info_picture(name, apart, err);
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    int count = invocation->operand_count, done = 0;
    SlbStatus failure = SLB_OK; /* of all that failed; SLB_PARTIAL when they are not alike */
    if (set->choice.use_float && !set->kernels)
        return slb_fail(err, SLB_E_USAGE, "--float: needs --kernels");
    if (count == 0) return info_program(set, err);
    if (count == 1) return info_one(set, invocation->operands[0], false, err);
    for (int i = 0; i < count; i++) {
        SlbError why;
        SlbStatus s = info_one(set, invocation->operands[i], done > 0, &why);
        if (s == SLB_OK) {
            done++;
            continue;
        }
        cli_message("%s", why.message);
        failure = failure == SLB_OK || failure == s ? s : SLB_PARTIAL;
    }
    if (done == count) return SLB_OK;
    return slb_fail(err, done ? SLB_PARTIAL : failure, "%d files: %d done, %d failed", count, done,
                    count - done);
}

const Command cmd_info = {
    .name = "info",
    .operands = "[FILE|MODEL|NET]...",
    .max_operands = INT_MAX,
    .standard_io = true,
    .summary = "Tell about a model, a network, a picture or this program",
    .notes = "A model: its bits, parameters, work, receptive field, where it comes from and its "
             "layers. A network: its layers and its text. A picture or a Y4M video: its size and "
             "depth and what it brings along; '-' reads one from standard input. Nothing: the "
             "version, the kernel levels of this machine and what is built in.\n"
             "Of several, one that cannot be read is told, the rest is done, and the exit code is "
             "1; where all fail alike, it is that of one.",
    .example = "slbsr info\n"
               "slbsr info photo.png\n"
               "slbsr info *.jpg\n"
               "slbsr info my.safetensors --kernels",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
