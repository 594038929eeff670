#define LANES 8
#define INPUTS 6
#define VECTORS 2
#define NAME slb_grad_f32_avx2
#include "kern/conv_grad_f32_tmpl.h"
