#define KERNEL slb_conv_u8_c
#define LEVEL SLB_CPU_C
#define NAME "packed c"
#include "kern/conv_u8_tmpl.h"
