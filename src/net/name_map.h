/* What a map of names holds; for foreign.c alone. */
#ifndef SLBSR_NET_NAME_MAP_H
#define SLBSR_NET_NAME_MAP_H

#include "net/foreign.h"

enum { SLB_LEFT_OUT = -2 };

typedef struct MappedName {
    int conv; /* or SLB_LEFT_OUT */
    int line; /* of the map's file */
    char name[SLB_TENSOR_NAME_BYTES];
} MappedName;

struct SlbNameMap {
    MappedName *item;
    size_t count;
};

/* NULL when the map (NULL is allowed) has none for this convolution. */
const MappedName *slb_names_of(const SlbNameMap *map, int conv);

#endif
