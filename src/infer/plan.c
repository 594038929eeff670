#include "infer/plan.h"

#include <string.h>

#include "base/mem.h"
#include "infer/plan_steps.h"
#include "kern/edge.h"
#include "quant/levels.h"
#include "quant/requant.h"

/* A plan in the making. */
typedef struct Maker {
    const SlbModel *model;
    SlbPlan *plan;
    int *step_of; /* [nodes] the step that makes the node's tensor */
    SlbError *err;
} Maker;

static bool is_packed(const Maker *m, const SlbNode *node)
{
    return node->op == SLB_OP_CONV && node->low && m->plan->options.packed;
}

/* Adds a step that is free of owned memory yet; the caller fills it in place. */
static Step *append(Maker *m, StepKind kind, const SlbNode *node)
{
    Step *s = &m->plan->steps[m->plan->step_count++];
    *s = (Step){.kind = kind,
                .source = {-1, -1},
                .channels = node->channels,
                .stride = (size_t)slb_out_padded(node->channels),
                .scale = node->scale,
                .every = m->model->graph->scale / node->scale,
                .factor = node->factor,
                .conv = -1};
    return s;
}

static void write_codes(Step *s, SlbCodes code, float step)
{
    s->element = ELEMENT_CODE;
    s->code = code;
    s->inverse_step = (float)(1.0 / (double)step);
}

/* When only one packed convolution reads the node, its tensor can be codes of that convolution's
 * step; 0 when it has to be floats. */
static float code_step(const Maker *m, int node)
{
    const SlbGraph *g = m->model->graph;
    if (g->nodes[node].consumers != 1) return 0.0f;
    for (int i = node + 1; i < g->node_count; i++)
        if (g->nodes[i].source[0] == node && is_packed(m, &g->nodes[i]))
            return m->model->conv[g->nodes[i].conv].in_step;
    return 0.0f;
}

static size_t weight_count(const SlbConvParams *c)
{
    return (size_t)c->out_channels * (size_t)c->in_channels * (size_t)(c->kernel * c->kernel);
}

static SlbStatus fill_float(Maker *m, Step *s, const SlbConvParams *c)
{
    size_t taps = (size_t)(c->kernel * c->kernel), padded = (size_t)slb_out_padded(c->out_channels);
    size_t packed = s->kind == STEP_EDGE
                        ? slb_edge_floats(c->out_channels, c->in_channels, c->kernel)
                        : taps * (size_t)c->in_channels * padded;
    float *oihw = slb_alloc(weight_count(c), sizeof *oihw);
    s->weight = slb_alloc(packed, sizeof(float));
    s->bias = slb_calloc(padded, sizeof *s->bias);
    if (!oihw || !s->weight || !s->bias) {
        slb_free(oihw);
        return slb_fail_memory(m->err, "the weights of a network");
    }
    m->plan->weight_bytes += packed * sizeof(float);
    slb_conv_effective(c, oihw);
    if (s->kind == STEP_EDGE)
        slb_pack_edge(oihw, c->out_channels, c->in_channels, c->kernel, s->weight);
    else
        slb_pack_f32(oihw, c->out_channels, c->in_channels, c->kernel, s->weight);
    memcpy(s->bias, c->bias, (size_t)c->out_channels * sizeof *s->bias);
    slb_free(oihw);
    return SLB_OK;
}

static SlbStatus pack_integers(Maker *m, Step *s, const SlbConvParams *c)
{
    const SlbLevels *levels = slb_levels(c->bits);
    size_t count = weight_count(c);
    int8_t *oihw = slb_alloc(count, sizeof *oihw);
    bool xnor = s->kind == STEP_CONV_XNOR;
    size_t bytes = xnor ? slb_xnor_packed_bytes(c->out_channels, c->in_channels, c->kernel)
                        : s->u8->packed_bytes(c->out_channels, c->in_channels, c->kernel);
    s->weight = slb_alloc(bytes, 1);
    m->plan->weight_bytes += bytes;
    if (!oihw || !s->weight) {
        slb_free(oihw);
        return slb_fail_memory(m->err, "the weights of a network");
    }
    for (size_t i = 0; i < count; i++) oihw[i] = (int8_t)slb_level_integer(levels, c->level[i]);
    (xnor ? slb_xnor_pack : s->u8->pack)(oihw, c->out_channels, c->in_channels, c->kernel,
                                         s->weight);
    slb_free(oihw);
    return SLB_OK;
}

