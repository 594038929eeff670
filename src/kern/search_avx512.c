#define NAME slb_search_avx512
#include "kern/search_tmpl.h"
