/* Float weights of other programs, for a small network. Input: a length of 16 bits (little-endian),
 * a map of names so long, and a safetensors file. */
#include "fuzz/fuzz.h"
#include "net/foreign.h"

static const char text[] = "input rgb\nconv 4 3x3 full relu\nconv 12 1x1 full\nshuffle 2\n";

/* NULL: none, or one that is refused. */
static SlbNameMap *read_map(const FuzzInput *in)
{
    SlbNameMap *map = NULL;
    SlbError err = {0};
    if (!in->left) return NULL;
    const char *path = fuzz_numbered_file(1, in->at, in->left);
    fuzz_status(slb_names_load(path, &map, &err), SLB_E_MODEL, &err);
    return map;
}

static void check(SlbModel *model, const SlbForeignMatch *matches)
{
    static const double mean[3] = {0.5, 0.25, 0.125};
    SlbError err = {0};
    for (int i = 0; i < model->graph->conv_count; i++)
        fuzz_want(matches[i].weight[0] && matches[i].dtype != SLB_U8 && matches[i].dtype != SLB_I64,
                  "weights from nowhere");
    fuzz_status(slb_foreign_rescale(model, 255.0, mean, &err), SLB_OK, &err);
    for (int i = 0; i < model->graph->conv_count; i++)
        fuzz_use(model->conv[i].weight[0] + model->conv[i].bias[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static SlbGraph *net;
    FuzzInput in = {data, bytes};
    SlbModel *model;
    SlbForeignMatch *matches;
    SlbError err = {0};
    if (!net) fuzz_status(slb_graph_parse(text, strlen(text), "net", &net, &err), SLB_OK, &err);
    FuzzInput names = fuzz_part(&in, fuzz_u16(&in));
    SlbNameMap *map = read_map(&names);
    const char *path = fuzz_file(in.at, in.left);
    SlbStatus status = slb_foreign_load(path, net, map, &model, &matches, &err);
    fuzz_status(status, SLB_E_MODEL, &err);
    if (status == SLB_OK) {
        check(model, matches);
        slb_free(matches);
        slb_model_free(model);
    }
    slb_names_free(map);
    return 0;
}
