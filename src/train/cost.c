/* What a run would cost: its parameters counted, a few of its steps measured. */
#include <sys/resource.h>

#include "base/clock.h"
#include "train/run.h"

static void count(const Run *run, SlbTrainCost *cost)
{
    for (int i = 0; i < run->now.count; i++) {
        const SlbLayer *layer = &run->now.layer[i];
        bool low = layer->bits < 32;
        size_t weights = slb_layer_weights(layer);
        cost->low_convs += low;
        cost->parameters += weights + (size_t)layer->out_channels * (low ? 2 : 1);
        cost->searched += low ? weights : 0;
        if (low) cost->values = layer->method->values(layer->bits);
        for (int k = 0; k < SLB_PARAMS; k++) {
            const SlbParam *p = &layer->param[k];
            size_t bytes = SLB_STATE_COPIES * (p->average ? 5 : 4) * p->size * sizeof(float);
            cost->state_bytes += bytes;
            if (low && k == SLB_PARAM_WEIGHT) cost->searched_bytes += bytes;
        }
    }
    cost->convs = run->now.count;
    cost->pictures = run->dataset.count;
}

/* The first step touches memory for the first time and does not count. All processes make the same
 * steps: the first one's clock says how many. */
static SlbStatus measure(Run *run, SlbTrainCost *cost, SlbError *err)
{
    enum { LEAST = 2, MOST = 20 };
    const double enough = 3.0; /* seconds */
    double loss, baseline, began = 0;
    for (int i = 0; i <= MOST; i++) {
        if (i == 1) {
            began = slb_seconds();
            run->times = (RunTimes){0};
        }
        bool over = i > LEAST && slb_seconds() - began > enough;
        SlbStatus s = slb_comm_share(run->options->comm, &over, sizeof over, err);
        if (s == SLB_OK && over) break;
        if (s == SLB_OK) s = run_step(run, &loss, &baseline, err);
        if (s != SLB_OK) return s;
        cost->measured = i;
        cost->step_seconds = (slb_seconds() - began) / (i ? i : 1);
    }
    const RunTimes *t = &run->times;
    cost->weight_seconds = (t->weights + t->gradients + t->update) / cost->measured;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    cost->peak_bytes = (size_t)usage.ru_maxrss * 1024;
    return SLB_OK;
}

SlbStatus slb_train_cost(const SlbTrainOptions *options, SlbTrainCost *cost, SlbError *err)
{
    SlbTrainOptions dry = *options;
    Run run;
    dry.dry = dry.restart = dry.overwrite = true; /* what stands there is left alone */
    *cost = (SlbTrainCost){0};
    SlbStatus s = run_create(&run, &dry, err);
    if (s == SLB_OK) count(&run, cost);
    if (s == SLB_OK) s = measure(&run, cost, err);
    run_free(&run);
    return s;
}
