#include "train/state.h"

#include "base/mem.h"

SlbStatus slb_state_create(const SlbGraph *graph, const SlbLayerForm *form, double logit_rate,
                           SlbTrainState *state, SlbError *err)
{
    *state = (SlbTrainState){.count = graph->conv_count, .rate_factor = 1.0};
    state->layer = slb_calloc((size_t)graph->conv_count, sizeof *state->layer);
    if (!state->layer) return slb_fail_memory(err, "the parameters of training");
    for (int i = 0; i < graph->node_count; i++) {
        const SlbNode *n = &graph->nodes[i];
        if (n->op != SLB_OP_CONV) continue;
        SlbLayer *layer = &state->layer[n->conv];
        SlbStatus s = slb_layer_create(layer, n, graph->nodes[n->source[0]].channels, form, err);
        if (s != SLB_OK) {
            slb_state_free(state);
            return s;
        }
        layer->param[SLB_PARAM_SCALE].rate = n->norm && !n->sbn ? 1.0f : 0.0f;
        if (layer->bits < 32) layer->param[SLB_PARAM_WEIGHT].rate = (float)logit_rate;
    }
    return SLB_OK;
}

void slb_state_free(SlbTrainState *state)
{
    for (int i = 0; state->layer && i < state->count; i++) slb_layer_free(&state->layer[i]);
    slb_free(state->layer);
    *state = (SlbTrainState){0};
}

static SlbStatus share_param(SlbParam *p, SlbComm *comm, SlbError *err)
{
    float *const fields[] = {p->value, p->moment1, p->moment2, p->average};
    SlbStatus s = SLB_OK;
    for (size_t i = 0; s == SLB_OK && i < sizeof fields / sizeof *fields; i++)
        if (p->size && fields[i]) s = slb_comm_share(comm, fields[i], p->size * sizeof(float), err);
    return s;
}

SlbStatus slb_state_share(SlbTrainState *state, SlbComm *comm, SlbError *err)
{
    SlbTrainState told = *state; /* its numbers; the layers stay where they are */
    SlbStatus s = slb_comm_share(comm, &told, sizeof told, err);
    if (s != SLB_OK) return s;
    told.layer = state->layer;
    *state = told;
    for (int l = 0; l < state->count; l++)
        for (int i = 0; s == SLB_OK && i < SLB_PARAMS; i++)
            s = share_param(&state->layer[l].param[i], comm, err);
    return s;
}

void slb_state_copy(const SlbTrainState *from, SlbTrainState *to)
{
    to->step = from->step;
    to->rate_factor = from->rate_factor;
    to->usual_loss = from->usual_loss;
    to->usual_baseline = from->usual_baseline;
    for (int i = 0; i < from->count; i++) slb_layer_copy(&from->layer[i], &to->layer[i]);
}
