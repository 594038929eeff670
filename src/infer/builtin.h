/* The models inside the program: the files of weights/ as they are. */
#ifndef SLBSR_INFER_BUILTIN_H
#define SLBSR_INFER_BUILTIN_H

#include <stddef.h>

#include "base/status.h"
#include "net/model.h"

typedef struct SlbBuiltin {
    const char *name; /* file name without ".safetensors": "vdsr-w2" */
    const unsigned char *data;
    size_t bytes;
} SlbBuiltin;

/* All of them by name, *count in number. */
const SlbBuiltin *slb_builtins(size_t *count);

/* The first of them whose low layers have weights of `bits` bits (32, 4, 2, 1), as its own metadata
 * says; SLB_E_UNBUILT, naming those there are, when there is none. The caller frees it. */
SLB_MUST_CHECK SlbStatus slb_builtin_by_bits(int bits, SlbModel **model, SlbError *err);

/* A built-in by name, else the file at that path. `net`: as for slb_model_load. */
SLB_MUST_CHECK SlbStatus slb_model_open(const char *name_or_path, const SlbGraph *net,
                                        SlbModel **model, SlbError *err);

#endif
