/* The state of a training run between two steps: all that has to be kept for going on from there.
 * Random numbers need no state: they are keyed by the step (base/rng.h). */
#ifndef SLBSR_TRAIN_STATE_H
#define SLBSR_TRAIN_STATE_H

#include "net/graph.h"
#include "train/comm.h"
#include "train/layer.h"

typedef struct SlbTrainState {
    SlbLayer *layer; /* [count], one a convolution; owned */
    int count;
    long step;          /* steps done */
    double rate_factor; /* of the learning rate: halved when the loss goes astray */
    /* Moving averages of the loss and of the loss of the untouched input; 0 before the first. */
    double usual_loss, usual_baseline;
} SlbTrainState;

/* Zeroed parameters for the convolutions of a graph. `logit_rate` is the rate factor of searched
 * values. SLB_E_MEMORY, with nothing to free. */
SLB_MUST_CHECK SlbStatus slb_state_create(const SlbGraph *graph, const SlbLayerForm *form,
                                          double logit_rate, SlbTrainState *state, SlbError *err);
void slb_state_free(SlbTrainState *state); /* safe on a zeroed one */

/* Gives the state of rank 0 to all processes (train/comm.h). */
SLB_MUST_CHECK SlbStatus slb_state_share(SlbTrainState *state, SlbComm *comm, SlbError *err);

/* All but gradients; both are of the same run. */
void slb_state_copy(const SlbTrainState *from, SlbTrainState *to);

#endif
