/* What a plan is made of: the network as a list of steps, each of which makes one tensor, row by
 * row. Steps are the nodes of the graph in their order, with steps between them where floats become
 * codes. */
#ifndef SLBSR_INFER_PLAN_STEPS_H
#define SLBSR_INFER_PLAN_STEPS_H

#include "infer/plan.h"
#include "kern/conv_f32.h"
#include "kern/conv_u8.h"
#include "kern/conv_xnor.h"
#include "quant/requant.h"

typedef enum StepKind {
    STEP_INPUT,     /* a row of the picture */
    STEP_CONV_F32,  /* full or low weights as floats; all-float plans */
    STEP_EDGE,      /* the same with one fixed order of sums: kern/edge.h */
    STEP_CONV_U8,   /* low weights on codes: kern/conv_u8.h */
    STEP_CONV_XNOR, /* 1-bit weights on signs: kern/conv_xnor.h */
    STEP_ADD,       /* floats plus floats */
    STEP_LRELU,     /* floats */
    STEP_SHUFFLE,   /* floats at a higher resolution */
    STEP_QUANTIZE,  /* floats to the codes that the next step wants */
    STEP_SIGNS,     /* floats to signs */
} StepKind;

typedef enum Element {
    ELEMENT_FLOAT,
    ELEMENT_CODE, /* uint8_t: quant/requant.h */
    ELEMENT_SIGN, /* uint8_t with the bits of eight channels: kern/conv_xnor.h */
} Element;

typedef struct Step {
    StepKind kind;
    int source[2]; /* steps it reads, -1 where there is none */

    /* The tensor it makes. Pixels are its own, smaller or as large as those of the output. */
    int channels;
    Element element;
    size_t stride; /* elements between pixels; those behind the channels are zero, but mean nothing
                      where they are codes */
    SlbCodes code; /* what codes mean */
    int scale;     /* its width and height are those of the input times this */
    int every;     /* rows of the output to one of it, where that is made */
    int halo;      /* pixels beyond those of the output that the steps behind need, on each side */
    int ring;      /* rows that must be kept at a time */
    int shared;    /* the plan's row that it is made in; -1: in a ring */
    int home;      /* the step whose ring it lives in, most often its own */
    int rows;      /* of the ring, when it is its own */
    int chain;     /* steps from this one on that are run together; of the first of them */

    int factor; /* shuffles */

    /* Convolutions. Arrays are owned; bias and multiplier padded to slb_out_padded(channels). */
    int conv; /* its number, -1 for other steps */
    int in_channels, kernel;
    bool relu;
    void *weight; /* as the kernel packs them */
    float *bias;
    int32_t *int_bias;
    float *multiplier;
    float inverse_step; /* of the codes that it writes: STEP_EDGE, STEP_QUANTIZE */
    SlbConvF32Fn run_f32;
    const SlbConvU8Kernel *u8;
    const SlbConvXnorKernel *xnor;
} Step;

struct SlbPlan {
    Step *steps;
    int step_count;
    int channels;    /* of the input and of the output */
    int scale;       /* of the output to the input */
    int lead;        /* rows of the output that the earliest step is ahead of it */
    int radius;      /* pixels of the input that the output reaches beyond its own, on each side */
    int shared_rows; /* at most MAX_SHARED */
    uint64_t weight_bytes;
    SlbPlanOptions options;
};

enum { MAX_SHARED = 4 };

/* Fills in where the rows of all tensors are kept, and which steps are run together; the rest of
 * the plan stands. */
void slb_plan_lay_out(SlbPlan *plan);

static inline size_t step_element_bytes(const Step *step)
{
    return step->element == ELEMENT_FLOAT ? sizeof(float) : sizeof(uint8_t);
}

/* Pixels that the step reads beyond its own, on each side. */
static inline int step_reach(const Step *step)
{
    return step->kernel / 2;
}

#endif
