/* Convolutions of 1-bit weights and 1-bit activations with a sign, both -1 or +1, by counting bits.
 * They give the same bytes as kern/conv_u8.h does on the codes of such activations
 * (quant/requant.h), for p = 0..pixels-1 and o = 0..out_channels-1:
 *
 *   sum = bias[o] + sum_t sum_i a[t][p][i] * w[o][i][t]    over the taps t inside the picture
 *
 * which then becomes a code or a float. Where a product is -1 or +1, bits are set for +1, and n
 * products, of which d have bits that differ, add up to n - 2 d: the XOR of 64 bits and a
 * count of the ones stand for 64 products.
 *
 * The border. Beyond it activations are 0, which a bit cannot say. Let pixels there have all bits
 * clear, as if every activation were -1: what a tap t outside adds to the count's sum is then
 *
 *   sum_i (-1) * w[o][i][t] = -S[o][t],    S[o][t] = sum_i w[o][i][t]
 *
 * exactly, in whole numbers, whatever the picture is; so a kernel adds S[o][t] for every tap that
 * is outside, and the tap counts for 0. The same argument with n: bits behind in_channels are clear
 * in activations and in weights, never differ, and n counts true channels alone. */
#ifndef SLBSR_KERN_CONV_XNOR_H
#define SLBSR_KERN_CONV_XNOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "kern/conv_f32.h"

/* Bytes of a pixel: bit i % 8 of byte i / 8 is channel i, padded to whole words of 64. */
static inline size_t slb_xnor_bytes(int channels)
{
    return ((size_t)channels + 63) / 64 * 8;
}

typedef struct SlbConvXnor {
    const uint8_t *in[SLB_MAX_TAPS]; /* as in kern/conv_f32.h */
    int taps;                        /* 9 or 1 */
    int in_channels;                 /* true ones, at most 1024 */
    size_t in_stride;                /* bytes between pixels: slb_xnor_bytes(in_channels) or more */
    size_t pixels;
    /* Taps beyond the picture, bit t for tap t: of all pixels; besides of the first and of the
     * last one. */
    unsigned outside, first_outside, last_outside;
    int out_channels;    /* padded: a multiple of SLB_OUT_BLOCK; the padding is written (zeros) */
    const void *weight;  /* slb_xnor_pack's layout, 64-byte aligned */
    const int32_t *bias; /* [out_channels], 64-byte aligned; 0 behind the true ones */
    const float *multiplier; /* the same */
    uint8_t *out_u8;         /* one of the two is NULL */
    float code_max;          /* largest code written: 255, 127, 15, 3 or 1 */
    float *out_f32;          /* 64-byte aligned */
    size_t out_stride;       /* elements between pixels: out_channels or more, a multiple of 16 */
    bool relu;               /* for floats; codes are never below 0 */
} SlbConvXnor;

/* Weights as all kernels want them: S as int32_t [taps][padded out]; then bits, for every block of
 * SLB_OUT_BLOCK outputs, 4 bytes (32 channels) at a time: [taps][in / 32][SLB_OUT_BLOCK][4]. */
size_t slb_xnor_packed_bytes(int out_channels, int in_channels, int kernel);

/* From OIHW weights of -1 and +1; `packed` is 64-byte aligned. */
void slb_xnor_pack(const int8_t *oihw, int out_channels, int in_channels, int kernel, void *packed);

/* A kernel for one instruction set. To add one: a file conv_xnor_ISA.c and a row in conv_xnor.c. */
typedef struct SlbConvXnorKernel {
    SlbCpuLevel level; /* lowest that runs it */
    const char *name;  /* "xnor c", for people */
    void (*run)(const SlbConvXnor *args);
    bool (*has)(void); /* what it needs beyond its level; NULL: nothing */
} SlbConvXnorKernel;

/* The best kernel for `level` on this machine; never NULL. */
const SlbConvXnorKernel *slb_conv_xnor(SlbCpuLevel level);

/* All kernels of this build that the machine can run, one after the other, plain C first: the
 * index-th, NULL behind the last. For tests and benchmarks. */
const SlbConvXnorKernel *slb_conv_xnor_at(size_t index);

/* Whether a low layer of such bits is to be run by slb_conv_xnor(level), else by
 * slb_conv_u8(level). `sign`: its activations have one. */
bool slb_xnor_serves(SlbCpuLevel level, int weight_bits, int act_bits, bool sign);

/* Kernels of the instruction sets, for the table in conv_xnor.c. */
void slb_conv_xnor_c(const SlbConvXnor *args);
void slb_conv_xnor_avx2(const SlbConvXnor *args);
void slb_conv_xnor_vpopcnt(const SlbConvXnor *args);
void slb_conv_xnor_neon(const SlbConvXnor *args);

#endif
