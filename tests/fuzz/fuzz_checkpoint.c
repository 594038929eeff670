/* Checkpoints of a small network. */
#include <math.h>

#include "fuzz/fuzz.h"
#include "train/checkpoint.h"

static const char net[] = "input y bicubic\nconv 2 3x3 full relu\nconv 2 3x3 low norm relu\n"
                          "conv 1 3x3 full\nadd input\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static SlbGraph *graph;
    static SlbTrainState state;
    SlbError err = {0};
    bool found;
    if (!graph) {
        fuzz_status(slb_graph_parse(net, strlen(net), "net", &graph, &err), SLB_OK, &err);
        const SlbLayerForm form = {.method = &slb_method_slb, .weight_bits = 2, .averaged = true};
        fuzz_status(slb_state_create(graph, &form, 1.0, &state, &err), SLB_OK, &err);
    }
    SlbStatus status = slb_checkpoint_load(fuzz_file(data, bytes), "fuzz", &state, &found, &err);
    fuzz_want(found, "the file is not found");
    fuzz_status(status, status == SLB_E_USAGE ? SLB_E_USAGE : SLB_E_MODEL, &err);
    if (status == SLB_OK)
        fuzz_want(state.step >= 0 && isfinite(state.rate_factor) && isfinite(state.usual_loss),
                  "a state that no run can have");
    return 0;
}
