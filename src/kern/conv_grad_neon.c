#define LANES 4
#define INPUTS 6
#define VECTORS 4
#define NAME slb_grad_f32_neon
#include "kern/conv_grad_f32_tmpl.h"
