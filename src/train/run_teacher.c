/* Distillation: a finished network beside the one that is trained. */
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "train/run.h"

static unsigned long crc_of(unsigned long crc, const float *value, size_t count)
{
    return crc32_z(crc, (const Bytef *)value, count * sizeof *value);
}

static SlbStatus set_weights(Run *run, const SlbModel *model, SlbError *err)
{
    Teacher *t = &run->teacher;
    SlbStatus s = slb_weights_create(t->engine, &t->weights, err);
    for (int i = 0; s == SLB_OK && i < model->graph->conv_count; i++) {
        const SlbConvParams *c = &model->conv[i];
        size_t inputs = (size_t)(c->in_channels * c->kernel * c->kernel);
        float *weight = slb_alloc(inputs, (size_t)c->out_channels * sizeof *weight);
        if (!weight) return slb_fail_memory(err, "the teacher");
        slb_conv_effective(c, weight);
        slb_weights_set(t->weights, t->engine, i, weight, c->bias);
        slb_weights_set_step(t->weights, t->engine, i, c->in_step);
        t->crc = crc_of(t->crc, weight, inputs * (size_t)c->out_channels);
        t->crc = crc_of(t->crc, c->bias, (size_t)c->out_channels);
        if (model->act_bits < 32) t->crc = crc_of(t->crc, &c->in_step, 1);
        slb_free(weight);
    }
    return s;
}

/* In the precision of the run: its forward pass is a third of the time of a step. */
static SlbStatus create(Run *run, const SlbModel *model, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    const SlbGraph *g = model->graph, *mine = run->graph;
    Teacher *t = &run->teacher;
    if (g->enlarged != mine->enlarged || g->scale != mine->scale ||
        g->nodes[0].channels != mine->nodes[0].channels)
        return slb_fail(err, SLB_E_MODEL,
                        "%s: cannot teach %s: their inputs or factors differ; both must begin with "
                        "the same input line and enlarge alike",
                        o->teacher, o->net);
    const SlbEngineForm form = {.precision = o->precision, .act_bits = model->act_bits};
    SlbPatchKey patch = run_patch_form(run);
    uint32_t side = (uint32_t)slb_patch_input_side(&patch);
    SlbStatus s = slb_engine_create(g, &form, &run->cpu, &t->engine, err);
    if (s == SLB_OK) s = set_weights(run, model, err);
    if (s != SLB_OK) return s;
    t->threads = o->threads;
    t->slot = slb_calloc((size_t)t->threads, sizeof *t->slot);
    if (!t->slot) return slb_fail_memory(err, "the teacher");
    for (int i = 0; s == SLB_OK && i < t->threads; i++)
        s = slb_slot_create(t->engine, side, side, false, &t->slot[i], err);
    return s;
}

SlbStatus run_teacher_create(Run *run, SlbError *err)
{
    if (!run->options->teacher) return SLB_OK;
    SlbModel *model;
    SlbStatus s = slb_model_load(run->options->teacher, run->graph, &model, err);
    if (s != SLB_OK) return s;
    s = create(run, model, err);
    slb_model_free(model);
    return s;
}

void run_teacher_free(Run *run)
{
    Teacher *t = &run->teacher;
    for (int i = 0; t->slot && i < t->threads; i++) slb_slot_free(t->slot[i]);
    slb_free(t->slot);
    slb_weights_free(t->weights);
    slb_engine_free(t->engine);
    *t = (Teacher){0};
}

void run_teacher_show(const Run *run, int thread, const float *in, float *out)
{
    const Teacher *t = &run->teacher;
    SlbPatchKey form = run_patch_form(run);
    uint32_t side = (uint32_t)slb_patch_input_side(&form);
    SlbSlot *slot = t->slot[thread];
    slb_forward(t->engine, t->weights, slot, in, side, side);
    SlbView view = slb_slot_output(t->engine, slot);
    size_t channels = (size_t)view.channels, large = (size_t)form.side;
    for (size_t y = 0; y < large; y++)
        for (size_t x = 0; x < large; x++, out += channels)
            memcpy(out, view.data + (y * view.row + x) * view.stride, channels * sizeof *out);
}
