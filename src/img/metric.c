#include "img/metric.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

double slb_psnr(const double *a, const double *b, uint32_t width, uint32_t height, uint32_t shave)
{
    if (width <= 2 * (uint64_t)shave || height <= 2 * (uint64_t)shave) return NAN;
    double sum = 0;
    for (uint32_t y = shave; y < height - shave; y++) {
        double row = 0; /* sums by row keep the rounding error small on large pictures */
        for (size_t i = (size_t)y * width + shave; i < (size_t)(y + 1) * width - shave; i++)
            row += (a[i] - b[i]) * (a[i] - b[i]);
        sum += row;
    }
    double count = (double)(width - 2 * shave) * (height - 2 * shave);
    return sum == 0 ? INFINITY : 10 * log10(255.0 * 255.0 * count / sum);
}

enum { WINDOW = 11, MAPS = 5 }; /* maps: a, b, aa, bb, ab */

static void gaussian(double window[WINDOW])
{
    double sum = 0;
    for (int i = 0; i < WINDOW; i++) {
        double d = i - WINDOW / 2;
        window[i] = exp(-d * d / (2 * 1.5 * 1.5));
        sum += window[i];
    }
    for (int i = 0; i < WINDOW; i++) window[i] /= sum;
}

/* Adds one row of the picture, weighted, to the five maps of n columns each. */
static void add_row(double *maps, const double *a, const double *b, double w, size_t n)
{
    double *ma = maps, *mb = maps + n, *maa = maps + 2 * n, *mbb = maps + 3 * n,
           *mab = maps + 4 * n;
    for (size_t i = 0; i < n; i++) ma[i] += w * a[i];
    for (size_t i = 0; i < n; i++) mb[i] += w * b[i];
    for (size_t i = 0; i < n; i++) maa[i] += w * (a[i] * a[i]);
    for (size_t i = 0; i < n; i++) mbb[i] += w * (b[i] * b[i]);
    for (size_t i = 0; i < n; i++) mab[i] += w * (a[i] * b[i]);
}

/* SSIM of one window position from the five maps at column x. */
static double ssim_at(const double *maps, size_t n, size_t x, const double window[WINDOW])
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    double m[MAPS] = {0};
    for (int k = 0; k < MAPS; k++)
        for (int t = 0; t < WINDOW; t++) m[k] += window[t] * maps[(size_t)k * n + x + (size_t)t];
    double ab = m[0] * m[1], aa = m[0] * m[0], bb = m[1] * m[1];
    return (2 * ab + c1) * (2 * (m[4] - ab) + c2) / ((aa + bb + c1) * (m[2] - aa + m[3] - bb + c2));
}

SlbStatus slb_ssim(const double *a, const double *b, uint32_t width, uint32_t height,
                   uint32_t shave, double *ssim, SlbError *err)
{
    *ssim = NAN;
    if (width < 2 * (uint64_t)shave + WINDOW || height < 2 * (uint64_t)shave + WINDOW)
        return SLB_OK;
    size_t n = width - 2 * shave, across = n - WINDOW + 1;
    size_t down = height - 2 * (size_t)shave - WINDOW + 1;
    double *maps = slb_alloc(n, MAPS * sizeof *maps);
    if (!maps) return slb_fail_memory(err, "the windows of SSIM");
    double window[WINDOW], sum = 0;
    gaussian(window);
    for (size_t y = 0; y < down; y++) {
        memset(maps, 0, n * MAPS * sizeof *maps);
        for (size_t t = 0; t < WINDOW; t++) {
            size_t at = (shave + y + t) * width + shave;
            add_row(maps, a + at, b + at, window[t], n);
        }
        double row = 0;
        for (size_t x = 0; x < across; x++) row += ssim_at(maps, n, x, window);
        sum += row;
    }
    slb_free(maps);
    *ssim = sum / ((double)across * (double)down);
    return SLB_OK;
}
