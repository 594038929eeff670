#define NAME slb_conv_edge_avx2
#include "kern/edge_tmpl.h"
