#include "infer/builtin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/builtin_table.h"
#include "net/safetensors.h"

const SlbBuiltin *slb_builtins(size_t *count)
{
    *count = 0;
    while (slb_builtin_table[*count].name) ++*count;
    return slb_builtin_table;
}

/* What the model says of itself; 0 when it says nothing. */
static SlbStatus weight_bits(const SlbBuiltin *b, int *bits, SlbError *err)
{
    SlbTensorFile *file;
    SlbStatus s = slb_tensors_parse(b->data, b->bytes, 0, b->name, &file, err);
    if (s != SLB_OK) return s;
    const char *text = slb_tensors_meta(file, "weight_bits");
    *bits = text ? atoi(text) : 0;
    slb_tensors_close(file);
    return SLB_OK;
}

/* "; there are 1 (vdsr-w1), 2 (vdsr-w2)" behind what is missing. */
static void list(char *text, size_t room)
{
    size_t used = 0;
    text[0] = 0;
    for (const SlbBuiltin *b = slb_builtin_table; b->name; b++) {
        int bits = 0;
        if (weight_bits(b, &bits, NULL) != SLB_OK || used >= room) continue;
        int n = snprintf(text + used, room - used, "%s %d (%s)", used ? "," : "; there are", bits,
                         b->name);
        used += n > 0 ? (size_t)n : 0;
    }
}

SlbStatus slb_builtin_by_bits(int bits, SlbModel **model, SlbError *err)
{
    for (const SlbBuiltin *b = slb_builtin_table; b->name; b++) {
        int has;
        SlbStatus s = weight_bits(b, &has, err);
        if (s != SLB_OK) return s;
        if (has == bits) return slb_model_parse(b->data, b->bytes, b->name, NULL, model, err);
    }
    char there[256];
    list(there, sizeof there);
    return slb_fail(err, SLB_E_UNBUILT, "no built-in model has weights of %d bits%s", bits,
                    *there ? there : "; this build has no models: give one with --model FILE");
}

SlbStatus slb_model_open(const char *name_or_path, const SlbGraph *net, SlbModel **model,
                         SlbError *err)
{
    for (const SlbBuiltin *b = slb_builtin_table; b->name; b++)
        if (strcmp(b->name, name_or_path) == 0)
            return slb_model_parse(b->data, b->bytes, b->name, net, model, err);
    return slb_model_load(name_or_path, net, model, err);
}
