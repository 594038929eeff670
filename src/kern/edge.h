/* The float convolutions of packed plans (the first and the last layer, mostly): their results
 * become codes and pixels that must be the same on every machine, so sums have one fixed order and
 * no fused multiply-add, whatever the instruction set.
 *
 * The order, for one output: 16 partial sums start at 0; for every tap t, then every input
 * channel i, the product is added to partial sum i % 16; these are then added in halves (0 + 8,
 * 1 + 9, ...; then 0 + 4, ...; 0 + 2, 1 + 3; 0 + 1), and the bias last. With one input channel
 * this is the plain sum over the taps. */
#ifndef SLBSR_KERN_EDGE_H
#define SLBSR_KERN_EDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/conv_f32.h"

enum { SLB_EDGE_FEW = 3 };

typedef struct SlbConvEdge {
    const float *in[SLB_MAX_TAPS]; /* as in kern/conv_f32.h */
    int taps;
    int in_channels;
    /* Floats between pixels. Up to SLB_EDGE_FEW input channels any; else
     * slb_out_padded(in_channels) or more, with zeros behind in_channels. */
    size_t in_stride;
    size_t pixels;
    int out_channels;    /* true ones */
    const float *weight; /* slb_pack_edge's layout, 64-byte aligned */
    const float *bias;   /* [slb_out_padded(out_channels)], zeros behind out_channels */
    bool relu;
    float *out_f32;  /* one of the two is NULL */
    uint8_t *out_u8; /* codes: slb_quantize_u8(value, inverse_step, code_max) */
    float inverse_step;
    float code_max; /* largest code written: 255, 127, 15, 3 or 1 */
    /* Elements between pixels: slb_out_padded(out_channels) or more; the padding is written
     * (zeros). */
    size_t out_stride;
} SlbConvEdge;

/* All give the same bytes. */
typedef void (*SlbConvEdgeFn)(const SlbConvEdge *args);
SlbConvEdgeFn slb_conv_edge(SlbCpuLevel level);

void slb_conv_edge_c(const SlbConvEdge *args);
void slb_conv_edge_avx2(const SlbConvEdge *args);
void slb_conv_edge_avx512(const SlbConvEdge *args);

/* Floats of the packed weights, and their making from OIHW. */
size_t slb_edge_floats(int out_channels, int in_channels, int kernel);
void slb_pack_edge(const float *oihw, int out_channels, int in_channels, int kernel, float *packed);

#endif