static SlbStatus fill_packed(Maker *m, Step *s, const SlbConvParams *c, float out_step)
{
    size_t channels = (size_t)c->out_channels, padded = (size_t)slb_out_padded(c->out_channels);
    SlbRequant r;
    int in_zero = m->plan->steps[s->source[0]].code.zero;
    SlbStatus status = slb_requant_create(c, in_zero, out_step, &r, m->err);
    if (status != SLB_OK) return status;
    s->int_bias = slb_calloc(padded, sizeof *s->int_bias);
    s->multiplier = slb_calloc(padded, sizeof *s->multiplier);
    if (s->int_bias && s->multiplier) {
        memcpy(s->int_bias, r.bias, channels * sizeof *s->int_bias);
        memcpy(s->multiplier, r.multiplier, channels * sizeof *s->multiplier);
        status = pack_integers(m, s, c);
    } else {
        status = slb_fail_memory(m->err, "the weights of a network");
    }
    slb_requant_free(&r);
    return status;
}

/* Whether a packed convolution counts bits. What it reads, then, comes in floats: codes with a sign
 * are never written by convolutions. */
static bool counts_bits(const Maker *m, const SlbNode *node)
{
    return slb_xnor_serves(m->plan->options.level, m->model->weight_bits, m->model->act_bits,
                           !m->model->graph->nodes[node->source[0]].positive);
}

/* The step that gives the codes or signs a packed convolution reads. */
static int source_codes(Maker *m, const SlbNode *node)
{
    const SlbNode *from = &m->model->graph->nodes[node->source[0]];
    int source = m->step_of[node->source[0]];
    if (m->plan->steps[source].element == ELEMENT_CODE) return source;
    bool signs = counts_bits(m, node);
    Step *s = append(m, signs ? STEP_SIGNS : STEP_QUANTIZE, from);
    s->source[0] = source;
    if (signs) {
        s->element = ELEMENT_SIGN;
        s->stride = slb_xnor_bytes(from->channels);
    } else {
        write_codes(s, slb_codes(m->model->act_bits, from->positive),
                    m->model->conv[node->conv].in_step);
    }
    return (int)(s - m->plan->steps);
}

static StepKind conv_kind(const Maker *m, const SlbNode *node)
{
    int in_channels = m->model->conv[node->conv].in_channels;
    bool few = in_channels <= SLB_EDGE_FEW || node->channels <= SLB_EDGE_FEW;
    if (is_packed(m, node)) return counts_bits(m, node) ? STEP_CONV_XNOR : STEP_CONV_U8;
    return m->plan->options.packed || few ? STEP_EDGE : STEP_CONV_F32;
}

static SlbStatus add_conv(Maker *m, int index)
{
    const SlbNode *node = &m->model->graph->nodes[index];
    const SlbConvParams *c = &m->model->conv[node->conv];
    const SlbPlanOptions *options = &m->plan->options;
    bool packed = is_packed(m, node);
    int source = packed ? source_codes(m, node) : m->step_of[node->source[0]];
    Step *s = append(m, conv_kind(m, node), node);
    m->step_of[index] = (int)(s - m->plan->steps);
    s->source[0] = source;
    s->conv = node->conv;
    s->in_channels = c->in_channels;
    s->kernel = c->kernel;
    s->relu = node->relu;
    float out_step = node->relu ? code_step(m, index) : 0.0f;
    if (out_step > 0.0f) write_codes(s, slb_codes(m->model->act_bits, true), out_step);
    s->run_f32 = slb_conv_f32(options->level);
    bool narrow = packed && c->kernel == 3 && m->plan->steps[source].code.most <= SLB_NARROW_MOST;
    s->u8 = (narrow ? slb_conv_u8_narrow : slb_conv_u8)(options->level);
    s->xnor = slb_conv_xnor(options->level);
    return packed ? fill_packed(m, s, c, out_step) : fill_float(m, s, c);
}

