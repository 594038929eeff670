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

/* The best of them for a scale (2, 3, 4) whose low layers have weights of `bits` bits (32, 4, 2,
 * 1): of those trained for this scale, or where there is none of those for several scales, the one
 * that gains most dB over bicubic on its validation pictures (net/figures.h); the first by name of
 * equal ones. All by the metadata of the files. SLB_E_UNBUILT, naming those that serve this scale,
 * when there is none. */
SLB_MUST_CHECK SlbStatus slb_builtin_best(int bits, int scale, const SlbBuiltin **best,
                                          SlbError *err);

/* A built-in by name, else the file at that path. `net`: as for slb_model_load. */
SLB_MUST_CHECK SlbStatus slb_model_open(const char *name_or_path, const SlbGraph *net,
                                        SlbModel **model, SlbError *err);

#endif
