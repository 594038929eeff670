#include "train/optimizer.h"

#include <math.h>

/* Values that a task takes: a fixed number, so that sums do not depend on the threads. */
enum { CHUNK = 1 << 15 };

/* Squares of a parameter's gradients, chunk after chunk. */
static double squares(const SlbLayer *layer, const SlbParam *p)
{
    double sum = 0;
    for (size_t from = 0; from < p->size; from += CHUNK) {
        size_t count = p->size - from < CHUNK ? p->size - from : CHUNK;
        sum += layer->ops->squares(p->grad + from, count);
    }
    return sum;
}

double slb_grad_norm(const SlbLayer *layers, int count, int threads)
{
    double square[SLB_MAX_NODES] = {0}, sum = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int l = 0; l < count; l++)
        for (int i = 0; i < SLB_PARAMS; i++) {
            const SlbParam *p = &layers[l].param[i];
            if (p->rate == 0.0f) continue;
            double sum_here = squares(&layers[l], p);
            /* Steps do not count, but where one has no finite gradient neither has the whole. */
            square[l] += i == SLB_PARAM_STEP ? 0.0 * sum_here : sum_here;
        }
    for (int l = 0; l < count; l++) sum += square[l];
    return sqrt(sum);
}

static SlbAdamStep step_of(const SlbParam *p, const SlbAdam *how)
{
    double correct1 = 1.0 - pow(0.9, (double)how->step);
    return (SlbAdamStep){.factor = (float)how->shrink,
                         .size = (float)(how->rate * (double)p->rate / correct1),
                         .unbias = (float)(1.0 / (1.0 - pow(0.999, (double)how->step)))};
}

/* The decay grows with the number of steps, so that the start is forgotten. */
static void move_average(const SlbParam *p, const SlbAdam *how)
{
    double n = (double)how->step;
    float follow = (float)(1.0 - fmin(how->average, n / (n + 10.0)));
    for (size_t k = 0; k < p->size; k++) p->average[k] += follow * (p->value[k] - p->average[k]);
}

static void move(const SlbLayer *layer, const SlbParam *p, const SlbAdam *how)
{
    const SlbAdamStep step = step_of(p, how);
#pragma omp taskloop grainsize(1)
    for (size_t from = 0; from < p->size; from += CHUNK)
        layer->ops->adam(&step, p->size - from < CHUNK ? p->size - from : CHUNK, p->value + from,
                         p->grad + from, p->moment1 + from, p->moment2 + from);
    if (p->average) move_average(p, how);
}

void slb_adam(SlbLayer *layers, int count, const SlbAdam *how)
{
#pragma omp parallel num_threads(how->threads)
#pragma omp single
#pragma omp taskloop grainsize(1)
    for (size_t l = 0; l < (size_t)count; l++)
        for (int i = 0; i < SLB_PARAMS; i++) {
            const SlbParam *p = &layers[l].param[i];
            bool searched = i == SLB_PARAM_WEIGHT && layers[l].bits < 32;
            if (p->size && !(how->hard && searched)) move(&layers[l], p, how);
        }
}

double slb_rate_at(const SlbRate *rate, long step)
{
    const double floor = 0.01, pi = 3.14159265358979323846;
    if (step < rate->warmup) return rate->peak * (double)(step + 1) / (double)rate->warmup;
    if (rate->schedule == SLB_STEPS)
        return rate->peak * pow(0.1, (double)(step / rate->decay_every));
    long length = rate->steps > rate->warmup ? rate->steps - rate->warmup : 1;
    double share = fmin((double)(step - rate->warmup) / (double)length, 1.0);
    return rate->peak * (floor + (1.0 - floor) * 0.5 * (1.0 + cos(pi * share)));
}

/* The place u in its own cycle, of cycles of lengths 1, 2, 4, ... that fill 0..1 together. */
static double in_cycle(double u, int restarts)
{
    double length = 1.0, at = u * (ldexp(1.0, restarts + 1) - 1.0);
    for (int i = 0; i < restarts && at >= length; i++) {
        at -= length;
        length *= 2.0;
    }
    return at / length;
}

double slb_sharpness_at(const SlbSharpness *how, long step)
{
    const double pi = 3.14159265358979323846;
    if (step <= how->from) return 1.0;
    if (step >= how->to) return how->end;
    double u = (double)(step - how->from) / (double)(how->to - how->from), low = 1.0 / how->end;
    switch (how->tempering) {
    case SLB_TEMPER_SGDR: u = in_cycle(u, how->restarts); /* fall through */
    case SLB_TEMPER_COS: return 1.0 / (low + (1.0 - low) * 0.5 * (1.0 + cos(pi * u)));
    case SLB_TEMPER_LINEAR: return 1.0 / (1.0 - (1.0 - low) * u);
    default: return pow(how->end, u);
    }
}
