#include "infer/builtin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "infer/builtin_table.h"
#include "net/figures.h"
#include "net/safetensors.h"

const SlbBuiltin *slb_builtins(size_t *count)
{
    *count = 0;
    while (slb_builtin_table[*count].name) ++*count;
    return slb_builtin_table;
}

/* What a choice goes by; from the metadata. */
typedef struct Fitness {
    int bits; /* 0: not told */
    SlbServes serves;
    double gain;
} Fitness;

static SlbStatus fitness_of(const SlbBuiltin *b, int scale, Fitness *fitness, SlbError *err)
{
    SlbTensorFile *file;
    SlbStatus s = slb_tensors_parse(b->data, b->bytes, 0, b->name, &file, err);
    if (s != SLB_OK) return s;
    const char *bits = slb_tensors_meta(file, "weight_bits");
    fitness->bits = bits ? atoi(bits) : 0;
    fitness->serves = slb_scales_serve(slb_tensors_meta(file, "scales"), scale);
    fitness->gain = slb_figures_gain(slb_tensors_meta(file, "figures"), scale);
    slb_tensors_close(file);
    return SLB_OK;
}

/* "; there are 1 (vdsr-w1), 2 (vdsr-w2)" behind what is missing. */
static void list(int scale, char *text, size_t room)
{
    size_t used = 0;
    text[0] = 0;
    for (const SlbBuiltin *b = slb_builtin_table; b->name; b++) {
        Fitness f;
        if (fitness_of(b, scale, &f, NULL) != SLB_OK || f.serves == SLB_SERVES_NOT || used >= room)
            continue;
        int n = snprintf(text + used, room - used, "%s %d (%s)", used ? "," : "; there are", f.bits,
                         b->name);
        used += n > 0 ? (size_t)n : 0;
    }
}

static bool better(const Fitness *a, const Fitness *b)
{
    return a->serves != b->serves ? a->serves > b->serves : a->gain > b->gain;
}

SlbStatus slb_builtin_best(int bits, int scale, const SlbBuiltin **best, SlbError *err)
{
    Fitness top = {0};
    *best = NULL;
    for (const SlbBuiltin *b = slb_builtin_table; b->name; b++) {
        Fitness f;
        SlbStatus s = fitness_of(b, scale, &f, err);
        if (s != SLB_OK) return s;
        if (f.bits != bits || f.serves == SLB_SERVES_NOT) continue;
        if (*best && !better(&f, &top)) continue;
        *best = b;
        top = f;
    }
    if (*best) return SLB_OK;
    char there[1024];
    list(scale, there, sizeof there);
    return slb_fail(err, SLB_E_UNBUILT, "no built-in model for scale %d has weights of %d bits%s",
                    scale, bits,
                    *there ? there : "; this build has none: give a model file");
}

SlbStatus slb_model_open(const char *name_or_path, const SlbGraph *net, SlbModel **model,
                         SlbError *err)
{
    for (const SlbBuiltin *b = slb_builtin_table; b->name; b++)
        if (strcmp(b->name, name_or_path) == 0)
            return slb_model_parse(b->data, b->bytes, b->name, net, model, err);
    if (slb_is_bare_name(name_or_path))
        return slb_fail(err, SLB_E_MODEL,
                        "%s: is neither a file nor a built-in model; 'slbsr models' lists those",
                        name_or_path);
    return slb_model_load(name_or_path, net, model, err);
}
