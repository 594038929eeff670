/* Model files. A small model that is accepted is run: with the plain C kernels in one strip, and
 * with the widest that the machine has in strips of 5 columns; where it is packed, both must give
 * the same bytes. It tells its figures, is written, read and written again to the same bytes, and,
 * as that takes longer, now and then enlarges a picture or is exported. One that is refused is read
 * as weights of a network that is given, too. */
#include <math.h>
#include <zlib.h>

#include "fuzz/fuzz.h"
#include "infer/onnx_export.h"
#include "infer/upscale.h"
#include "net/figures.h"
#include "net/foreign.h"

enum {
    WIDTH = 11,
    HEIGHT = 5,
    IN = WIDTH * HEIGHT * 3,
    OUT = IN * SLB_MAX_SCALE * SLB_MAX_SCALE,
    MAX_LAYERS = 24,
    MAX_WEIGHTS = 1 << 14,
};

/* What is done besides for one in 16 checksums of an input; seeds have these. */
enum { ENLARGE_8 = 1, EXPORT = 6, ENLARGE_16 = 12, NOTHING = 16 };

static bool is_packed(const SlbModel *model)
{
    return model->weight_bits < 32 && model->act_bits < 32;
}

/* NULL: it is refused. */
static SlbPlan *make_plan(const SlbModel *model, SlbCpuLevel level, uint32_t strip)
{
    const SlbPlanOptions how = {is_packed(model), level, 1, strip};
    SlbPlan *plan = NULL;
    SlbError err = {0};
    fuzz_status(slb_plan_create(model, &how, &plan, &err), SLB_E_MODEL, &err);
    return plan;
}

/* Returns how many samples there are in `out`. */
static int run(const SlbPlan *plan, float out[OUT])
{
    float in[IN];
    SlbError err = {0};
    int scale = slb_plan_scale(plan);
    for (int i = 0; i < IN; i++) in[i] = (float)(i * 37 % 64) / 63.0f;
    fuzz_status(slb_plan_run(plan, in, out, WIDTH, HEIGHT, NULL, NULL, &err), SLB_OK, &err);
    return WIDTH * HEIGHT * slb_plan_channels(plan) * scale * scale;
}

/* A sum over a picture with alpha, enlarged. */
static unsigned enlarge(const SlbPlan *plan, int depth)
{
    uint16_t samples[5 * 3 * 4];
    SlbImage in = {.info = {5, 3, 4, depth}, .data = (unsigned char *)samples}, out;
    SlbError err = {0};
    int scale = slb_plan_scale(plan) > 1 ? slb_plan_scale(plan) : 2;
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        samples[i] = (uint16_t)(i * 40503 + 99);
    in.stride_bytes = slb_row_bytes(&in.info);
    fuzz_status(slb_upscale(plan, &in, scale, NULL, NULL, &out, &err), SLB_OK, &err);
    fuzz_want(out.info.width == 5 * (uint32_t)scale && out.info.height == 3 * (uint32_t)scale &&
                  out.info.channels == 4 && out.info.depth == depth,
              "a result of another kind");
    for (size_t i = 0; i < out.info.height * slb_row_bytes(&out.info); i++)
        sum = sum * 31 + out.data[i];
    slb_image_free(&out);
    return sum;
}

static void compare(const SlbModel *model, const SlbPlan *plain, const SlbPlan *wide)
{
    float a[OUT], b[OUT];
    int count = run(plain, a);
    fuzz_want(run(wide, b) == count, "results that differ in size");
    for (int i = 0; is_packed(model) && i < count; i++)
        fuzz_want((isnan(a[i]) && isnan(b[i])) || memcmp(&a[i], &b[i], sizeof *a) == 0,
                  "kernels that differ");
}

