/* Checkpoints of two small networks. */
#include <math.h>

#include "fuzz/fuzz.h"
#include "train/checkpoint.h"

static const char *const nets[] = {
    "input y bicubic\nconv 2 3x3 full relu\nconv 2 3x3 low norm relu\nconv 1 3x3 full\nadd input\n",
    "input y\nconv 2 1x1 full relu\nconv 2 1x1 low norm sbn relu\nconv 4 1x1 full\nshuffle 2\n",
};
enum { NETS = sizeof nets / sizeof *nets };

/* `before` stays as it was made: what one input leaves behind must not reach the next. */
typedef struct Run {
    SlbGraph *graph;
    SlbTrainState before, state;
} Run;

static void set_up(Run *run, const char *net)
{
    const SlbLayerForm form = {.method = &slb_method_slb, .weight_bits = 2, .averaged = true};
    SlbError err = {0};
    fuzz_status(slb_graph_parse(net, strlen(net), "net", &run->graph, &err), SLB_OK, &err);
    fuzz_status(slb_state_create(run->graph, &form, 1.0, &run->before, &err), SLB_OK, &err);
    fuzz_status(slb_state_create(run->graph, &form, 1.0, &run->state, &err), SLB_OK, &err);
}

static void load(Run *run, const char *path)
{
    SlbTrainState *state = &run->state;
    SlbError err = {0};
    bool found;
    slb_state_copy(&run->before, state);
    SlbStatus status = slb_checkpoint_load(path, "fuzz", state, &found, &err);
    fuzz_want(found, "the file is not found");
    fuzz_status(status, status == SLB_E_USAGE ? SLB_E_USAGE : SLB_E_MODEL, &err);
    if (status == SLB_OK)
        fuzz_want(state->step >= 0 && isfinite(state->rate_factor) && isfinite(state->usual_loss),
                  "a state that no run can have");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static Run runs[NETS];
    const char *path = fuzz_file(data, bytes);
    for (int i = 0; i < NETS; i++) {
        if (!runs[i].graph) set_up(&runs[i], nets[i]);
        load(&runs[i], path);
    }
    return 0;
}
