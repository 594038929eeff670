/* A trained network: its graph, the parameters of its convolutions, and where they come from.
 * The file is described in weights/README.md. */
#ifndef SLBSR_NET_MODEL_H
#define SLBSR_NET_MODEL_H

#include <stdint.h>

#include "net/graph.h"

/* One convolution. Weights are OIHW. A low-bit weight is level index k of n = 2^bits, which means
 * W = scale[o] * (2k - (n - 1)) / (n - 1) (paper.md section 1: V evenly spaced on [-1, 1]). */
typedef struct SlbConvParams {
    int in_channels, out_channels, kernel;
    int bits;       /* 32: `weight` is used; 1, 2, 4: `level` and `scale` */
    float *weight;  /* [O][I][K][K], bits == 32, else NULL */
    uint8_t *level; /* [O][I][K][K], one index a byte, bits < 32, else NULL */
    float *scale;   /* [O], bits < 32, else NULL */
    float *bias;    /* [O], always */
    float in_step;  /* step of the codes of its input (quant/requant.h); 0: float input */
} SlbConvParams;

typedef struct SlbModel {
    SlbGraph *graph;
    SlbConvParams *conv; /* [graph->conv_count] */
    int weight_bits;     /* of the low layers: 32, 4, 2 or 1 */
    int act_bits;        /* of the inputs of low layers: 32 (float), 8, 7, 4, 2 or 1 */
    /* Owned, of malloc (strdup); NULL when a model is made, then written as "": */
    char *scales;  /* "2,3,4": the factors it was trained for; "" when unknown */
    char *command; /* the command line that made it */
    char *figures; /* validation figures, a text that net/figures.h reads */
} SlbModel;

/* A model without values: parameters zeroed, shapes and bits from the graph. Owned by the caller.
 */
SLB_MUST_CHECK SlbStatus slb_model_create(const SlbGraph *graph, int weight_bits, SlbModel **model,
                                          SlbError *err);

/* Reads the file at `path`, or parses it from memory (which need not outlive the call). `net` (may
 * be NULL) is used where the file carries no network text of its own, as foreign float weights
 * ("conv00.weight", ...) do; it is copied. Wrong shapes, missing or unknown tensors, NaN and
 * infinities are SLB_E_MODEL. The caller frees *model. */
SLB_MUST_CHECK SlbStatus slb_model_load(const char *path, const SlbGraph *net, SlbModel **model,
                                        SlbError *err);
SLB_MUST_CHECK SlbStatus slb_model_parse(const unsigned char *data, size_t bytes, const char *name,
                                         const SlbGraph *net, SlbModel **model, SlbError *err);
/* Refuses what slb_model_load would refuse: values that are not finite (SLB_E_MODEL), bits that do
 * not fit each other (SLB_E_USAGE). */
SLB_MUST_CHECK SlbStatus slb_model_save(const SlbModel *model, const char *path, bool overwrite,
                                        SlbError *err);
void slb_model_free(SlbModel *model); /* NULL is allowed */

/* Bytes of memory that its parameters take. */
uint64_t slb_model_bytes(const SlbModel *model);

/* How many weights a convolution has. */
static inline size_t slb_conv_weights(const SlbConvParams *conv)
{
    return (size_t)conv->out_channels * (size_t)conv->in_channels *
           (size_t)(conv->kernel * conv->kernel);
}

/* How many numbers are learned: weights, biases and the scales of low-bit layers. */
size_t slb_conv_parameters(const SlbConvParams *conv);
size_t slb_model_parameters(const SlbModel *model);

/* The float weights that the parameters of a convolution mean: [O][I][K][K] into `weight`. */
void slb_conv_effective(const SlbConvParams *conv, float *weight);

#endif
