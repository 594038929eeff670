#define LANES 8
#define ROWS 6
#define VECTORS 2
#define NAME slb_winograd_avx2
#define MULTIPLY_GRAD slb_grad_f32_avx2
#include "kern/winograd_tmpl.h"
