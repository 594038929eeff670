/* Convolutions in bfloat16 for training: products of bf16 pairs, sums in float32 (AVX512-BF16). A
 * machine without it trains in float32. Layouts as in conv_f32.h, with uint16_t for a bf16 value.
 */
#ifndef SLBSR_KERN_CONV_BF16_H
#define SLBSR_KERN_CONV_BF16_H

#include <stdint.h>

#include "kern/conv_f32.h"

typedef uint16_t SlbBf16;

typedef struct SlbConvBf16 {
    const SlbBf16 *in[SLB_MAX_TAPS];
    int taps;
    int in_channels;  /* even */
    size_t in_stride; /* elements, even */
    void *out;        /* SlbBf16, or float with out_float; 64-byte aligned */
    int out_channels; /* padded: a multiple of SLB_OUT_BLOCK */
    size_t out_stride;
    size_t pixels;
    const SlbBf16 *weight; /* slb_pack_bf16's layout */
    const float *bias;     /* [out_channels] or NULL */
    const SlbBf16 *gate;   /* NULL, or [pixels] of gate_stride: outputs are 0 where it is not > 0 */
    size_t gate_stride;
    bool relu;
    bool out_float;
} SlbConvBf16;

/* Rounds float32 to bf16, to nearest even. NaN stays NaN. */
static inline SlbBf16 slb_to_bf16(float value)
{
    union {
        float f;
        uint32_t u;
    } x = {value};
    if ((x.u & 0x7fffffff) > 0x7f800000) return 0x7fc0;
    return (SlbBf16)((x.u + 0x7fff + ((x.u >> 16) & 1)) >> 16);
}

static inline float slb_from_bf16(SlbBf16 value)
{
    union {
        uint32_t u;
        float f;
    } x = {(uint32_t)value << 16};
    return x.f;
}

/* Both need slb_cpu_detect's bf16. */
void slb_conv_bf16(const SlbConvBf16 *args);

typedef struct SlbGradBf16 {
    const SlbBf16 *in[SLB_MAX_TAPS]; /* nine taps: in[3 k + j] is in[3 k] + j pixels; or one */
    int taps;
    int in_channels; /* a multiple of 16 */
    size_t in_stride;
    const SlbBf16 *delta;
    int out_channels; /* padded: a multiple of SLB_OUT_BLOCK */
    size_t delta_stride;
    size_t pixels; /* the rows read reach 3 pixels beyond the last, as the padding of an image
                      allows */
    float *grad;   /* [taps][in_channels][out_channels], added to */
} SlbGradBf16;

/* in_channels and out_channels at most SLB_GRAD_MAX_CHANNELS. */
enum { SLB_GRAD_MAX_CHANNELS = 256 };
void slb_grad_bf16(const SlbGradBf16 *args);

/* [taps][in][out] floats to [taps][ceil(in / 2)][out][2] bf16 (pairs of input channels); an odd
 * last channel is paired with zeros. `out` is padded already. */
void slb_pack_bf16(const float *weight, int taps, int in_channels, int out_channels,
                   SlbBf16 *packed);

#endif
