#define NAME slb_tensor_avx512
#include "kern/tensor_tmpl.h"
