/* PSNR and SSIM as the published tables have them. */
#ifndef SLBSR_IMG_METRIC_H
#define SLBSR_IMG_METRIC_H

#include <stdint.h>

#include "base/status.h"

/* 10 log10(255^2 / MSE) of two contiguous planes, peak 255, without the outer `shave` pixels on
 * each side. Equal planes give INFINITY; nothing left after the shave gives NAN. */
double slb_psnr(const double *a, const double *b, uint32_t width, uint32_t height, uint32_t shave);

/* Mean SSIM: 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03, peak 255, valid region, after
 * the shave. A region under 11x11 is NAN in *ssim. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_ssim(const double *a, const double *b, uint32_t width, uint32_t height,
                                  uint32_t shave, double *ssim, SlbError *err);

#endif
