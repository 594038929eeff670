/* Networks as text (nets/README.md has the grammar) and as a list of nodes in the order of
 * execution. To add a layer type: one row in the table of graph.c. */
#ifndef SLBSR_NET_GRAPH_H
#define SLBSR_NET_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* `name` and `from` make no node: they say what a line's tensor is called and what the next line
 * takes. */
typedef enum SlbOp {
    SLB_OP_INPUT, /* input y bicubic: one channel, Y / 255, already at output resolution;
                     input y, input rgb: one or three channels / 255, at the picture's own */
    SLB_OP_CONV,  /* conv CHANNELS KxK full|low [norm [sbn]] [relu]: zero padding, stride 1, K is 1
                     or 3 */
    SLB_OP_ADD,   /* add NAME: the sum of the current and a named tensor of the same shape */
    SLB_OP_LRELU, /* lrelu: x where x > 0, else SLB_LRELU_SLOPE * x */
    SLB_OP_SHUFFLE, /* shuffle R: channel c R^2 + i R + j of pixel (x, y) becomes channel c of pixel
                       (R x + j, R y + i): sub-pixel upsampling (Shi et al. 2016) */
    SLB_OPS,
} SlbOp;

/* One tensor and how it comes about. Node 0 is the input, the last node the output. */
typedef struct SlbNode {
    SlbOp op;
    int source[2]; /* nodes it reads, -1 where there is none; always smaller than its own index */
    int channels;  /* of its output */
    int scale;     /* its width and height are those of the input times this */
    int kernel;    /* conv: 1 or 3 */
    bool low;      /* conv: its weights are the searched, low-bit ones */
    bool norm;     /* conv: learned scale per output channel behind low-bit weights */
    bool sbn;      /* conv: trained with (state) batch normalization, which is part of its scale and
                      bias in a model */
    bool relu;     /* conv: followed by max(0, x) */
    int factor;    /* shuffle: R */
    bool positive; /* known never to be below 0: codes of it need no sign */
    int conv; /* conv: its number among the convolutions, from 0: conv00, conv01, ...; else -1 */
    int consumers; /* nodes that read it */
    int radius;    /* pixels of the input that reach beyond it on each side, at most: the receptive
                      field up to here; layers behind a shuffle count as if before it */
} SlbNode;

typedef struct SlbGraph {
    SlbNode *nodes;
    int node_count;
    int conv_count;
    bool enlarged; /* the input is enlarged bicubically to the output's size first; scale is 1 */
    int scale;     /* of the output to the input: 2, 3 or 4 unless enlarged */
    char *text;    /* the source, zero-terminated: goes into the model file */
} SlbGraph;

enum {
    SLB_MAX_NODES = 1024,    /* after repeats are unrolled */
    SLB_MAX_CHANNELS = 1024, /* of a tensor */
    SLB_MAX_WEIGHTS = 1 << 28, /* of all convolutions together */
    SLB_MAX_SCALE = 4,
    SLB_MAX_NET_BYTES = 1 << 16,
};

/* Of leaky ReLU, for values below 0. */
#define SLB_LRELU_SLOPE 0.1f

/* Parses `bytes` bytes of text; `name` is what messages call it (a file name). SLB_E_MODEL with the
 * line's number when the text is wrong. On success the caller frees *graph. */
SLB_MUST_CHECK SlbStatus slb_graph_parse(const char *text, size_t bytes, const char *name,
                                         SlbGraph **graph, SlbError *err);

/* A network by name ("vdsr": one that is built in) or by the path of a .net file. */
SLB_MUST_CHECK SlbStatus slb_graph_open(const char *name_or_path, SlbGraph **graph, SlbError *err);

void slb_graph_free(SlbGraph *graph); /* NULL is allowed */

/* Pixels of the input that the output sees to each side: 20 for VDSR. */
static inline int slb_graph_radius(const SlbGraph *graph)
{
    return graph->nodes[graph->node_count - 1].radius;
}

#endif
