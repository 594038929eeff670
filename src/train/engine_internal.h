/* What the files engine*.c share. */
#ifndef SLBSR_TRAIN_ENGINE_INTERNAL_H
#define SLBSR_TRAIN_ENGINE_INTERNAL_H

#include "kern/conv_bf16.h"
#include "kern/conv_f32.h"
#include "kern/conv_grad.h"
#include "kern/tensor.h"
#include "kern/winograd.h"
#include "train/engine.h"

/* Nodes that an engine has besides those of the network's text. */
enum {
    OP_QUANTIZE = SLB_OPS, /* the values of the codes that convolution `conv` reads */
    OP_NORMALIZE,          /* what comes out of convolution `conv`, normalized, and its ReLU */
};
enum { ENGINE_MAX_NODES = 3 * SLB_MAX_NODES };

/* How a node's tensor is kept. */
typedef struct Kept {
    bool half;       /* SlbBf16, else float */
    int scale;       /* its width and height are the picture's times this */
    size_t stride;   /* channels as stored */
    int buffer;      /* index of the forward buffer it lives in */
    int grad;        /* index of the gradient buffer, -1 where no gradient is wanted */
    bool gate_fused; /* its only reader multiplies by the ReLU's derivative */
} Kept;

struct SlbEngine {
    SlbGraph *graph; /* owned: the network's with the nodes above; no text */
    SlbEngineForm form;
    SlbConvF32Fn conv;
    SlbGradF32Fn grad;
    const SlbWinogradKernels *winograd; /* NULL: the direct way is faster */
    const SlbBf16Kernels *half;         /* NULL in float32 */
    const SlbTensorOps *ops;
    Kept *kept;    /* [node_count], for training: every node its own buffer */
    Kept *passing; /* the same for forward-only slots: buffers are shared */
    int passing_buffers, grad_buffers;
    const SlbNode **conv_node; /* [conv_count] */
};

/* Weights of one convolution. in: channels of its input; rows: those that the forward form has, the
 * padded ones in Winograd's; out: padded channels of its output.
 * Backward forms have the taps turned round and in and out exchanged. */
typedef struct ConvWeights {
    bool winograd; /* `forward` and `backward` are those of kern/winograd.h */
    int taps, in, rows, out;
    int back_in, back_out; /* channels of the backward-data convolution as it runs: dy to dx */
    float *forward;        /* slb_pack_f32 or Winograd's; NULL where the bf16 form serves */
    float *backward;       /* [taps][back_in][back_out] */
    SlbBf16 *forward_half, *backward_half;
    float *bias;            /* [out] */
    float *scratch;         /* room for either form in floats */
    SlbQuantizer quantizer; /* of its input; step 0: none */
    float *gamma, *beta;    /* [channels], NULL where it is not normalized */
} ConvWeights;

struct SlbWeights {
    int count;
    ConvWeights *conv;
};

struct SlbGrads {
    int count;
    size_t *weight_at, *bias_at; /* where a convolution's gradients begin in data */
    size_t *step_at, *gamma_at;  /* the same of its step and scale; SIZE_MAX: it has none */
    float *data;
    size_t size;
    void (*done)(void *user, int conv); /* slb_grads_watch */
    void *user;
};

struct SlbSlot {
    bool backward;
    uint32_t width, height;         /* of the picture in it */
    unsigned char **buffer;         /* [nodes or passing_buffers] forward tensors */
    unsigned char **grad;           /* [grad_buffers] */
    unsigned char *scratch;         /* one float tensor of the widest layer, or what kernels want */
    bool written[ENGINE_MAX_NODES]; /* backward: something is in the node's gradient */
};

/* Two sums by channel. */
typedef struct Sums {
    double first[SLB_MAX_CHANNELS], second[SLB_MAX_CHANNELS];
} Sums;

struct SlbMoments {
    int count;
    float **mean, **variance; /* [count][channels] */
    Sums *sums;               /* by picture; then of all in the first */
    double *loss;             /* by picture */
};

/* The flat geometry of a tensor: pixels of a row and of the whole (zero columns included), and
 * those before the first and behind the last. */
