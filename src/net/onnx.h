/* ONNX files, written only: the handful of messages of onnx.proto (IR version 7) that a network of
 * convolutions needs, in the wire format of protocol buffers. An operator or an attribute that is
 * not among them costs a line here.
 *
 * A file is put together by calls in any order and then written. Calls that run out of memory or
 * past 2 GiB, which is all that a protocol buffer can hold, show in slb_onnx_write. */
#ifndef SLBSR_NET_ONNX_H
#define SLBSR_NET_ONNX_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "net/safetensors.h" /* SlbTensorMeta */

enum { SLB_ONNX_OPSET = 13 }; /* the first whose DequantizeLinear has a scale per channel */

/* TensorProto.DataType */
typedef enum SlbOnnxType {
    SLB_ONNX_FLOAT = 1,
    SLB_ONNX_UINT8 = 2,
    SLB_ONNX_INT8 = 3,
    SLB_ONNX_INT32 = 6,
} SlbOnnxType;

/* AttributeProto.AttributeType */
typedef enum SlbOnnxKind {
    SLB_ONNX_REAL = 1,
    SLB_ONNX_INT = 2,
    SLB_ONNX_TEXT = 3,
    SLB_ONNX_INTS = 7,
} SlbOnnxKind;

/* One attribute of a node, with the value that its kind has. */
typedef struct SlbOnnxAttribute {
    const char *name; /* NULL ends a list */
    SlbOnnxKind kind;
    float real;
    const char *text;
    int ints[4]; /* SLB_ONNX_INT: the first of them */
    int count;   /* SLB_ONNX_INTS: how many */
} SlbOnnxAttribute;

typedef struct SlbOnnx SlbOnnx;

/* NULL when memory is out. The caller frees it. */
SLB_MUST_CHECK SlbOnnx *slb_onnx_create(void);
void slb_onnx_free(SlbOnnx *onnx); /* NULL is allowed */

/* A node of operator `op` with one output, called as that is. `inputs` ends with NULL; `attributes`
 * may be NULL. */
void slb_onnx_node(SlbOnnx *onnx, const char *op, const char *const *inputs, const char *output,
                   const SlbOnnxAttribute *attributes);

/* A constant: `dims` dimensions (0: a scalar) and `bytes` bytes of elements, little-endian. */
void slb_onnx_constant(SlbOnnx *onnx, const char *name, SlbOnnxType type, const size_t *shape,
                       int dims, const void *data, size_t bytes);

/* A float input or output of the graph, N x channels x height x width: the other three are free,
 * `height` and `width` what they are called ("height", "2*height"). `doc` says what it holds. */
void slb_onnx_input(SlbOnnx *onnx, const char *name, int channels, const char *height,
                    const char *width, const char *doc);
void slb_onnx_output(SlbOnnx *onnx, const char *name, int channels, const char *height,
                     const char *width, const char *doc);

/* Writes the file (base/io.h: whole or not at all). `name` is that of the graph, `doc` what
 * a person should know of the model. SLB_E_MEMORY, SLB_E_MODEL (more than 2 GiB), SLB_E_OUTPUT. */
SLB_MUST_CHECK SlbStatus slb_onnx_write(SlbOnnx *onnx, const char *name, const char *doc,
                                        const SlbTensorMeta *meta, size_t meta_count,
                                        const char *path, bool overwrite, SlbError *err);

#endif
