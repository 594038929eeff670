#include "img/color.h"

#include <math.h>

/* One sample in 0..255. The conditions are the same for a whole picture, so they cost nothing. */
static double sample(const unsigned char *row, size_t i, int depth)
{
    return depth == 8 ? row[i] : ((const uint16_t *)(const void *)row)[i] / 257.0;
}

static double luma_at(const SlbImage *image, const unsigned char *row, uint32_t x)
{
    int channels = image->info.channels, depth = image->info.depth;
    size_t i = (size_t)x * (size_t)channels;
    if (channels < 3) return sample(row, i, depth);
    double r = sample(row, i, depth), g = sample(row, i + 1, depth), b = sample(row, i + 2, depth);
    return 16.0 + (65.481 * r + 128.553 * g + 24.966 * b) / 255.0;
}

void slb_luma(const SlbImage *image, double *y)
{
    for (uint32_t row = 0; row < image->info.height; row++) {
        const unsigned char *in = image->data + row * image->stride_bytes;
        for (uint32_t x = 0; x < image->info.width; x++) *y++ = luma_at(image, in, x);
    }
}

void slb_luma_u8(const SlbImage *image, uint8_t *y)
{
    for (uint32_t row = 0; row < image->info.height; row++) {
        const unsigned char *in = image->data + row * image->stride_bytes;
        for (uint32_t x = 0; x < image->info.width; x++)
            *y++ = (uint8_t)floor(luma_at(image, in, x) + 0.5);
    }
}

void slb_rgb_to_ycbcr(double r, double g, double b, double ycbcr[3])
{
    ycbcr[0] = 16.0 + (65.481 * r + 128.553 * g + 24.966 * b) / 255.0;
    ycbcr[1] = 128.0 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255.0;
    ycbcr[2] = 128.0 + (112.0 * r - 93.786 * g - 18.214 * b) / 255.0;
}

/* The inverse follows from the forward matrix by Cramer's rule instead of being a second table
 * of rounded figures: a round trip is then exact to a few units of the last place of a double. */
void slb_ycbcr_to_rgb(const double ycbcr[3], double rgb[3])
{
    static const double m[3][3] = {
        {65.481, 128.553, 24.966}, {-37.797, -74.203, 112.0}, {112.0, -93.786, -18.214}};
    double c[3][3]; /* cofactors */
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            int i1 = (i + 1) % 3, i2 = (i + 2) % 3, j1 = (j + 1) % 3, j2 = (j + 2) % 3;
            c[i][j] = m[i1][j1] * m[i2][j2] - m[i1][j2] * m[i2][j1];
        }
    double det = m[0][0] * c[0][0] + m[0][1] * c[0][1] + m[0][2] * c[0][2];
    double y = ycbcr[0] - 16.0, cb = ycbcr[1] - 128.0, cr = ycbcr[2] - 128.0;
    for (int j = 0; j < 3; j++) rgb[j] = 255.0 * (c[0][j] * y + c[1][j] * cb + c[2][j] * cr) / det;
}
