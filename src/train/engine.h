/* Forward and backward of a graph, one picture at a time.
 *
 * Layout: a tensor of an h x w picture is one flat row of pixels with `w + 1` pixels a picture row
 * (the last is zero: it is the right border of its row and the left border of the next) and w + 2
 * zero pixels before and behind. A 3x3 convolution is then nine shifted products over the flat row,
 * and border code does not exist; what is computed at the zero pixels is overwritten with zeros.
 * Pixels are `stride` channels apart (NHWC). A picture goes through all layers before the next one,
 * so that its tensors stay in the cache; threads own pictures. */
#ifndef SLBSR_TRAIN_ENGINE_H
#define SLBSR_TRAIN_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"
#include "net/graph.h"

typedef enum SlbPrecision {
    SLB_FLOAT32,
    SLB_BFLOAT16, /* activations, gradients and weights of the inner layers; input and output stay
                     float32 */
    SLB_MIXED, /* float32, but that the products of 3x3 convolutions are those of points rounded to
                  bf16: kern/winograd.h */
} SlbPrecision;

/* Weights of all convolutions as the kernels want them. */
typedef struct SlbWeights SlbWeights;

typedef struct SlbEngine SlbEngine;

typedef struct SlbEngineForm {
    SlbPrecision precision;
    /* Below 32, the inputs of low convolutions are codes of so many bits (8, 7, 4, 2, 1:
     * quant/requant.h), whose steps are set with the weights: forward by value, backward straight
     * through (kern/tensor.h). */
    int act_bits;
    /* Convolutions with sbn are normalized by the statistics of the batch: for slb_batch_forward.
     * Without, the weights that are set have the normalization in them. */
    bool normalize;
} SlbEngineForm;

/* `graph` need not outlive the engine. SLB_E_UNBUILT for bf16 and mixed on a processor without it.
 */
SLB_MUST_CHECK SlbStatus slb_engine_create(const SlbGraph *graph, const SlbEngineForm *form,
                                           const SlbCpu *cpu, SlbEngine **engine, SlbError *err);
void slb_engine_free(SlbEngine *engine);

SLB_MUST_CHECK SlbStatus slb_weights_create(const SlbEngine *engine, SlbWeights **weights,
                                            SlbError *err);
void slb_weights_free(SlbWeights *weights);
/* Sets convolution `conv` from OIHW floats and [O] biases. Different ones may be set at the same
 * time. */
void slb_weights_set(SlbWeights *weights, const SlbEngine *engine, int conv, const float *weight,
                     const float *bias);

/* Sets the step of the codes that low convolution `conv` reads; 0, as it is from the start: its
 * input is not quantized (forward only). Ignored by an engine with act_bits 32. */
void slb_weights_set_step(SlbWeights *weights, const SlbEngine *engine, int conv, float step);

/* Scale and bias [O] behind the normalization of convolution `conv`; and reads them back. Only
 * where the engine normalizes it. */
void slb_weights_set_norm(SlbWeights *weights, int conv, const float *gamma, const float *beta);
void slb_weights_get_norm(const SlbWeights *weights, int conv, float *gamma, float *beta);

int slb_engine_convs(const SlbEngine *engine); /* convolutions of its graph */

/* Gradients of all convolutions, in kernel layout. */
typedef struct SlbGrads SlbGrads;
SLB_MUST_CHECK SlbStatus slb_grads_create(const SlbEngine *engine, SlbGrads **grads, SlbError *err);
void slb_grads_free(SlbGrads *grads);
void slb_grads_zero(SlbGrads *grads);
/* Those of one convolution: *count floats, in the same order in all SlbGrads of an engine. */
float *slb_grads_conv(SlbGrads *grads, int conv, size_t *count);
/* slb_backward calls `done` with each convolution, the last one of the graph first, as soon as it
 * has added the picture's gradients of it. NULL: no more. */
void slb_grads_watch(SlbGrads *grads, void (*done)(void *user, int conv), void *user);
/* Convolution `conv`'s gradient as OIHW floats and [O] bias gradients. */
void slb_grads_get(const SlbGrads *grads, const SlbEngine *engine, int conv, float *weight,
                   float *bias);
