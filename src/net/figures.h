/* What a model's files say of how good it is: SlbModel.figures and .scales, read and written by the
 * program. */
#ifndef SLBSR_NET_FIGURES_H
#define SLBSR_NET_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

/* Mean PSNR on the validation pictures, dB. */
typedef struct SlbFigure {
    double psnr;
    double bicubic; /* of the same pictures, enlarged bicubically; NAN when it is not told */
} SlbFigure;

/* Looks for "xSCALE PSNR dB", and "(bicubic PSNR" behind it, in the text of SlbModel.figures
 * (weights/README.md; NULL is allowed). False, *figure untouched, when there is none for this
 * scale. */
bool slb_figures_find(const char *figures, int scale, SlbFigure *figure);

/* How much better than bicubic, in dB: what models that were validated on different pictures can
 * be compared by. 0 when that is not told for this scale. */
double slb_figures_gain(const char *figures, int scale);

/* The text for SlbModel.figures: of `count` scales, with psnr[i] and bicubic[i] in dB. */
void slb_figures_write(const int *scales, int count, const double *psnr, const double *bicubic,
                       char *text, size_t bytes);

/* How a model with this text for SlbModel.scales (NULL is allowed) serves a scale. */
typedef enum SlbServes {
    SLB_SERVES_NOT,     /* made for one other scale alone */
    SLB_SERVES_UNTOLD,  /* for several scales, but not this one; or nothing is told */
    SLB_SERVES_TRAINED, /* trained for this one */
} SlbServes;

SlbServes slb_scales_serve(const char *scales, int scale);

#endif
