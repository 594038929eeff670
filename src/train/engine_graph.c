/* The graph that an engine runs: that of the network with nodes of its own. */
#include "base/mem.h"
#include "train/engine_internal.h"

static int append(SlbGraph *g, SlbNode node)
{
    for (int s = 0; s < 2; s++)
        if (node.source[s] >= 0) g->nodes[node.source[s]].consumers++;
    node.consumers = 0;
    g->nodes[g->node_count] = node;
    return g->node_count++;
}

/* Every low convolution has a node before it that quantizes: its codes have a step of their own,
 * whoever else reads the same tensor. */
static void quantize_input(SlbGraph *g, SlbNode *conv)
{
    const SlbNode *from = &g->nodes[conv->source[0]];
    conv->source[0] = append(g, (SlbNode){.op = (SlbOp)OP_QUANTIZE,
                                          .source = {conv->source[0], -1},
                                          .channels = from->channels,
                                          .scale = from->scale,
                                          .positive = from->positive,
                                          .conv = conv->conv});
}

/* Behind a convolution with sbn; its ReLU comes after the normalization. */
static int normalize_output(SlbGraph *g, int conv)
{
    SlbNode *from = &g->nodes[conv];
    SlbNode node = {.op = (SlbOp)OP_NORMALIZE,
                    .source = {conv, -1},
                    .channels = from->channels,
                    .scale = from->scale,
                    .relu = from->relu,
                    .positive = from->positive,
                    .conv = from->conv};
    from->relu = from->positive = false;
    return append(g, node);
}

SlbGraph *slb_engine_graph(const SlbGraph *graph, const SlbEngineForm *form)
{
    SlbGraph *g = slb_calloc(1, sizeof *g);
    int *now = slb_calloc((size_t)graph->node_count, sizeof *now); /* index here of a node there */
    if (g) {
        *g = *graph;
        g->text = NULL;
        g->node_count = 0;
        g->nodes = slb_calloc(ENGINE_MAX_NODES, sizeof *g->nodes);
    }
    if (!g || !now || !g->nodes) {
        slb_free(now);
        slb_graph_free(g);
        return NULL;
    }
    for (int i = 0; i < graph->node_count; i++) {
        SlbNode n = graph->nodes[i];
        for (int s = 0; s < 2; s++)
            if (n.source[s] >= 0) n.source[s] = now[n.source[s]];
        n.sbn = n.sbn && form->normalize;
        if (n.low && form->act_bits < 32) quantize_input(g, &n);
        now[i] = append(g, n);
        if (n.sbn) now[i] = normalize_output(g, now[i]);
    }
    slb_free(now);
    return g;
}
