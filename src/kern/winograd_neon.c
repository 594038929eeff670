#define LANES 4
#define ROWS 6
#define VECTORS 4
#define SUM_GRAD slb_grad_f32_neon
#define NAME slb_winograd_neon
#include "kern/winograd_points.h"

#include "kern/winograd_f32.h"

#include "kern/winograd_tmpl.h"
