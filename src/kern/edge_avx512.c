#define NAME slb_conv_edge_avx512
#include "kern/edge_tmpl.h"
