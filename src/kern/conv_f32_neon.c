#include "kern/conv_f32_isa.h"

/* 6 x 4 sums of 4 floats: 24 of 32 registers. */
#define LANES 4
#define PIXELS 6
#define VECTORS 4
#define NAME slb_conv_f32_neon
#include "kern/conv_f32_tmpl.h"
