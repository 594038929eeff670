/* Convolutions in bfloat16 for training: products of bf16 pairs, sums in float32, with AVX512-BF16
 * or AMX. A machine without them trains in float32. Layouts as in conv_f32.h, with uint16_t for a
 * bf16 value. */
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
    const SlbBf16 *weight; /* what the kernels' own `pack` made, 64-byte aligned */
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

typedef struct SlbGradBf16 {
    /* Nine taps, in[3 k + j] is in[3 k] + j pixels and in[t] - in[0] whole pixels, not negative and
     * largest for the last; or one tap. All are in one tensor of finite numbers: what lies between
     * the rows that the taps read may be read too. */
    const SlbBf16 *in[SLB_MAX_TAPS];
    int taps;
    int in_channels; /* a multiple of 16 */
    size_t in_stride;
    const SlbBf16 *delta;
    int out_channels; /* padded: a multiple of SLB_OUT_BLOCK */
    size_t delta_stride;
    size_t pixels; /* the rows read reach 3 pixels beyond the last, as the padding of an image
                      allows */
    float *grad;   /* [taps][in_channels][out_channels], added to; 64-byte aligned */
    void *scratch; /* grad_scratch bytes, 64-byte aligned; what is left in it means nothing */
} SlbGradBf16;

/* in_channels and out_channels at most SLB_GRAD_MAX_CHANNELS. */
enum { SLB_GRAD_MAX_CHANNELS = 576 };

/* The kernels for one instruction set. To add one: a file conv_bf16_ISA.c and a row in
 * conv_bf16.c. Each sums in an order of its own, but one that does not depend on how pixels are
 * divided between calls (conv) or on anything but the arguments (grad). */
typedef struct SlbBf16Kernels {
    const char *name; /* "avx512-bf16", "amx" */
    /* Weights as `conv` takes them: from [taps][in][out] floats, `out` padded, 64-byte aligned.
     * An odd last input channel is paired with zeros. `packed` is 64-byte aligned and holds
     * packed_elements elements. */
    size_t (*packed_elements)(int taps, int in_channels, int out_channels);
    void (*pack)(const float *weight, int taps, int in_channels, int out_channels, SlbBf16 *packed);
    void (*conv)(const SlbConvBf16 *args);
    /* Bytes of scratch that `grad` needs when its last tap is `reach` pixels behind the first. */
    size_t (*grad_scratch)(int in_channels, int out_channels, size_t reach);
    void (*grad)(const SlbGradBf16 *args);
} SlbBf16Kernels;

/* The best for this processor at cpu->level; NULL where it has none (!cpu->bf16). */
const SlbBf16Kernels *slb_bf16_kernels(const SlbCpu *cpu);

/* Kernels of the instruction sets, for conv_bf16.c and for tests. */
extern const SlbBf16Kernels slb_bf16_avx512, slb_bf16_amx;

#endif
