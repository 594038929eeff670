/* Winograd's convolution of bf16 pixels, with points rounded to bf16. */
#define LANES 16
#define HALF_PIXELS
#define NAME slb_winograd_half_avx512bf16
#include "kern/winograd_points.h"

#include "kern/winograd_bf16.h"

#include "kern/winograd_tmpl.h"
