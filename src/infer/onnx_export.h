/* A model as an ONNX file, for ONNX Runtime and other programs that read such. */
#ifndef SLBSR_INFER_ONNX_EXPORT_H
#define SLBSR_INFER_ONNX_EXPORT_H

#include <stdbool.h>

#include "net/model.h"

typedef struct SlbOnnxOptions {
    bool use_float;      /* float weights and activations even where the model has codes */
    const char *command; /* the command line that exports it; NULL: none */
    bool overwrite;
} SlbOnnxOptions;

/* Writes `model` to `path`: one input and one output, N x channels x height x width floats, of any
 * N, height and width; what they hold stands in their doc strings and in that of the model.
 * Layers become Conv, Relu, LeakyRelu, Add and DepthToSpace (mode CRD is what shuffle does).
 *
 * Low layers of a model with quantized activations become QuantizeLinear and DequantizeLinear
 * around a Conv whose weights are int8 with a scale per output channel and whose bias is int32:
 * what the integer kernels compute (quant/requant.h). Readers do that in integers (ONNX Runtime
 * makes a QLinearConv of the group) or, when they know no better, in floats of the same values.
 * Where no codes follow, ONNX Runtime convolves the dequantized values, at less than half of the
 * time of ConvInteger; all layers by ConvInteger, the rest spelled out, took three times as long
 * (ONNX Runtime 1.30, VDSR, one thread).
 *
 * The first layer is float, so a few of its values fall on the other side of the border between
 * two codes when sums are taken in another order, and what they reach differs by less than one of
 * 255: tests/onnx.
 *
 * With `use_float`, and for models with float activations: the float weights that the low-bit ones
 * mean. SLB_E_MODEL for more than the 2 GiB of an ONNX file and for steps and scales that
 * slb_requant_create refuses, SLB_E_OUTPUT, SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_export_onnx(const SlbModel *model, const SlbOnnxOptions *options,
                                         const char *path, SlbError *err);

#endif
