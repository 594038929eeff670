/* Adding up the gradients of the parts of a batch, in the order of train/tree.h, while the backward
 * passes go on: a convolution's gradients are added as soon as two parts that belong together have
 * them, and travel to the other processes as soon as this one's are added up. */
#ifndef SLBSR_TRAIN_REDUCE_H
#define SLBSR_TRAIN_REDUCE_H

#include "train/comm.h"
#include "train/engine.h"

typedef struct SlbReduction SlbReduction;

/* For batches of `parts` parts, of which this process has those from `*from` on and before `*to`.
 * engine and comm must outlive it. */
SLB_MUST_CHECK SlbStatus slb_reduction_create(const SlbEngine *engine, SlbComm *comm, int parts,
                                              int *from, int *to, SlbReduction **reduction,
                                              SlbError *err);
void slb_reduction_free(SlbReduction *reduction); /* NULL is allowed */

/* Begins a batch. */
void slb_reduction_begin(SlbReduction *reduction);
/* Gradients for part `part`, zeroed; those of parts that have been added to others are used again.
 * The reduction's own. Any thread, as for all below but slb_reduction_finish. */
SLB_MUST_CHECK SlbStatus slb_reduction_part(SlbReduction *reduction, int part, SlbGrads **grads,
                                            SlbError *err);
/* From now on slb_backward tells the reduction what is complete in these gradients: what it runs
 * next is the last picture of their part. */
void slb_reduction_last(SlbReduction *reduction, int part);
/* The same for gradients that are complete already. */
void slb_reduction_whole(SlbReduction *reduction, int part);
/* Waits for the sums over all parts of all processes, which live until the next batch. SLB_PARTIAL
 * as in train/comm.h. */
SLB_MUST_CHECK SlbStatus slb_reduction_finish(SlbReduction *reduction, const SlbGrads **total,
                                              SlbError *err);

/* Floats of one convolution's gradients: what travels at a time. */
size_t slb_reduction_floats(const SlbReduction *reduction, int conv);
/* What the processes had to tell each other. */
SlbExchangeTimes slb_reduction_times(const SlbReduction *reduction);

#endif
