#include <string.h>

#include "base/mem.h"
#include "train/engine_internal.h"

/* Tensors narrower than this are input and output: they stay float32 in a bf16 engine. */
enum { WIDE_CHANNELS = 16 };

static bool is_half(const SlbEngine *e, const SlbNode *n)
{
    return e->form.precision == SLB_BFLOAT16 && n->channels >= WIDE_CHANNELS &&
           n->op != SLB_OP_INPUT;
}

/* The input keeps its channels; whatever is written by a kernel is padded. */
static size_t stride_of(const SlbNode *n)
{
    return (size_t)(n->op == SLB_OP_INPUT ? n->channels : slb_out_padded(n->channels));
}

static int last_reader(const SlbGraph *g, int node)
{
    int last = node == g->node_count - 1 ? g->node_count : node;
    for (int i = node + 1; i < g->node_count; i++)
        if (g->nodes[i].source[0] == node || g->nodes[i].source[1] == node) last = i;
    return last;
}

/* Gives each node a buffer that no living tensor uses; `birth` and `death` are times of a sweep.
 * Returns the number of buffers. Quadratic in the nodes, of which there are at most
 * ENGINE_MAX_NODES. */
static int assign(int count, const int *birth, const int *death, int *buffer)
{
    int used = 0;
    for (int i = 0; i < count; i++) {
        int b = 0;
        for (bool taken = birth[i] >= 0; taken; b += taken) {
            taken = false;
            for (int j = 0; j < i && !taken; j++)
                taken =
                    birth[j] >= 0 && buffer[j] == b && birth[j] <= death[i] && birth[i] <= death[j];
        }
        buffer[i] = birth[i] >= 0 ? b : -1;
        if (b + 1 > used && birth[i] >= 0) used = b + 1;
    }
    return used;
}

/* Forward-only tensors live until their last reader has run. Gradients live from the first time
 * they are written in the backward sweep (by their last reader) until their own node's turn. The
 * input has none. */
static SlbStatus place_tensors(SlbEngine *e, SlbError *err)
{
    const SlbGraph *g = e->graph;
    int n = g->node_count;
    int *times = slb_calloc((size_t)n, 3 * sizeof *times);
    if (!times) return slb_fail_memory(err, "a training engine");
    int *birth = times, *death = times + n, *buffer = times + 2 * n;
    for (int i = 0; i < n; i++) {
        birth[i] = i;
        death[i] = last_reader(g, i);
    }
    e->passing_buffers = assign(n, birth, death, buffer);
    for (int i = 0; i < n; i++) e->passing[i].buffer = buffer[i];
    for (int i = 0; i < n; i++) {
        birth[i] = g->nodes[i].op == SLB_OP_INPUT ? -1 : n - last_reader(g, i);
        death[i] = n - i;
    }
    e->grad_buffers = assign(n, birth, death, buffer);
    for (int i = 0; i < n; i++) e->kept[i].grad = buffer[i];
    slb_free(times);
    return SLB_OK;
}

static void keep_tensors(SlbEngine *e)
{
    for (int i = 0; i < e->graph->node_count; i++) {
        const SlbNode *n = &e->graph->nodes[i];
        e->kept[i] = (Kept){.half = is_half(e, n),
                            .scale = n->scale,
                            .stride = stride_of(n),
                            .buffer = i,
                            .grad = -1};
        e->passing[i] = e->kept[i];
        if (n->op == SLB_OP_CONV) e->conv_node[n->conv] = n;
    }
    for (int i = 0; i < e->graph->node_count; i++) { /* its reader can close the gate in passing */
        const SlbNode *n = &e->graph->nodes[i];
        const SlbNode *source = n->op == SLB_OP_CONV ? &e->graph->nodes[n->source[0]] : NULL;
        bool same = source && (e->form.precision != SLB_BFLOAT16 || e->kept[n->source[0]].half);
        if ((int)n->op == OP_QUANTIZE) { /* its range begins above 0 */
            source = &e->graph->nodes[n->source[0]];
            same = true;
        }
        if (same && source->relu && source->consumers == 1) e->kept[n->source[0]].gate_fused = true;
    }
}

/* Tiles multiply faster in bf16 than Winograd's way could make them. */
static const SlbWinogradKernels *winograd_for(SlbPrecision precision, const SlbCpu *cpu)
{
    if (precision == SLB_FLOAT32) return slb_winograd(cpu->level);
    if (precision == SLB_MIXED) return slb_winograd_mixed(cpu);
    return cpu->level == SLB_CPU_AMX ? NULL : slb_winograd_half(cpu);
}

