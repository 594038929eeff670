#include "quant/requant.h"

#include <math.h>

#include "base/mem.h"
#include "quant/levels.h"

SlbCodes slb_codes(int bits, bool positive)
{
    int count = 1 << (bits == 7 && !positive ? 8 : bits);
    if (positive) return (SlbCodes){.zero = 0, .most = count - 1};
    if (bits == 1) return (SlbCodes){.zero = 1, .most = 2, .sign = true};
    return (SlbCodes){.zero = count / 2, .most = count - 1};
}

/* The sum of the integer weights of output channel o. */
static int32_t weight_sum(const SlbConvParams *conv, int o)
{
    const SlbLevels *levels = slb_levels(conv->bits);
    size_t n = (size_t)conv->in_channels * (size_t)(conv->kernel * conv->kernel);
    int32_t sum = 0;
    for (size_t i = (size_t)o * n; i < ((size_t)o + 1) * n; i++)
        sum += slb_level_integer(levels, conv->level[i]);
    return sum;
}

static void channel(const SlbConvParams *conv, int o, int intervals, double out_step, int32_t *bias,
                    float *multiplier)
{
    double step = (double)conv->in_step * (double)conv->scale[o] / intervals;
    double smallest = fabs((double)conv->bias[o]) / SLB_MAX_BIAS;
    if (fabs(step) < smallest) step = copysign(smallest, step);
    /* A quotient can round up past the limit; 0 / 0 is a bias of 0. */
    double b = step != 0.0 ? (double)conv->bias[o] / step : 0.0;
    *bias = (int32_t)rint(fmax(-SLB_MAX_BIAS, fmin(SLB_MAX_BIAS, b)));
    *multiplier = (float)(step / out_step);
}

SlbStatus slb_requant_create(const SlbConvParams *conv, int in_zero, float out_step,
                             SlbRequant *requant, SlbError *err)
{
    size_t outputs = (size_t)conv->out_channels;
    SlbRequant r = {slb_alloc(outputs, sizeof *r.bias), slb_alloc(outputs, sizeof *r.multiplier)};
    if (!r.bias || !r.multiplier) {
        slb_requant_free(&r);
        return slb_fail_memory(err, "the steps of a convolution");
    }
    int intervals = slb_levels(conv->bits)->count - 1;
    for (int o = 0; o < conv->out_channels; o++) {
        channel(conv, o, intervals, out_step > 0.0f ? (double)out_step : 1.0, &r.bias[o],
                &r.multiplier[o]);
        if (in_zero) r.bias[o] -= in_zero * weight_sum(conv, o);
        if (isfinite(r.multiplier[o])) continue;
        slb_requant_free(&r);
        return slb_fail(err, SLB_E_MODEL,
                        "the model's steps and scales are too far apart for integer inference");
    }
    *requant = r;
    return SLB_OK;
}

void slb_requant_free(SlbRequant *requant)
{
    slb_free(requant->bias);
    slb_free(requant->multiplier);
    *requant = (SlbRequant){0};
}
