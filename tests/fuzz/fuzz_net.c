/* Networks as text. What is accepted must be what net/graph.h promises of it. */
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "net/graph.h"

static void check(const SlbGraph *g)
{
    int convs = 0;
    fuzz_want(g->node_count >= 2 && g->node_count <= SLB_MAX_NODES, "nodes");
    for (int i = 0; i < g->node_count; i++) {
        const SlbNode *n = &g->nodes[i];
        for (int s = 0; s < 2; s++) fuzz_want(n->source[s] < i, "a node reads a later one");
        fuzz_want(i == 0 || n->source[0] >= 0, "a node reads nothing");
        fuzz_want(n->channels >= 1 && n->channels <= SLB_MAX_CHANNELS, "channels");
        fuzz_want(n->scale >= 1 && n->scale <= SLB_MAX_SCALE, "a scale");
        if (n->op == SLB_OP_CONV) fuzz_want(n->conv == convs++, "numbers of convolutions");
    }
    fuzz_want(convs == g->conv_count, "the number of convolutions");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    SlbGraph *graph;
    SlbError err = {0};
    SlbStatus status = slb_graph_parse((const char *)data, bytes, "fuzz", &graph, &err);
    fuzz_status(status, SLB_E_MODEL, &err);
    if (status != SLB_OK) return 0;
    check(graph);
    SlbGraph *again;
    bytes -= slb_mark_bytes((const char *)data, bytes);
    fuzz_want(strlen(graph->text) == bytes, "the text has another length");
    status = slb_graph_parse(graph->text, strlen(graph->text), "again", &again, &err);
    fuzz_status(status, SLB_OK, &err);
    fuzz_want(again->node_count == graph->node_count, "its text gives another network");
    slb_graph_free(again);
    slb_graph_free(graph);
    return 0;
}
