#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/safetensors.h"

enum { FIELDS = 4, TENSORS = SLB_PARAMS * FIELDS + 1 /* of a layer, at most */ };
static const char *const param_names[SLB_PARAMS] = {"weight", "scale", "bias", "gamma", "step"};
static const char *const field_names[FIELDS] = {"value", "moment1", "moment2", "average"};

static float *field(const SlbParam *param, int f)
{
    float *const all[FIELDS] = {param->value, param->moment1, param->moment2, param->average};
    return all[f];
}

/* Describes all non-empty parameters as tensors; returns their number. */
static size_t describe(const SlbTrainState *state, SlbTensor *tensors)
{
    size_t n = 0;
    for (int l = 0; l < state->count; l++) {
        const SlbLayer *layer = &state->layer[l];
        for (int i = 0; i < SLB_PARAMS; i++)
            for (int f = 0; f < FIELDS; f++) {
                const SlbParam *p = &layer->param[i];
                if (!p->size || !field(p, f)) continue;
                SlbTensor *t = &tensors[n++];
                *t = (SlbTensor){.dtype = SLB_F32,
                                 .dims = 1,
                                 .shape = {p->size},
                                 .bytes = p->size * sizeof(float),
                                 .data = field(p, f)};
                snprintf(t->name, sizeof t->name, "conv%02d.%s.%s", l, param_names[i],
                         field_names[f]);
            }
        if (!layer->moments[0]) continue;
        size_t moments = 4 * (size_t)layer->out_channels;
        tensors[n] = (SlbTensor){.dtype = SLB_F32,
                                 .dims = 1,
                                 .shape = {moments},
                                 .bytes = moments * sizeof(float),
                                 .data = layer->moments[0]};
        snprintf(tensors[n++].name, sizeof tensors->name, "conv%02d.moments", l);
    }
    return n;
}

SlbStatus slb_checkpoint_save(const char *path, const char *recipe, const SlbTrainState *state,
                              SlbError *err)
{
    SlbTensor *tensors = slb_calloc((size_t)state->count * TENSORS, sizeof *tensors);
    if (!tensors) return slb_fail_memory(err, path);
    char numbers[128];
    snprintf(numbers, sizeof numbers, "%ld %.17g %.17g %.17g", state->step, state->rate_factor,
             state->usual_loss, state->usual_baseline);
    const SlbTensorMeta meta[] = {
        {"format", "slbsr checkpoint 1"}, {"state", numbers}, {"recipe", recipe}};
    size_t n = describe(state, tensors);
    SlbStatus s = slb_tensors_write(path, tensors, n, meta, sizeof meta / sizeof *meta, true, err);
    slb_free(tensors);
    return s;
}

static SlbStatus restore(const SlbTensorFile *file, const char *path, SlbTensor *tensors, size_t n,
                         SlbError *err)
{
    if (slb_tensors_count(file) != n)
        return slb_fail(err, SLB_E_MODEL, "%s: not a checkpoint of this network", path);
    for (size_t i = 0; i < n; i++) {
        const SlbTensor *t = slb_tensors_find(file, tensors[i].name);
        if (!t || t->dtype != SLB_F32 || t->bytes != tensors[i].bytes)
            return slb_fail(err, SLB_E_MODEL, "%s: tensor %s is missing or has another size", path,
                            tensors[i].name);
        memcpy((void *)tensors[i].data, t->data, t->bytes);
    }
    return SLB_OK;
}

static SlbStatus check(const SlbTensorFile *file, const char *path, const char *recipe,
                       SlbTrainState *state, SlbError *err)
{
    const char *its = slb_tensors_meta(file, "recipe"), *numbers = slb_tensors_meta(file, "state");
    if (!its || !numbers ||
        sscanf(numbers, "%ld %lf %lf %lf", &state->step, &state->rate_factor, &state->usual_loss,
               &state->usual_baseline) != 4 ||
        state->step < 0 || !(state->rate_factor > 0 && state->rate_factor <= 1) ||
        !isfinite(state->usual_loss) || !isfinite(state->usual_baseline))
        return slb_fail(err, SLB_E_MODEL, "%s: is no checkpoint; move it away", path);
    if (strcmp(its, recipe) != 0)
        return slb_fail(err, SLB_E_USAGE,
                        "%s: is the checkpoint of a run with other options; give the same "
                        "options to go on, another --out, or --restart to begin anew",
                        path);
    return SLB_OK;
}

SlbStatus slb_checkpoint_load(const char *path, const char *recipe, SlbTrainState *state,
                              bool *found, SlbError *err)
{
    *found = access(path, F_OK) == 0;
    if (!*found) return SLB_OK;
    SlbTensorFile *file;
    SlbStatus s = slb_tensors_open(path, &file, err);
    if (s != SLB_OK) return s;
    SlbTensor *tensors = slb_calloc((size_t)state->count * TENSORS, sizeof *tensors);
    if (!tensors) s = slb_fail_memory(err, path);
    if (s == SLB_OK) s = check(file, path, recipe, state, err);
    if (s == SLB_OK) s = restore(file, path, tensors, describe(state, tensors), err);
    slb_free(tensors);
    slb_tensors_close(file);
    return s;
}
