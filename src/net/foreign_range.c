#include "net/foreign.h"

/* The weights of a convolution times `factor`, and its biases: those times `bias_factor`. */
static void multiply(SlbConvParams *c, double factor, double bias_factor)
{
    for (size_t i = 0; i < slb_conv_weights(c); i++)
        c->weight[i] = (float)((double)c->weight[i] * factor);
    for (int o = 0; o < c->out_channels; o++)
        c->bias[o] = (float)((double)c->bias[o] * bias_factor);
}

/* A convolution of the input: range and mean go into it. */
static void take_values(SlbConvParams *c, double range, const double *mean)
{
    size_t taps = (size_t)(c->kernel * c->kernel), inputs = (size_t)c->in_channels;
    multiply(c, range, 1.0);
    for (size_t o = 0; o < (size_t)c->out_channels; o++) {
        double sum = 0.0;
        for (size_t i = 0; i < inputs * taps; i++)
            sum += (double)c->weight[o * inputs * taps + i] * mean[i / taps];
        c->bias[o] = (float)((double)c->bias[o] - sum);
    }
}

static SlbStatus fail_input(SlbError *err)
{
    return slb_fail(err, SLB_E_MODEL,
                    "the network's input goes further than to convolutions and a last 'add input', "
                    "so no other range of values can be made up for");
}

static SlbStatus check_input(const SlbGraph *g, SlbError *err)
{
    int last = g->node_count - 1;
    for (int i = 1; i <= last; i++)
        for (int s = 0; s < 2; s++)
            if (g->nodes[i].source[s] == 0 && g->nodes[i].op != SLB_OP_CONV &&
                !(i == last && g->nodes[i].op == SLB_OP_ADD))
                return fail_input(err);
    return SLB_OK;
}

/* The convolution whose values are the result's, or are added to the input. *area: how many of its
 * channels a shuffle makes one of. NULL when there is none. */
static const SlbNode *last_conv(const SlbGraph *g, bool *added, int *area)
{
    const SlbNode *n = &g->nodes[g->node_count - 1];
    *added = n->op == SLB_OP_ADD;
    *area = 1;
    if (*added && (n->source[1] != 0 || n->source[0] == 0)) return NULL;
    if (*added) n = &g->nodes[n->source[0]];
    if (n->op == SLB_OP_SHUFFLE) {
        *area = n->factor * n->factor;
        n = &g->nodes[n->source[0]];
    }
    return n->op == SLB_OP_CONV && !n->relu && n->consumers <= 1 ? n : NULL;
}

SlbStatus slb_foreign_rescale(SlbModel *model, double range, const double *mean, SlbError *err)
{
    const SlbGraph *g = model->graph;
    bool added;
    int area;
    const SlbNode *last = last_conv(g, &added, &area);
    SlbStatus s = check_input(g, err);
    if (s != SLB_OK) return s;
    if (!last)
        return slb_fail(err, SLB_E_MODEL,
                        "the network's output is not that of a convolution, so no other range of "
                        "values can be made up for");
    for (int i = 1; i < g->node_count; i++)
        if (g->nodes[i].op == SLB_OP_CONV && g->nodes[i].source[0] == 0)
            take_values(&model->conv[g->nodes[i].conv], range, mean);
    SlbConvParams *c = &model->conv[last->conv];
    multiply(c, 1.0 / range, 1.0 / range);
    for (int o = 0; !added && o < c->out_channels; o++)
        c->bias[o] = (float)((double)c->bias[o] + mean[o / area]);
    return SLB_OK;
}
