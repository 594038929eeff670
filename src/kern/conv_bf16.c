#include "kern/conv_bf16.h"

void slb_pack_bf16(const float *weight, int taps, int in_channels, int out_channels,
                   SlbBf16 *packed)
{
    for (int t = 0; t < taps; t++)
        for (int i = 0; i < in_channels; i += 2) {
            const float *a = weight + ((size_t)t * in_channels + i) * out_channels;
            for (int o = 0; o < out_channels; o++) {
                *packed++ = slb_to_bf16(a[o]);
                *packed++ = i + 1 < in_channels ? slb_to_bf16(a[out_channels + o]) : 0;
            }
        }
}
