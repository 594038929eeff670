/* The two evaluation protocols of the published tables, as data: what goes
 * into a network and what its output is compared with. */
#ifndef SLBSR_IMG_PROTOCOL_H
#define SLBSR_IMG_PROTOCOL_H

#include "img/image.h"

/* The VDSR protocol for one picture: HR cropped to a multiple of the scale, Y rounded to uint8,
 * then bicubic down and up in double. All planes are width * height doubles in 0..255,
 * contiguous; owned; freed by slb_luma_pair_free. */
typedef struct SlbLumaPair {
    uint32_t width, height; /* multiples of the scale */
    double *truth;          /* uint8 values */
    double *bicubic;        /* not rounded, not clipped: the network's input is bicubic / 255 */
} SlbLumaPair;

/* SLB_E_INPUT when the picture is smaller than the scale; SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_luma_pair(const SlbImage *hr, int scale, const char *name,
                                       SlbLumaPair *pair, SlbError *err);
void slb_luma_pair_free(SlbLumaPair *pair);

typedef struct SlbScore {
    double psnr, ssim; /* dB; 0..1 */
} SlbScore;

/* Rounds and clips `plane` (width * height doubles, 0..255) to uint8 values and scores it
 * against pair->truth with `scale` pixels shaved. `want_ssim` false leaves ssim NAN and saves
 * its time. */
SLB_MUST_CHECK SlbStatus slb_luma_score(const SlbLumaPair *pair, const double *plane, int scale,
                                        int want_ssim, SlbScore *score, SlbError *err);

#endif