SlbStatus slb_engine_create(const SlbGraph *graph, const SlbEngineForm *form, const SlbCpu *cpu,
                            SlbEngine **engine, SlbError *err)
{
    SlbPrecision precision = form->precision;
    if (precision == SLB_BFLOAT16 && !slb_bf16_kernels(cpu))
        return slb_fail(err, SLB_E_UNBUILT,
                        "training in bf16 needs a processor with AVX512-BF16 or AMX; give "
                        "--precision float32");
    if (precision == SLB_MIXED && !slb_winograd_mixed(cpu))
        return slb_fail(err, SLB_E_UNBUILT,
                        "training in mixed precision needs a processor with AVX512-BF16; give "
                        "--precision float32");
    for (int i = 0; precision == SLB_BFLOAT16 && i < graph->node_count; i++)
        if (graph->nodes[i].channels > SLB_GRAD_MAX_CHANNELS)
            return slb_fail(err, SLB_E_UNBUILT,
                            "training in bf16 takes layers of at most %d channels, this network "
                            "has one of %d; give --precision float32",
                            SLB_GRAD_MAX_CHANNELS, graph->nodes[i].channels);
    SlbEngine *e = slb_calloc(1, sizeof *e);
    if (!e) return slb_fail_memory(err, "a training engine");
    *e = (SlbEngine){.graph = slb_engine_graph(graph, form), .form = *form};
    if (!e->graph) {
        slb_engine_free(e);
        return slb_fail_memory(err, "a training engine");
    }
    graph = e->graph;
    e->conv = slb_conv_f32(cpu->level);
    e->grad = slb_grad_f32(cpu->level);
    e->winograd = winograd_for(precision, cpu);
    e->half = precision == SLB_BFLOAT16 ? slb_bf16_kernels(cpu) : NULL;
    e->ops = slb_tensor_ops(cpu->level);
    e->kept = slb_calloc((size_t)graph->node_count, sizeof *e->kept);
    e->passing = slb_calloc((size_t)graph->node_count, sizeof *e->passing);
    e->conv_node = slb_calloc((size_t)graph->conv_count, sizeof *e->conv_node);
    SlbStatus s = SLB_E_MEMORY;
    if (e->kept && e->passing && e->conv_node) {
        keep_tensors(e);
        s = place_tensors(e, err);
    } else {
        slb_fail_memory(err, "a training engine");
    }
    if (s != SLB_OK) {
        slb_engine_free(e);
        return s;
    }
    *engine = e;
    return SLB_OK;
}

void slb_engine_free(SlbEngine *e)
{
    if (!e) return;
    slb_graph_free(e->graph);
    slb_free(e->kept);
    slb_free(e->passing);
    slb_free(e->conv_node);
    slb_free(e);
}

int slb_engine_convs(const SlbEngine *engine)
{
    return engine->graph->conv_count;
}

/* Bytes of a tensor, margins included. */
static size_t tensor_bytes(const SlbSlot *slot, const Kept *kept, size_t element)
{
    size_t pixels = flat_pixels(slot, kept) + 2 * flat_margin(flat_row(slot, kept));
    return pixels * kept->stride * element + SLB_ALIGN;
}

/* `count` zeroed buffers, each large enough for all tensors that live in it, and a NULL behind
 * them; NULL when memory is out. `gradients`: for those, else for the forward tensors. */
static unsigned char **buffers_create(const SlbEngine *e, const SlbSlot *slot, int count,
                                      bool gradients)
{
    unsigned char **list = slb_calloc((size_t)count + 1, sizeof *list);
    size_t *bytes = slb_calloc((size_t)count + 1, sizeof *bytes);
    for (int i = 0; bytes && i < e->graph->node_count; i++) {
        Kept kept = gradients ? grad_kept(e, i) : *kept_of(e, slot, i);
        int at = gradients ? kept.grad : kept.buffer;
        size_t wanted = tensor_bytes(slot, &kept, element_bytes(&kept));
        if (at >= 0 && at < count && bytes[at] < wanted) bytes[at] = wanted;
    }
    bool ok = list && bytes;
    for (int i = 0; ok && i < count; i++) ok = (list[i] = slb_calloc(bytes[i], 1)) != NULL;
    slb_free(bytes);
    if (ok) return list;
    for (int i = 0; list && list[i]; i++) slb_free(list[i]);
    slb_free(list);
    return NULL;
}

/* What the kernels of a convolution need. */
static size_t conv_scratch(const SlbEngine *e, const SlbSlot *slot, const SlbNode *n)
{
    if (n->op != SLB_OP_CONV) return 0;
    const Kept *from = &e->kept[n->source[0]];
    int in = (int)from->stride, out = slb_out_padded(n->channels);
    if (is_winograd(e, n))
        return sizeof(float) *
               (slot->backward ? slb_winograd_grad_scratch : slb_winograd_scratch)(in, out);
    if (!from->half || !slot->backward) return 0;
    return e->half->grad_scratch(in, out, n->kernel == 3 ? 2 * flat_row(slot, from) + 2 : 0);
}

/* The largest tensor in float32, or more where a kernel needs it. */
static size_t scratch_bytes(const SlbEngine *e, const SlbSlot *slot)
{
    size_t most = 0;
    for (int i = 0; i < e->graph->node_count; i++) {
        size_t bytes = tensor_bytes(slot, &e->kept[i], sizeof(float));
        size_t more = conv_scratch(e, slot, &e->graph->nodes[i]);
        if (bytes < more) bytes = more;
        if (bytes > most) most = bytes;
    }
    return most;
}

static void buffers_free(unsigned char **list)
{
    for (int i = 0; list && list[i]; i++) slb_free(list[i]);
    slb_free(list);
}

SlbStatus slb_slot_create(const SlbEngine *engine, uint32_t max_width, uint32_t max_height,
                          bool backward, SlbSlot **slot, SlbError *err)
{
    SlbSlot *s = slb_calloc(1, sizeof *s);
    if (!s) return slb_fail_memory(err, "the tensors of training");
    *s = (SlbSlot){.backward = backward, .width = max_width, .height = max_height};
    s->buffer = buffers_create(
        engine, s, backward ? engine->graph->node_count : engine->passing_buffers, false);
    s->grad = buffers_create(engine, s, backward ? engine->grad_buffers : 0, true);
    s->scratch = slb_calloc(scratch_bytes(engine, s), 1);
    if (!s->buffer || !s->grad || !s->scratch) {
        slb_slot_free(s);
        return slb_fail_memory(err, "the tensors of training");
    }
    *slot = s;
    return SLB_OK;
}

void slb_slot_free(SlbSlot *slot)
{
    if (!slot) return;
    buffers_free(slot->buffer);
    buffers_free(slot->grad);
    slb_free(slot->scratch);
    slb_free(slot);
}
