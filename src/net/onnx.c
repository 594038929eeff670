#include "net/onnx.h"

#include <stdbool.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

enum {
    IR_VERSION = 7, /* that of opset 13 */
    MAX_VARINT = 10,
};
#define MAX_BYTES ((size_t)INT32_MAX) /* of a protocol buffer */

/* Wire types. */
enum { VARINT = 0, LENGTH = 2, FIXED32 = 5 };

/* Field numbers of onnx.proto, by message. */
enum { MODEL_IR = 1, MODEL_PRODUCER, MODEL_VERSION, MODEL_DOC = 6, MODEL_GRAPH, MODEL_OPSET };
enum { MODEL_META = 14, META_KEY = 1, META_VALUE, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME, GRAPH_CONSTANT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE };
enum { ATTR_NAME = 1, ATTR_F, ATTR_I, ATTR_S, ATTR_INTS = 8, ATTR_TYPE = 20 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE, TENSOR_NAME = 8, TENSOR_RAW };
enum { VALUE_NAME = 1, VALUE_TYPE, VALUE_DOC, TYPE_TENSOR = 1, TYPE_ELEMENT = 1, TYPE_SHAPE };
enum { SHAPE_DIM = 1, DIM_VALUE = 1, DIM_NAME };

/* Bytes that grow; what no longer fits is dropped and remembered. */
typedef struct Buffer {
    unsigned char *data;
    size_t bytes, room;
    SlbStatus status;
} Buffer;

struct SlbOnnx {
    Buffer graph; /* the fields of GraphProto; their order means nothing */
};

/* -- the wire format -- */

static bool grow(Buffer *b, size_t more)
{
    if (b->status != SLB_OK) return false;
    if (more > MAX_BYTES - b->bytes) {
        b->status = SLB_E_MODEL;
        return false;
    }
    if (b->bytes + more <= b->room) return true;
    size_t room = 2 * (b->bytes + more) + 1024;
    unsigned char *data = slb_alloc(room, 1);
    if (!data) {
        b->status = SLB_E_MEMORY;
        return false;
    }
    if (b->bytes) memcpy(data, b->data, b->bytes);
    slb_free(b->data);
    b->data = data;
    b->room = room;
    return true;
}

static void put(Buffer *b, const void *data, size_t bytes)
{
    if (!bytes || !grow(b, bytes)) return;
    memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
}

/* Seven bits a byte, the least significant first; all but the last have the top bit set. */
static size_t varint(uint64_t value, unsigned char to[MAX_VARINT])
{
    size_t n = 0;
    for (; value > 0x7f; value >>= 7) to[n++] = (unsigned char)(value | 0x80);
    to[n++] = (unsigned char)value;
    return n;
}

static void put_varint(Buffer *b, uint64_t value)
{
    unsigned char bytes[MAX_VARINT];
    put(b, bytes, varint(value, bytes));
}

