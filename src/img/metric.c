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
    double *ma = maps, *mb = maps + n, *maa = mb + n, *mbb = maa + n, *mab = mbb + n;
    for (size_t i = 0; i < n; i++) {
        ma[i] += w * a[i];
        mb[i] += w * b[i];
        maa[i] += w * (a[i] * a[i]);
        mbb[i] += w * (b[i] * b[i]);
        mab[i] += w * (a[i] * b[i]);
    }
}

/* The horizontal pass over one map: n - WINDOW + 1 columns are left. */
static void filter_row(const double *map, size_t n, const double window[WINDOW], double *out)
{
    size_t across = n - WINDOW + 1;
    memset(out, 0, across * sizeof *out);
    for (size_t t = 0; t < WINDOW; t++)
        for (size_t x = 0; x < across; x++) out[x] += window[t] * map[x + t];
}

/* The sum of SSIM over a row of window positions, from the filtered maps of n columns each. */
static double sum_row(const double *maps, size_t n, size_t across)
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    double sum = 0;
    for (size_t x = 0; x < across; x++) {
        double a = maps[x], b = maps[n + x], ab = a * b, squares = a * a + b * b;
        double variance = maps[2 * n + x] + maps[3 * n + x] - squares;
        double covariance = maps[4 * n + x] - ab;
        sum += (2 * ab + c1) * (2 * covariance + c2) / ((squares + c1) * (variance + c2));
    }
    return sum;
}

SlbStatus slb_ssim(const double *a, const double *b, uint32_t width, uint32_t height,
                   uint32_t shave, double *ssim, SlbError *err)
{
    *ssim = NAN;
    if (width < 2 * (uint64_t)shave + WINDOW || height < 2 * (uint64_t)shave + WINDOW)
        return SLB_OK;
    size_t n = width - 2 * shave, across = n - WINDOW + 1;
    size_t down = height - 2 * (size_t)shave - WINDOW + 1;
    double *maps = slb_alloc(n, 2 * MAPS * sizeof *maps);
    if (!maps) return slb_fail_memory(err, "the windows of SSIM");
    double *filtered = maps + n * MAPS;
    double window[WINDOW], sum = 0;
    gaussian(window);
    for (size_t y = 0; y < down; y++) {
        memset(maps, 0, n * MAPS * sizeof *maps);
        for (size_t t = 0; t < WINDOW; t++) {
            size_t at = (shave + y + t) * width + shave;
            add_row(maps, a + at, b + at, window[t], n);
        }
        for (size_t k = 0; k < MAPS; k++) filter_row(maps + k * n, n, window, filtered + k * n);
        sum += sum_row(filtered, n, across);
    }
    slb_free(maps);
    *ssim = sum / ((double)across * (double)down);
    return SLB_OK;
}
