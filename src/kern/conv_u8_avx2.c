#define KERNEL slb_conv_u8_avx2
#define LEVEL SLB_CPU_AVX2
#define NAME "packed avx2"
#include "kern/conv_u8_tmpl.h"
