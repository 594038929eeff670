#define NAME slb_search_avx2
#include "kern/search_tmpl.h"
