/* Steps of the 8-bit activation codes, from what the activations of a trained network are like. */
#ifndef SLBSR_TRAIN_CALIBRATE_H
#define SLBSR_TRAIN_CALIBRATE_H

#include "train/dataset.h"
#include "train/engine.h"

/* For every low convolution, the step of its unsigned 8-bit input codes with the smallest mean
 * squared error over `patches` random patches (of `patch`, whose stream, index and scale do not
 * matter), into step[conv_count] (0 for the others). `engine` is float32. Negative inputs count as
 * 0, which is what a ReLU has made of them. */
SLB_MUST_CHECK SlbStatus slb_calibrate(const SlbEngine *engine, const SlbGraph *graph,
                                       const SlbWeights *weights, const SlbDataset *dataset,
                                       SlbPatchKey patch, const int *scales, int scale_count,
                                       int patches, float *step, SlbError *err);

#endif
