#define LANES 8
#define SUMS 12
#define NAME slb_peak_f32_avx2
#include "kern/peak_f32_tmpl.h"
