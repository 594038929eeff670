#define LANES 16
#define ROWS 6
#define VECTORS 4
#define NAME slb_winograd_avx512
#define MULTIPLY_GRAD slb_grad_f32_avx512
#include "kern/winograd_tmpl.h"
