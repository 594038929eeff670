#define LANES 8
#define ROWS 6
#define VECTORS 2
#define SUM_GRAD slb_grad_f32_avx2
#define NAME slb_winograd_avx2
#include "kern/winograd_points.h"

#include "kern/winograd_f32.h"

#include "kern/winograd_tmpl.h"
