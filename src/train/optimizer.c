#include "train/optimizer.h"

#include <math.h>

double slb_grad_norm(const SlbLayer *layers, int count)
{
    double square = 0;
    for (int l = 0; l < count; l++)
        for (int i = 0; i < SLB_PARAMS; i++) {
            const SlbParam *p = &layers[l].param[i];
            if (p->rate == 0.0f || i == SLB_PARAM_STEP) continue;
            for (size_t k = 0; k < p->size; k++) square += (double)p->grad[k] * (double)p->grad[k];
        }
    return sqrt(square);
}

static void adam(SlbParam *p, const SlbAdam *how)
{
    const float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
    double correct1 = 1.0 - pow(0.9, (double)how->step);
    float unbias = (float)(1.0 / (1.0 - pow(0.999, (double)how->step)));
    float factor = (float)how->shrink, size = (float)(how->rate * (double)p->rate / correct1);
    for (size_t k = 0; k < p->size; k++) {
        float g = p->grad[k] * factor;
        p->grad[k] = 0.0f;
        p->moment1[k] = beta1 * p->moment1[k] + (1.0f - beta1) * g;
        p->moment2[k] = beta2 * p->moment2[k] + (1.0f - beta2) * g * g;
        p->value[k] -= size * p->moment1[k] / (sqrtf(p->moment2[k] * unbias) + epsilon);
    }
}

/* The decay grows with the number of steps, so that the start is forgotten. */
static void move_average(SlbParam *p, const SlbAdam *how)
{
    double n = (double)how->step;
    float follow = (float)(1.0 - fmin(how->average, n / (n + 10.0)));
    for (size_t k = 0; k < p->size; k++) p->average[k] += follow * (p->value[k] - p->average[k]);
}

void slb_adam(SlbLayer *layers, int count, const SlbAdam *how)
{
#pragma omp parallel for schedule(static, 1) num_threads(how->threads)
    for (int l = 0; l < count; l++)
        for (int i = 0; i < SLB_PARAMS; i++) {
            SlbParam *p = &layers[l].param[i];
            bool searched = i == SLB_PARAM_WEIGHT && layers[l].bits < 32;
            if (how->hard && searched) continue;
            adam(p, how);
            if (p->average) move_average(p, how);
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
