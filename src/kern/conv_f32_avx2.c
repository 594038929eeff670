#include "kern/conv_f32_isa.h"

/* 6 x 2 sums of 8 floats: 12 of 16 registers. */
#define LANES 8
#define PIXELS 6
#define VECTORS 2
#define NAME slb_conv_f32_avx2
#include "kern/conv_f32_tmpl.h"