static inline size_t flat_row(const SlbSlot *slot, const Kept *kept)
{
    return (size_t)slot->width * (size_t)kept->scale + 1;
}
static inline size_t flat_pixels(const SlbSlot *slot, const Kept *kept)
{
    return flat_row(slot, kept) * slot->height * (size_t)kept->scale;
}
static inline size_t flat_margin(size_t row)
{
    /* row + 1 are read by a 3x3 window, up to 2 more by pairs of pixels; even, so that the first
     * pixel is aligned to 64 bytes for 16 channels of bf16 and more. */
    return (row + 4) / 2 * 2;
}
/* Elements of the whole. */
static inline size_t flat_count(const SlbSlot *slot, const Kept *kept)
{
    return flat_pixels(slot, kept) * kept->stride;
}

static inline const Kept *kept_of(const SlbEngine *engine, const SlbSlot *slot, int node)
{
    return slot->backward ? &engine->kept[node] : &engine->passing[node];
}

static inline size_t element_bytes(const Kept *kept)
{
    return kept->half ? sizeof(SlbBf16) : sizeof(float);
}

/* Address of the first pixel of the picture. */
static inline unsigned char *pixels_in(const SlbSlot *slot, unsigned char *buffer, const Kept *kept)
{
    return buffer + flat_margin(flat_row(slot, kept)) * kept->stride * element_bytes(kept);
}
static inline void *tensor(const SlbEngine *engine, const SlbSlot *slot, int node)
{
    const Kept *kept = kept_of(engine, slot, node);
    return pixels_in(slot, slot->buffer[kept->buffer], kept);
}

/* Convolutions that Winograd's way serves: 3x3 on a tensor that a kernel has padded; its tensors
 * are both of the kind that the kernels are for. */
static inline bool is_winograd(const SlbEngine *engine, const SlbNode *node)
{
    const SlbNode *nodes = engine->graph->nodes;
    if (!engine->winograd || node->kernel != 3 || nodes[node->source[0]].op == SLB_OP_INPUT)
        return false;
    bool half = engine->form.precision == SLB_BFLOAT16;
    return engine->kept[node->source[0]].half == half && engine->kept[node - nodes].half == half;
}
/* The graph that an engine runs, owned by the caller; NULL when memory is out. */
SlbGraph *slb_engine_graph(const SlbGraph *graph, const SlbEngineForm *form);

/* Writes zeros to the margins and to the zero column of a tensor. */
void slb_zero_border(const SlbSlot *slot, void *pixels, const Kept *kept);

/* Parts of the sweeps over the nodes of one picture: puts its input in place, runs the nodes
 * from..to-1; begins the backward sweep with the gradient of the output (its share of the loss is
 * returned), runs the nodes from to - 1 down to `from`, which hold no normalization. */
void slb_sweep_input(const SlbEngine *engine, SlbSlot *slot, const float *in, uint32_t width,
                     uint32_t height);
void slb_sweep_forward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot, int from,
                       int to);
double slb_sweep_loss(const SlbEngine *engine, SlbSlot *slot, const SlbAim *aim);
void slb_sweep_backward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot, int from,
                        int to, SlbGrads *grads);
/* Multiplies the gradient of a node by the derivative of (leaky) ReLU, known from its sign. */
void slb_close_gate(const SlbEngine *engine, SlbSlot *slot, int node, float slope);

/* One convolution node: output from its source; gradient of its source (added when `add`);
 * gradients of its weights. */
void slb_conv_node_forward(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot,
                           int node);
void slb_conv_node_backward_data(const SlbEngine *engine, const SlbWeights *weights, SlbSlot *slot,
                                 int node, bool add);
void slb_conv_node_backward_weights(const SlbEngine *engine, SlbSlot *slot, int node,
                                    SlbGrads *grads);

/* Shape of the gradient tensor of a node: as kept, but bf16 wherever the engine computes in bf16.
 */
static inline Kept grad_kept(const SlbEngine *engine, int node)
{
    Kept k = engine->kept[node];
    if (engine->form.precision == SLB_BFLOAT16) k.half = true;
    return k;
}
static inline void *grad_tensor(const SlbEngine *engine, const SlbSlot *slot, int node)
{
    Kept k = grad_kept(engine, node);
    return pixels_in(slot, slot->grad[k.grad], &k);
}

#endif