/* False when its numbers are too far apart to run. */
static bool run_small(const SlbModel *model, unsigned turn)
{
    SlbCpu cpu;
    (void)slb_cpu_detect(&cpu);
    SlbPlan *plain = make_plan(model, SLB_CPU_C, 0), *wide = make_plan(model, cpu.level, 5);
    fuzz_want(!plain == !wide, "a model that one level refuses");
    if (plain) compare(model, plain, wide);
    if (plain && turn == ENLARGE_8) {
        unsigned sum = enlarge(plain, 8);
        fuzz_want(enlarge(wide, 8) == sum || !is_packed(model), "pictures that differ");
    }
    if (plain && turn == ENLARGE_16) fuzz_use(enlarge(wide, 16));
    slb_plan_free(plain);
    slb_plan_free(wide);
    return plain != NULL;
}

static void read_figures(const SlbModel *model)
{
    for (int scale = 2; scale <= 8; scale++) {
        SlbFigure figure = {0, 0};
        if (slb_figures_find(model->figures, scale, &figure)) fuzz_use(figure.psnr);
        fuzz_use(slb_figures_gain(model->figures, scale));
        fuzz_want(slb_scales_serve(model->scales, scale) <= SLB_SERVES_TRAINED, "how it serves");
    }
}

static void save(const SlbModel *model, const char *path)
{
    SlbError err = {0};
    fuzz_status(slb_model_save(model, path, true, &err), SLB_OK, &err);
}

static void save_twice(const SlbModel *model)
{
    char first[64];
    SlbModel *again;
    SlbError err = {0};
    snprintf(first, sizeof first, "%s", fuzz_path("first"));
    const char *second = fuzz_path("second");
    save(model, first);
    fuzz_status(slb_model_load(first, NULL, &again, &err), SLB_OK, &err);
    save(again, second);
    slb_model_free(again);
    fuzz_want(fuzz_same_files(first, second), "a model that changes when it is written again");
    unlink(first);
    unlink(second);
    fuzz_want(fuzz_left() == 0, "a file that was left over");
}

/* As float weights, which must come back, and as ONNX, which nothing here reads. */
static void export(const SlbModel *model, bool runs)
{
    const SlbOnnxOptions how = {.command = "fuzz", .overwrite = true};
    const char *path = fuzz_path("exported");
    SlbForeignMatch *matches;
    SlbModel *again;
    SlbError err = {0};
    fuzz_status(slb_foreign_save(model, NULL, path, true, &err), SLB_OK, &err);
    fuzz_status(slb_foreign_load(path, model->graph, NULL, &again, &matches, &err), SLB_OK, &err);
    for (int i = 0; i < model->graph->conv_count; i++)
        fuzz_want(matches[i].bias && matches[i].dtype == SLB_F32, "weights that got lost");
    slb_free(matches);
    slb_model_free(again);
    fuzz_status(slb_export_onnx(model, &how, path, &err), runs ? SLB_OK : SLB_E_MODEL, &err);
    unlink(path);
}

/* As with --net. */
static void read_weights(const uint8_t *data, size_t bytes)
{
    static const char text[] = "input y\nconv 4 3x3 full\nshuffle 2\n";
    static SlbGraph *net;
    SlbModel *model;
    SlbError err = {0};
    if (!net) fuzz_status(slb_graph_parse(text, strlen(text), "net", &net, &err), SLB_OK, &err);
    SlbStatus status = slb_model_parse(data, bytes, "fuzz", net, &model, &err);
    fuzz_status(status, SLB_E_MODEL, &err);
    if (status != SLB_OK) return;
    (void)run_small(model, NOTHING);
    slb_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    SlbModel *model;
    SlbError err = {0};
    SlbStatus status = slb_model_parse(data, bytes, "fuzz", NULL, &model, &err);
    fuzz_status(status, SLB_E_MODEL, &err);
    if (status != SLB_OK) {
        read_weights(data, bytes);
        return 0;
    }
    read_figures(model);
    if (model->graph->node_count <= MAX_LAYERS && slb_model_parameters(model) <= MAX_WEIGHTS) {
        unsigned turn = (unsigned)crc32_z(0, data, bytes) % 16;
        bool runs = run_small(model, turn);
        save_twice(model);
        if (turn == EXPORT) export(model, runs);
    }
    slb_model_free(model);
    return 0;
}