/* That of the step of its input's codes; 0 where there are none. */
float slb_grads_step(const SlbGrads *grads, int conv);
/* Those of the scale behind its normalization, [O]; the bias gradients are then those of the bias
 * behind it. */
void slb_grads_gamma(const SlbGrads *grads, const SlbEngine *engine, int conv, float *gamma);

/* The tensors of one picture at a time, for one thread. */
typedef struct SlbSlot SlbSlot;

/* Room for pictures of up to max_width * max_height; with `backward` also for gradients (all
 * tensors are then kept; else only those that are still to be read). */
SLB_MUST_CHECK SlbStatus slb_slot_create(const SlbEngine *engine, uint32_t max_width,
                                         uint32_t max_height, bool backward, SlbSlot **slot,
                                         SlbError *err);
void slb_slot_free(SlbSlot *slot);

/* Runs the network: `in` has height * width * input channels floats (HWC); the output is read by
 * slb_slot_output: pixel (x, y) channel c at [(y * row + x) * stride + c]. */
void slb_forward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot, const float *in,
                 uint32_t width, uint32_t height);

typedef struct SlbView {
    float *data;
    size_t row, stride; /* pixels from row to row, floats from pixel to pixel */
    int channels;
} SlbView;
SlbView slb_slot_output(const SlbEngine *engine, SlbSlot *slot);

/* Values of the input of convolution `conv` of the last forward pass (a float32 engine and
 * a slot with `backward`): calls `visit` with runs of `count` floats. Borders and channels that
 * only fill up are left out. */
void slb_slot_visit_input(const SlbEngine *engine, const SlbSlot *slot, int conv,
                          void (*visit)(void *user, const float *values, size_t count), void *user);

typedef enum SlbLoss { SLB_LOSS_MSE, SLB_LOSS_L1 } SlbLoss;

/* What the output is held against. With a teacher the loss is 1 - teacher_share times that against
 * the target, and teacher_share times that against the teacher's output. */
typedef struct SlbAim {
    SlbLoss loss;
    double samples; /* of the whole batch: sums are divided by it */
    const float *target,
        *teacher; /* as the input, with the output's size; the second may be NULL */
    double teacher_share;
} SlbAim;

/* Adds the gradients for the picture of the last forward pass to *grads. Returns the picture's
 * share of the loss. */
double slb_backward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot,
                    const SlbAim *aim, SlbGrads *grads);

/* -- whole batches, for engines that normalize -- */

/* All pictures go through the network together, from one normalization to the next: it needs the
 * statistics of all of them. */
typedef struct SlbBatch {
    SlbSlot **slot; /* [count] */
    int count;
    uint32_t width, height;
    int threads;
} SlbBatch;

/* Mean and variance of every channel of the convolutions with sbn, before the normalization, over a
 * batch of at most `pictures`. */
typedef struct SlbMoments SlbMoments;
SLB_MUST_CHECK SlbStatus slb_moments_create(const SlbEngine *engine, int pictures,
                                            SlbMoments **moments, SlbError *err);
void slb_moments_free(SlbMoments *moments);
/* [O] each; NULL for convolutions without sbn. */
const float *slb_moments_mean(const SlbMoments *moments, int conv);
const float *slb_moments_variance(const SlbMoments *moments, int conv);

/* Added to a variance. */
#define SLB_NORM_EPSILON 1e-5f

/* Runs the batch: `in` has the pictures' inputs one behind the other. With `adopt`, the scale and
 * bias of each normalization become those that undo it: what comes out is the convolution and the
 * bias that was set. */
void slb_batch_forward(const SlbEngine *engine, SlbWeights *weights, const SlbBatch *batch,
                       const float *in, bool adopt, SlbMoments *moments);

/* As slb_backward, for all pictures of the last slb_batch_forward with its moments, their targets
 * one behind the other. The pictures
 * are divided among parts[0 .. part_count - 1] as in p * count / part_count; part 0 has the
 * gradients of the normalizations. */
double slb_batch_backward(const SlbEngine *engine, const SlbWeights *weights, const SlbBatch *batch,
                          const SlbAim *aim, SlbMoments *moments, SlbGrads *const *parts,
                          int part_count);

#endif
