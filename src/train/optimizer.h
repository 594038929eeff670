/* Adam (Kingma and Ba 2015), the bound of the gradient, and the schedules of rate and temperature.
 */
#ifndef SLBSR_TRAIN_OPTIMIZER_H
#define SLBSR_TRAIN_OPTIMIZER_H

#include "train/layer.h"

/* Euclidean norm of all gradients of `count` layers, summed in a fixed order. */
double slb_grad_norm(const SlbLayer *layers, int count);

typedef struct SlbAdam {
    long step; /* of this update, from 1 */
    double rate;
    double shrink;  /* multiplies every gradient first */
    double average; /* decay of the moving averages, if the layers have any; lower in the first
                       steps */
    bool hard;      /* leave the searched values alone */
    int threads;
} SlbAdam;

/* One step with beta 0.9 and 0.999, epsilon 1e-8. Sets all gradients to zero. */
void slb_adam(SlbLayer *layers, int count, const SlbAdam *how);

typedef enum SlbSchedule {
    SLB_COSINE, /* falls along half a cosine to 1 % of the peak at the end */
    SLB_STEPS,  /* divided by 10 after every `decay_every` steps */
} SlbSchedule;

/* The learning rate of a run; `step` counts from 0. It rises linearly to `peak` over `warmup` steps
 * first. */
typedef struct SlbRate {
    SlbSchedule schedule;
    double peak;
    long steps, warmup, decay_every;
} SlbRate;
double slb_rate_at(const SlbRate *rate, long step);

/* T = 1 / tau: 1 up to `from`, rising exponentially to `end` at `to` (both are steps). */
double slb_sharpness_at(long step, long from, long to, double end);

#endif
