/* Packed convolutions: unsigned 8-bit codes times small odd integers, as quant/requant.h defines
 * them, for p = 0..pixels-1 and o = 0..out_channels-1:
 *
 *   sum = bias[o] + sum_t sum_i in[t][p * in_stride + i] * weight[o][i][t]    (int32, exact)
 *   codes:  out_u8[p * out_stride + o]  = slb_requant_u8(sum, multiplier[o], code_max)
 *   floats: out_f32[p * out_stride + o] = (float)sum * multiplier[o], with relu at least 0
 *
 * Taps and padding are those of kern/conv_f32.h, but that pixels beyond the border hold the code
 * that means 0. Every kernel gives the same bytes. */
#ifndef SLBSR_KERN_CONV_U8_H
#define SLBSR_KERN_CONV_U8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "kern/conv_f32.h"

typedef struct SlbConvU8 {
    const uint8_t *in[SLB_MAX_TAPS];
    int taps;        /* 9 or 1 */
    int in_channels; /* true ones, at most 1024 */
    /* Bytes between pixels: slb_out_padded(in_channels) or more, so that kernels may read whole
     * blocks. What stands behind in_channels does not matter: its weights are 0. */
    size_t in_stride;
    size_t pixels;
    int out_channels;    /* padded: a multiple of SLB_OUT_BLOCK; the padding is written (zeros) */
    const void *weight;  /* what the kernel's own `pack` made, 64-byte aligned */
    const int32_t *bias; /* [out_channels], 0 behind the true ones, 64-byte aligned */
    const float *multiplier; /* the same */
    uint8_t *out_u8;         /* one of the two is NULL; 16-byte aligned */
    float code_max;          /* largest code written: 255, 127, 15, 3 or 1 */
    float *out_f32;          /* 64-byte aligned */
    size_t out_stride;       /* elements between pixels: out_channels or more, a multiple of 16 */
    bool relu;               /* for floats; codes are never below 0 */
} SlbConvU8;

/* A kernel for one instruction set. To add one: a file conv_u8_ISA.c and a row in conv_u8.c. */
typedef struct SlbConvU8Kernel {
    SlbCpuLevel level; /* lowest that runs it */
    const char *name;  /* "packed c", for people */
    /* Bytes of the weights in the kernel's own layout, for true numbers of channels. */
    size_t (*packed_bytes)(int out_channels, int in_channels, int kernel);
    /* Weights in -15..15 (slb_level_integer), OIHW, to that layout; `packed` is 64-byte aligned. */
    void (*pack)(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed);
    void (*run)(const SlbConvU8 *args);
    bool (*has)(void); /* what it needs beyond its level; NULL: nothing */
    bool narrow;       /* takes 3x3 kernels and codes of at most SLB_NARROW_MOST only */
} SlbConvU8Kernel;

/* The largest code of 7 bits: see kern/conv_u8_narrow.h. */
enum { SLB_NARROW_MOST = 127 };

/* The best kernel for `level` on this machine; never NULL. The second: for 3x3 kernels on codes of
 * at most SLB_NARROW_MOST. */
const SlbConvU8Kernel *slb_conv_u8(SlbCpuLevel level);
const SlbConvU8Kernel *slb_conv_u8_narrow(SlbCpuLevel level);

/* All kernels of this build that the machine can run, one after the other, plain C first: the
 * index-th, NULL behind the last. For tests and benchmarks. */
const SlbConvU8Kernel *slb_conv_u8_at(size_t index);

/* Packed convolution kernels of the instruction sets, for the table in conv_u8.c. */
extern const SlbConvU8Kernel slb_conv_u8_c, slb_conv_u8_sse2, slb_conv_u8_avx2, slb_conv_u8_avx512;
extern const SlbConvU8Kernel slb_conv_u8_amx;
extern const SlbConvU8Kernel slb_conv_u8_narrow_avx2, slb_conv_u8_narrow_avx512;
extern const SlbConvU8Kernel slb_conv_u8_neon, slb_conv_u8_dotprod, slb_conv_u8_i8mm;

#endif