static void put_key(Buffer *b, int field, int wire)
{
    put_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

static void put_int(Buffer *b, int field, uint64_t value)
{
    put_key(b, field, VARINT);
    put_varint(b, value);
}

static void put_bytes(Buffer *b, int field, const void *data, size_t bytes)
{
    put_key(b, field, LENGTH);
    put_varint(b, bytes);
    put(b, data, bytes);
}

static void put_text(Buffer *b, int field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

/* A message within: put what it holds between the two calls. Its length is only known behind it,
 * and is slipped in front then. */
static size_t open_message(Buffer *b, int field)
{
    put_key(b, field, LENGTH);
    return b->bytes;
}

static void close_message(Buffer *b, size_t begin)
{
    unsigned char length[MAX_VARINT];
    size_t n = varint(b->bytes - begin, length);
    if (!grow(b, n)) return;
    memmove(b->data + begin + n, b->data + begin, b->bytes - begin);
    memcpy(b->data + begin, length, n);
    b->bytes += n;
}

/* -- messages -- */

static void put_attribute(Buffer *b, const SlbOnnxAttribute *a)
{
    size_t begin = open_message(b, NODE_ATTRIBUTE);
    put_text(b, ATTR_NAME, a->name);
    switch (a->kind) {
    case SLB_ONNX_REAL:
        put_key(b, ATTR_F, FIXED32);
        put(b, &a->real, sizeof a->real);
        break;
    case SLB_ONNX_INT: put_int(b, ATTR_I, (uint64_t)a->ints[0]); break;
    case SLB_ONNX_TEXT: put_text(b, ATTR_S, a->text); break;
    case SLB_ONNX_INTS:
        for (int i = 0; i < a->count; i++) put_int(b, ATTR_INTS, (uint64_t)a->ints[i]);
        break;
    }
    put_int(b, ATTR_TYPE, (uint64_t)a->kind);
    close_message(b, begin);
}

SlbOnnx *slb_onnx_create(void)
{
    return slb_calloc(1, sizeof(SlbOnnx));
}

void slb_onnx_free(SlbOnnx *onnx)
{
    if (!onnx) return;
    slb_free(onnx->graph.data);
    slb_free(onnx);
}

void slb_onnx_node(SlbOnnx *onnx, const char *op, const char *const *inputs, const char *output,
                   const SlbOnnxAttribute *attributes)
{
    Buffer *b = &onnx->graph;
    size_t begin = open_message(b, GRAPH_NODE);
    for (; *inputs; inputs++) put_text(b, NODE_INPUT, *inputs);
    put_text(b, NODE_OUTPUT, output);
    put_text(b, NODE_NAME, output);
    put_text(b, NODE_OP, op);
    for (; attributes && attributes->name; attributes++) put_attribute(b, attributes);
    close_message(b, begin);
}

void slb_onnx_constant(SlbOnnx *onnx, const char *name, SlbOnnxType type, const size_t *shape,
                       int dims, const void *data, size_t bytes)
{
    Buffer *b = &onnx->graph;
    size_t begin = open_message(b, GRAPH_CONSTANT);
    for (int d = 0; d < dims; d++) put_int(b, TENSOR_DIMS, shape[d]);
    put_int(b, TENSOR_TYPE, (uint64_t)type);
    put_text(b, TENSOR_NAME, name);
    put_bytes(b, TENSOR_RAW, data, bytes);
    close_message(b, begin);
}

/* One dimension: a number, or with `name` a free one. */
static void put_dim(Buffer *b, int value, const char *name)
{
    size_t begin = open_message(b, SHAPE_DIM);
    if (name)
        put_text(b, DIM_NAME, name);
    else
        put_int(b, DIM_VALUE, (uint64_t)value);
    close_message(b, begin);
}

static void put_value(Buffer *b, int field, const char *name, int channels, const char *height,
                      const char *width, const char *doc)
{
    size_t value = open_message(b, field);
    put_text(b, VALUE_NAME, name);
    size_t type = open_message(b, VALUE_TYPE);
    size_t tensor = open_message(b, TYPE_TENSOR);
    put_int(b, TYPE_ELEMENT, SLB_ONNX_FLOAT);
    size_t shape = open_message(b, TYPE_SHAPE);
    put_dim(b, 0, "batch");
    put_dim(b, channels, NULL);
    put_dim(b, 0, height);
    put_dim(b, 0, width);
    close_message(b, shape);
    close_message(b, tensor);
    close_message(b, type);
    put_text(b, VALUE_DOC, doc);
    close_message(b, value);
}

void slb_onnx_input(SlbOnnx *onnx, const char *name, int channels, const char *height,
                    const char *width, const char *doc)
{
    put_value(&onnx->graph, GRAPH_INPUT, name, channels, height, width, doc);
}

void slb_onnx_output(SlbOnnx *onnx, const char *name, int channels, const char *height,
                     const char *width, const char *doc)
{
    put_value(&onnx->graph, GRAPH_OUTPUT, name, channels, height, width, doc);
}

/* All of ModelProto. The graph, its name included, is complete. */
static void put_model(Buffer *b, const Buffer *graph, const char *doc, const SlbTensorMeta *meta,
                      size_t meta_count)
{
    put_int(b, MODEL_IR, IR_VERSION);
    put_text(b, MODEL_PRODUCER, "slbsr");
    put_text(b, MODEL_VERSION, SLBSR_VERSION);
    put_text(b, MODEL_DOC, doc);
    put_bytes(b, MODEL_GRAPH, graph->data, graph->bytes);
    size_t opset = open_message(b, MODEL_OPSET); /* of the domain "", ONNX's own */
    put_int(b, OPSET_VERSION, SLB_ONNX_OPSET);
    close_message(b, opset);
    for (size_t i = 0; i < meta_count; i++) {
        size_t entry = open_message(b, MODEL_META);
        put_text(b, META_KEY, meta[i].key);
        put_text(b, META_VALUE, meta[i].value);
        close_message(b, entry);
    }
}

static SlbStatus write_file(const Buffer *b, const char *path, bool overwrite, SlbError *err)
{
    SlbOutput out;
    if (b->status == SLB_E_MEMORY) return slb_fail_memory(err, path);
    if (b->status != SLB_OK)
        return slb_fail(err, b->status, "%s: the network has more than the 2 GiB of an ONNX file",
                        path);
    SlbStatus s = slb_output_open(&out, path, overwrite, err);
    if (s != SLB_OK) return s;
    fwrite(b->data, 1, b->bytes, out.file); /* errors show at the commit */
    return slb_output_commit(&out, err);
}

SlbStatus slb_onnx_write(SlbOnnx *onnx, const char *name, const char *doc,
                         const SlbTensorMeta *meta, size_t meta_count, const char *path,
                         bool overwrite, SlbError *err)
{
    Buffer model = {0};
    put_text(&onnx->graph, GRAPH_NAME, name);
    model.status = onnx->graph.status;
    put_model(&model, &onnx->graph, doc, meta, meta_count);
    SlbStatus s = write_file(&model, path, overwrite, err);
    slb_free(model.data);
    return s;
}
