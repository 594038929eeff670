#define NAME slb_tensor_avx2
#include "kern/tensor_tmpl.h"
