#define LANES 4
#define ROWS 6
#define VECTORS 4
#define NAME slb_winograd_neon
#define MULTIPLY_GRAD slb_grad_f32_neon
#include "kern/winograd_tmpl.h"