static SlbStatus add_node(Maker *m, int index)
{
    const SlbNode *node = &m->model->graph->nodes[index];
    if (node->op == SLB_OP_CONV) return add_conv(m, index);
    static const StepKind kinds[SLB_OPS] = {[SLB_OP_INPUT] = STEP_INPUT,
                                            [SLB_OP_ADD] = STEP_ADD,
                                            [SLB_OP_LRELU] = STEP_LRELU,
                                            [SLB_OP_SHUFFLE] = STEP_SHUFFLE};
    Step *s = append(m, kinds[node->op], node);
    if (node->channels <= SLB_EDGE_FEW) s->stride = (size_t)node->channels; /* as the picture is */
    for (int i = 0; i < 2; i++)
        if (node->source[i] >= 0) s->source[i] = m->step_of[node->source[i]];
    m->step_of[index] = (int)(s - m->plan->steps);
    return SLB_OK;
}

static SlbStatus check(const SlbModel *model, const SlbPlanOptions *options, SlbError *err)
{
    if (options->threads < 1) return slb_fail(err, SLB_E_USAGE, "threads: at least 1 is needed");
    if (!slb_cpu_has(options->level))
        return slb_fail(err, SLB_E_USAGE, "this machine has no kernels of level '%s'",
                        slb_cpu_level_name(options->level));
    if (!options->packed || model->act_bits < 32) return SLB_OK;
    return slb_fail(err, SLB_E_MODEL,
                    "the model has no steps for integer activations; run it in float");
}

SlbStatus slb_plan_create(const SlbModel *model, const SlbPlanOptions *options, SlbPlan **plan,
                          SlbError *err)
{
    SlbStatus status = check(model, options, err);
    if (status != SLB_OK) return status;
    size_t nodes = (size_t)model->graph->node_count;
    Maker m = {.model = model, .err = err};
    m.plan = slb_calloc(1, sizeof *m.plan);
    m.step_of = slb_calloc(nodes, sizeof *m.step_of);
    if (m.plan) m.plan->steps = slb_calloc(2 * nodes, sizeof *m.plan->steps);
    if (m.plan && m.plan->steps && m.step_of) {
        m.plan->options = *options;
        m.plan->channels = model->graph->nodes[0].channels;
        m.plan->scale = model->graph->scale;
    } else {
        status = slb_fail_memory(err, "a plan");
    }
    for (int i = 0; status == SLB_OK && i < model->graph->node_count; i++) status = add_node(&m, i);
    slb_free(m.step_of);
    if (status != SLB_OK) {
        slb_plan_free(m.plan);
        return status;
    }
    slb_plan_lay_out(m.plan);
    *plan = m.plan;
    return SLB_OK;
}

void slb_plan_free(SlbPlan *plan)
{
    if (!plan) return;
    for (int i = 0; i < plan->step_count; i++) {
        slb_free(plan->steps[i].weight);
        slb_free(plan->steps[i].bias);
        slb_free(plan->steps[i].int_bias);
        slb_free(plan->steps[i].multiplier);
    }
    slb_free(plan->steps);
    slb_free(plan);
}

int slb_plan_threads(const SlbPlan *plan)
{
    return plan->options.threads;
}

int slb_plan_channels(const SlbPlan *plan)
{
    return plan->channels;
}

int slb_plan_scale(const SlbPlan *plan)
{
    return plan->scale;
}

const char *slb_plan_kernel(const SlbPlan *plan, int conv)
{
    static const char *const names[SLB_CPU_LEVELS] = {
        [SLB_CPU_C] = "float c",       [SLB_CPU_SSE2] = "float sse2",
        [SLB_CPU_AVX2] = "float avx2", [SLB_CPU_AVX512] = "float vnni",
        [SLB_CPU_AMX] = "float vnni",  [SLB_CPU_NEON] = "float neon"};
    static const char *const edge_names[SLB_CPU_LEVELS] = {
        [SLB_CPU_C] = "float c, fixed order",       [SLB_CPU_SSE2] = "float sse2, fixed order",
        [SLB_CPU_AVX2] = "float avx2, fixed order", [SLB_CPU_AVX512] = "float vnni, fixed order",
        [SLB_CPU_AMX] = "float vnni, fixed order",  [SLB_CPU_NEON] = "float neon, fixed order"};
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (s->conv != conv) continue;
        if (s->kind == STEP_CONV_U8) return s->u8->name;
        if (s->kind == STEP_CONV_XNOR) return s->xnor->name;
        return (s->kind == STEP_EDGE ? edge_names : names)[plan->options.level];
    }
    return "";
}
