/* 3x3 convolutions in float32 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016): a
 * tile of 4x4 outputs d * g from 6x6 inputs takes 36 products for a pair of channels where the
 * direct way takes 144:
 *
 *     y = A^T [ (G g G^T) . (B^T d B) ] A,        dg = G^T [ (A dy A^T) . (B^T d B) ] G
 *
 * "." is element by element; summed over the channels (y), over the tiles (dg), each of its 36
 * points is a product of matrices. The matrices stand in winograd_tmpl.h. Results differ from the
 * direct sums by rounding, about 1e-5 of the largest output. All sums have an order that depends on
 * nothing but the arguments. */
#ifndef SLBSR_KERN_WINOGRAD_H
#define SLBSR_KERN_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

enum { SLB_WINOGRAD_POINTS = 36, SLB_WINOGRAD_SIDE = 4 };

/* Pixels of a picture of width x height: `stride` numbers apart, rows `row` pixels apart. Pixels
 * beyond the picture count as zeros, whatever stands there. */
typedef struct SlbPlane {
    void *pixels; /* floats, or SlbBf16 where the kernels say so */
    size_t stride, row;
    int channels; /* a multiple of 16, at most `stride`; pixels are aligned to 16 numbers */
} SlbPlane;

typedef struct SlbWinograd {
    SlbPlane in, out;
    uint32_t width, height;
    const void *weight; /* what `weights` of the same kernels made, 64-byte aligned */
    const float *bias;  /* [out.channels] or NULL */
    const void *gate;   /* NULL, or pixels as `out` has them: where not > 0 the output is 0 */
    bool relu;
    bool add;      /* to what stands in `out` */
    void *scratch; /* slb_winograd_scratch floats, 64-byte aligned */
} SlbWinograd;

typedef struct SlbWinogradGrad {
    SlbPlane in, delta;
    uint32_t width, height;
    float *grad;   /* [9][in.channels][delta.channels], added to; 64-byte aligned */
    void *scratch; /* slb_winograd_grad_scratch floats, 64-byte aligned */
} SlbWinogradGrad;

typedef struct SlbWinogradKernels {
    void (*conv)(const SlbWinograd *args);
    void (*grad)(const SlbWinogradGrad *args);
    /* G g G^T: from [9][in_channels][out_channels], multiples of 16, aligned, to as many points,
     * for which there is room for [36][in_channels][out_channels] floats. */
    void (*weights)(const float *taps, int in_channels, int out_channels, void *points);
} SlbWinogradKernels;

/* Never NULL. */
const SlbWinogradKernels *slb_winograd(SlbCpuLevel level);
/* With points rounded to bf16 and sums in float32: twice the products in the same time, and results
 * that differ from the direct sums by about 1.3 % (root mean square; the direct way in bf16: 0.25
 * %). NULL where the processor has no AVX512-BF16. */
const SlbWinogradKernels *slb_winograd_mixed(const SlbCpu *cpu);

/* The same on pixels of bf16. */
const SlbWinogradKernels *slb_winograd_half(const SlbCpu *cpu);

size_t slb_winograd_scratch(int in_channels, int out_channels);
size_t slb_winograd_grad_scratch(int in_channels, int out_channels);

/* Tiles that are worked on at a time, of `tile_bytes` each: what they hold stays in the
 * second-level cache. */
size_t slb_winograd_tiles(size_t tile_bytes);

/* The kernels of the instruction sets, for the dispatch. */
extern const SlbWinogradKernels slb_winograd_c, slb_winograd_avx2, slb_winograd_avx512;
extern const SlbWinogradKernels slb_winograd_neon, slb_winograd_avx512bf16,
    slb_winograd_half_avx512bf16;

#endif
