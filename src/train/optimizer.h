/* Adam (Kingma and Ba 2015), the bound of the gradient, and the schedules of rate and temperature.
 */
#ifndef SLBSR_TRAIN_OPTIMIZER_H
#define SLBSR_TRAIN_OPTIMIZER_H

#include "train/layer.h"

/* Euclidean norm of all gradients of `count` layers, summed in a fixed order; without those of
 * steps, each a sum over a whole tensor, which Adam measures by itself; no finite number when one
 * of all has none. */
double slb_grad_norm(const SlbLayer *layers, int count, int threads);

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

/* How the temperature tau of the search falls from 1 to 1 / end while u goes from 0 to 1; T is 1 /
 * tau:
 *
 *   exp     tau = end^-u, so T = end^u
 *   cos     tau = 1/end + (1 - 1/end) (1 + cos(pi u)) / 2
 *   linear  tau = 1 - (1 - 1/end) u
 *   sgdr    as cos, again and again: the `restarts` set tau back to 1, and each cycle is twice as
 *           long as the one before
 *
 * The first three are those that the paper of SLB compares by name (arXiv 2009.08695); it gives no
 * formulae, but its authors' code multiplies T by a constant factor every epoch, which is exp. Cos
 * and sgdr are the learning rate of SGDR (Loshchilov and Hutter 2017, equation 5, T_mult 2) with
 * tau in its place. Linear and cos stay soft for long and end steeply: half way T is 2, where exp
 * has sqrt(end). */
typedef enum SlbTempering {
    SLB_TEMPER_EXP,
    SLB_TEMPER_COS,
    SLB_TEMPER_LINEAR,
    SLB_TEMPER_SGDR
} SlbTempering;

typedef struct SlbSharpness {
    SlbTempering tempering;
    int restarts;  /* of sgdr */
    long from, to; /* steps: T is 1 up to `from`, `end` from `to` on */
    double end;
} SlbSharpness;
double slb_sharpness_at(const SlbSharpness *how, long step);

#endif
