#define LANES 16
#define INPUTS 6
#define VECTORS 4
#define NAME slb_grad_f32_avx512
#include "kern/conv_grad_f32_tmpl.h"
