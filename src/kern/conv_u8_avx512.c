#define KERNEL slb_conv_u8_avx512
#define LEVEL SLB_CPU_AVX512
#define NAME "packed vnni"
#include "kern/conv_u8_tmpl.h"
