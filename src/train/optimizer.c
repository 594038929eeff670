#include "train/optimizer.h"

#include <math.h>

double slb_grad_norm(const SlbLayer *layers, int count)
{
    double square = 0;
    for (int l = 0; l < count; l++)
        for (int i = 0; i < SLB_PARAMS; i++) {
            const SlbParam *p = &layers[l].param[i];
            for (size_t k = 0; k < p->size; k++) square += (double)p->grad[k] * (double)p->grad[k];
        }
    return sqrt(square);
}

static void adam(SlbParam *p, double rate, double shrink, double correct1, double correct2)
{
    const float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
    float factor = (float)shrink, size = (float)(rate * (double)p->rate / correct1);
    float unbias = (float)(1.0 / correct2);
    for (size_t k = 0; k < p->size; k++) {
        float g = p->grad[k] * factor;
        p->grad[k] = 0.0f;
        p->moment1[k] = beta1 * p->moment1[k] + (1.0f - beta1) * g;
        p->moment2[k] = beta2 * p->moment2[k] + (1.0f - beta2) * g * g;
        p->value[k] -= size * p->moment1[k] / (sqrtf(p->moment2[k] * unbias) + epsilon);
    }
}

void slb_adam(SlbLayer *layers, int count, long step, double rate, double shrink, bool hard,
              int threads)
{
    double correct1 = 1.0 - pow(0.9, (double)step), correct2 = 1.0 - pow(0.999, (double)step);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int l = 0; l < count; l++)
        for (int i = 0; i < SLB_PARAMS; i++) {
            bool searched = i == SLB_PARAM_WEIGHT && layers[l].bits < 32;
            if (!(hard && searched)) adam(&layers[l].param[i], rate, shrink, correct1, correct2);
        }
}

double slb_rate_at(long step, long steps, long warmup, double peak)
{
    const double floor = 0.01, pi = 3.14159265358979323846;
    if (step < warmup) return peak * (double)(step + 1) / (double)warmup;
    double share = (double)(step - warmup) / (double)(steps > warmup ? steps - warmup : 1);
    return peak * (floor + (1.0 - floor) * 0.5 * (1.0 + cos(pi * fmin(share, 1.0))));
}

double slb_sharpness_at(long step, long from, long to, double end)
{
    if (step <= from) return 1.0;
    if (step >= to) return end;
    return pow(end, (double)(step - from) / (double)(to - from));
}
