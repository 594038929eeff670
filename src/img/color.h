/* Colour as the evaluation protocol has it: MATLAB's rgb2ycbcr (BT.601, studio range), not
 * JPEG's. */
#ifndef SLBSR_IMG_COLOR_H
#define SLBSR_IMG_COLOR_H

#include "img/image.h"

/* Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255, R, G, B in 0..255 (16-bit samples are
 * divided by 257 first): 16..235. `y` has width * height doubles. Grey pictures: the samples are
 * Y already (0..255). Alpha is ignored. */
void slb_luma(const SlbImage *image, double *y);

/* slb_luma rounded to the nearest integer, as rgb2ycbcr gives for uint8 images. */
void slb_luma_u8(const SlbImage *image, uint8_t *y);

/* Cb and Cr of the same standard for one RGB pixel, and back. Full scale of R, G, B:
 * 255. Y in 16..235, Cb and Cr in 16..240 with 128 neutral; nothing is rounded or clipped. */
void slb_rgb_to_ycbcr(double r, double g, double b, double ycbcr[3]);
void slb_ycbcr_to_rgb(const double ycbcr[3], double rgb[3]);

#endif
