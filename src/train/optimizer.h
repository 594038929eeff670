/* Adam (Kingma and Ba 2015), the bound of the gradient, and the schedules of rate and temperature. */
#ifndef SLBSR_TRAIN_OPTIMIZER_H
#define SLBSR_TRAIN_OPTIMIZER_H

#include "train/layer.h"

/* Euclidean norm of all gradients of `count` layers, summed in a fixed order. */
double slb_grad_norm(const SlbLayer *layers, int count);

/* One step (from 1) of Adam, beta 0.9 and 0.999, epsilon 1e-8: every gradient is multiplied by `shrink` first. Searched
 * values are left alone when `hard`. Sets all gradients to zero. */
void slb_adam(SlbLayer *layers, int count, long step, double rate, double shrink, bool hard,
              int threads);

/* Rises linearly over `warmup` steps to `peak`, then falls along half a cosine to 1 % of it at `steps`. `step` counts
 * from 0. */
double slb_rate_at(long step, long steps, long warmup, double peak);

/* T = 1 / tau: 1 up to `from`, rising exponentially to `end` at `to` (both are steps). */
double slb_sharpness_at(long step, long from, long to, double end);

#endif
