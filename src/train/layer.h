/* The trainable parameters of one convolution, and the methods that turn them into weights. */
#ifndef SLBSR_TRAIN_LAYER_H
#define SLBSR_TRAIN_LAYER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rng.h"
#include "kern/search.h"
#include "net/model.h"

/* One array that the optimizer moves. Owned by its layer. */
typedef struct SlbParam {
    float *value, *grad, *moment1, *moment2; /* [size] each; moments are Adam's m and v */
    float *average;                          /* [size] moving average of the values, or NULL */
    size_t size;
    float rate; /* multiplies the learning rate */
} SlbParam;

enum {
    SLB_PARAM_WEIGHT,
    SLB_PARAM_SCALE, /* size 0 where the method has none */
    SLB_PARAM_BIAS,
    SLB_PARAM_GAMMA, /* scale behind the normalization, whose bias is SLB_PARAM_BIAS; size 0 without
                        sbn */
    SLB_PARAM_STEP,  /* ln of the step of its input's codes; size 0 where it is not learned */
    SLB_PARAMS
};

/* State batch normalization has statistics of the weights of training, W_c, and of those of
 * inference, W_q. */
typedef enum SlbNormState { SLB_NORM_SOFT, SLB_NORM_HARD } SlbNormState;

struct SlbMethod;

typedef struct SlbLayer {
    const struct SlbMethod *method;
    const SlbSearchOps *ops;
    int bits; /* of its weights: 32 or those of levels.h */
    int out_channels, in_channels, kernel;
    SlbParam param[SLB_PARAMS];
    /* With sbn, by SlbNormState: what its output is normalized by, [out_channels] means, then
     * variances; owned. Else NULL. */
    float *moments[2];
} SlbLayer;

static inline size_t slb_layer_weights(const SlbLayer *layer)
{
    return (size_t)layer->out_channels * (size_t)layer->in_channels *
           (size_t)(layer->kernel * layer->kernel);
}

/* How weights are searched. To add a method: one file, a declaration below and a word of --method
 * (cli/cmd_train.c). All weights are OIHW. */
typedef struct SlbMethod {
    const char *name;
    /* Trained values per weight at `bits`. */
    int (*values)(int bits);
    bool scaled;   /* has a learned scale per output channel */
    bool annealed; /* depends on the temperature until the weights are hard; others have but one
                      form, and ignore `sharpness` and `hard` */
    /* Sets weight and scale parameters so that the effective weights are close to `weight`. */
    void (*init)(SlbLayer *layer, const float *weight);
    /* Effective weights at inverse temperature `sharpness` (paper.md: T = 1 / tau), or those of
     * inference when `hard`. */
    void (*weights)(const SlbLayer *layer, double sharpness, bool hard, float *weight);
    /* Gradients of the parameters from that of the effective weights: into param[].grad, which are
     * 0. When `hard`, the searched values get none. */
    void (*backward)(const SlbLayer *layer, double sharpness, bool hard, const float *grad);
    /* The parameters of inference: `conv` has been shaped by slb_model_create. */
    void (*harden)(const SlbLayer *layer, SlbConvParams *conv);
} SlbMethod;

extern const SlbMethod slb_method_float, slb_method_slb, slb_method_dorefa;

/* What the layers of a run have in common. */
typedef struct SlbLayerForm {
    const SlbMethod *method; /* of low layers with less than 32 bits */
    int weight_bits;         /* of low layers */
    SlbCpuLevel level;       /* kernels to use */
    bool steps;              /* low layers learn the step of their input's codes */
    bool averaged;           /* with averages, but for searched values: the other parameters are
                                trained for the levels as they are */
} SlbLayerForm;

/* Allocates the parameters of a convolution with `in_channels` inputs, zeroed. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_layer_create(SlbLayer *layer, const SlbNode *node, int in_channels,
                                          const SlbLayerForm *form, SlbError *err);
void slb_layer_free(SlbLayer *layer);

/* Copies values, moments, averages and statistics (not gradients) between layers of the same form.
 */
void slb_layer_copy(const SlbLayer *from, SlbLayer *to);

/* Sets the gradients to zero, as slb_adam does. */
void slb_layer_forget_grads(SlbLayer *layer);

/* The layer as inference is to have it: a view whose values are the averages where there are any.
 * Owns nothing. */
SlbLayer slb_layer_averaged(const SlbLayer *layer);

/* The step of the codes that it reads; 0 where it is not learned. */
float slb_layer_step(const SlbLayer *layer);

/* What the normalization by the statistics of `state` comes to: out = gain * in + bias, [O] each;
 * gain 1 and the bias itself without sbn. */
void slb_layer_norm(const SlbLayer *layer, SlbNormState state, float *gain, float *bias);

/* He-normal weights of `gain` (standard deviation gain * sqrt(2 / fan_in)), keyed by seed and conv
 * number. */
void slb_layer_random(const SlbLayer *layer, uint64_t seed, int conv, float gain, float *weight);

/* Subtracts the mean from each filter, so that it answers to detail and not to brightness. */
void slb_layer_centre(const SlbLayer *layer, float *weight);

#endif
