/* Steps of activation codes, from what the activations of a trained network are like. */
#ifndef SLBSR_TRAIN_CALIBRATE_H
#define SLBSR_TRAIN_CALIBRATE_H

#include "train/dataset.h"
#include "train/engine.h"

/* For every low convolution, the step of its input's codes of `act_bits` bits (8, 7, 4, 2 or 1;
 * quant/requant.h: with a sign where the tensor can be below 0) that has the smallest mean squared
 * error over `patches` random patches (of `patch`, whose stream, index and scale do not matter),
 * into step[conv_count] (0 for the others). `engine` is float32. SLB_E_MODEL when inputs are not
 * finite numbers. */
SLB_MUST_CHECK SlbStatus slb_calibrate(const SlbEngine *engine, const SlbGraph *graph,
                                       const SlbWeights *weights, const SlbDataset *dataset,
                                       SlbPatchKey patch, const int *scales, int scale_count,
                                       int patches, int act_bits, float *step, SlbError *err);

#endif
