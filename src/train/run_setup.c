/* Setting a run up: pictures, network, start values, buffers, checkpoint. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "train/run.h"

/* Everything that decides the result, so that a checkpoint goes on only with its own run. */
static char *recipe_of(const Run *run)
{
    const SlbTrainOptions *o = run->options;
    const SlbDataset *d = &run->dataset;
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (!f) return NULL;
    fprintf(f,
            "method %s bits %d batch %d patch %d steps %ld warmup %ld seed %llu rate %.17g logits "
            "%.17g ",
            run->method->name, o->bits, o->batch, o->patch, o->steps, o->warmup,
            (unsigned long long)o->seed, o->rate, o->logit_rate);
    if (o->teacher)
        fprintf(f, "teacher %s %08lx %.17g ", o->teacher, run->teacher.crc, o->teacher_share);
    if (run->normalized) fprintf(f, "sbn %d ", (int)o->sbn);
    if (o->bits < 32 && run->act_bits != 8) fprintf(f, "activations %d ", run->act_bits);
    fprintf(f, "schedule %d %ld average %.17g ", (int)o->schedule, o->decay_every, o->average);
    fprintf(f, "tempering %d %d ", (int)o->tempering, o->restarts);
    fprintf(f, "clip %.17g sharpness %.17g anneal %.17g %.17g loss %d precision %d scales", o->clip,
            o->sharpness, o->anneal_from, o->anneal_to, (int)o->loss, (int)o->precision);
    for (int i = 0; i < o->scale_count; i++) fprintf(f, " %d", o->scales[i]);
    fprintf(f, " init %s data", o->init ? o->init : "-");
    for (int i = 0; i < o->data_count; i++) fprintf(f, " %s", o->data[i]);
    fprintf(f, " pictures %zu pixels %llu kernels %s\n%s", d->count,
            (unsigned long long)d->area_before[d->count], slb_cpu_level_name(run->cpu.level),
            run->graph->text);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static char *beside(const char *path, const char *suffix)
{
    char *name = malloc(strlen(path) + strlen(suffix) + 1);
    if (name) sprintf(name, "%s%s", path, suffix);
    return name;
}

static void note(const SlbTrainOptions *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(const SlbTrainOptions *o, const char *format, ...)
{
    char line[SLB_MESSAGE_BYTES + 128];
    if (!o->note || slb_comm_rank(o->comm) != 0) return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    o->note(o->user, line);
}

/* The state, its copies for falling back and for saving, and room for effective weights. */
static SlbStatus create_states(Run *run, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    SlbTrainState copy = {0};
    SlbTrainState *const states[] = {&run->now, &run->good, &copy}; /* the last to be saved from */
    const SlbLayerForm form = {.method = run->method,
                               .weight_bits = o->bits,
                               .level = run->cpu.level,
                               .steps = run_trains_codes(run),
                               .averaged = (o->average > 0)};
    for (size_t i = 0; i < (run_leads(run) ? 3 : 2); i++) {
        SlbStatus s = slb_state_create(run->graph, &form, o->logit_rate, states[i], err);
        if (s != SLB_OK) return s;
    }
    SlbStatus s = SLB_OK;
    if (run_leads(run))
        s = slb_saver_create(run->checkpoint_path, run->recipe, &copy, &run->saver, err);
    if (s != SLB_OK) return s;
    run->step = slb_calloc((size_t)run->now.count, sizeof *run->step);
    if (!run->step) return slb_fail_memory(err, "the network's parameters");
    run->effective = slb_calloc((size_t)run->now.count, sizeof *run->effective);
    for (int i = 0; i < run->now.count; i++) {
        if (run->effective)
            run->effective[i] = slb_calloc(slb_layer_weights(&run->now.layer[i]), sizeof(float));
        if (!run->effective || !run->effective[i])
            return slb_fail_memory(err, "the network's parameters");
    }
    return SLB_OK;
}

/* He-normal weights keep the size of what goes through ReLUs. Those of a convolution that is added
 * to something start small: an untrained residual changes little, and a stack of them does not
 * grow. Without a ReLU before it, a convolution would double the variance. */
static float start_gain(const SlbGraph *g, int node)
{
    int end = node; /* what becomes of it by itself, up to a sum */
    for (int i = node + 1; i < g->node_count; i++) {
        if (g->nodes[i].source[0] != end) continue;
        bool last = i + 1 == g->node_count && !g->enlarged; /* of whole brightness, not of detail */
        if (g->nodes[i].op == SLB_OP_ADD) return last ? 0.01f : 0.1f;
        if (g->nodes[i].op != SLB_OP_CONV && g->nodes[end].consumers == 1) end = i;
    }
    const SlbNode *from = &g->nodes[g->nodes[node].source[0]];
    return g->enlarged || from->relu ? 1.0f : 0.7f;
}

/* The factor of the shuffle by which a convolution of the input alone enlarges it, where that is
 * what a sum adds something to; else 0. */
static int base_factor(const SlbGraph *g, int node)
{
    const SlbNode *conv = &g->nodes[node], *large = conv + 1;
    bool last = node + 1 == g->node_count;
    if (conv->source[0] != 0 || conv->relu || last || large->op != SLB_OP_SHUFFLE) return 0;
    if (large->source[0] != node || large->channels != g->nodes[0].channels) return 0;
    for (int i = node + 2; i < g->node_count; i++)
        if (g->nodes[i].op == SLB_OP_ADD && g->nodes[i].source[1] == node + 1) return large->factor;
    return 0;
}

/* Weights that enlarge by the nearest pixel. */
static void start_as_nearest(const SlbLayer *layer, int factor, float *weight)
{
    int taps = layer->kernel * layer->kernel;
    for (int o = 0; o < layer->out_channels; o++)
        for (int i = 0; i < layer->in_channels; i++)
            for (int t = 0; t < taps; t++)
                *weight++ = t == taps / 2 && i == o / (factor * factor) ? 1.0f : 0.0f;
}

/* Fresh parameters. What a network adds to an enlarged picture of its own begins with that. The
 * first layer of a network that mends an enlarged picture starts without an answer to brightness,
 * which would otherwise drown the detail. */
static void init_random(Run *run)
{
    for (int n = 0; n < run->graph->node_count; n++) {
        int i = run->graph->nodes[n].conv;
        if (i < 0) continue;
        SlbLayer *layer = &run->now.layer[i];
        slb_layer_random(layer, run->options->seed, i, start_gain(run->graph, n),
                         run->effective[i]);
        int factor = base_factor(run->graph, n);
        if (factor) start_as_nearest(layer, factor, run->effective[i]);
        if (i == 0 && run->graph->enlarged) slb_layer_centre(layer, run->effective[i]);
        layer->method->init(layer, run->effective[i]);
        SlbParam *gamma = &layer->param[SLB_PARAM_GAMMA]; /* a normalization takes the gain out */
        for (size_t c = 0; c < gamma->size; c++)
            gamma->value[c] = start_gain(run->graph, n) < 0.5f ? 0.1f : 1.0f;
    }
}

static bool layer_fits(const SlbLayer *layer, const SlbConvParams *c)
{
    return c->out_channels == layer->out_channels && c->in_channels == layer->in_channels &&
           c->kernel == layer->kernel;
}

static void init_layer(Run *run, int i, const SlbConvParams *c)
{
    SlbLayer *layer = &run->now.layer[i];
    slb_conv_effective(c, run->effective[i]);
    layer->method->init(layer, run->effective[i]);
    memcpy(layer->param[SLB_PARAM_BIAS].value, c->bias, (size_t)c->out_channels * sizeof(float));
}

/* What fits is taken over: the low layers must, so that a network for one factor can start from the
 * body of one for another; others that do not stay fresh. */
static SlbStatus init_from(Run *run, const char *path, SlbError *err)
{
    const SlbGraph *g = run->graph;
    SlbModel *model;
    SlbStatus s = slb_model_load(path, g, &model, err);
    if (s != SLB_OK) return s;
    if (model->graph->conv_count != g->conv_count) {
        s = slb_fail(err, SLB_E_MODEL,
                     "%s: has %d convolutions, %s has %d; start from a model of as many", path,
                     model->graph->conv_count, run->options->net, g->conv_count);
        slb_model_free(model);
        return s;
    }
    bool fits = true;
    for (int n = 0; fits && n < g->node_count; n++)
        if (g->nodes[n].op == SLB_OP_CONV && g->nodes[n].low)
            fits = layer_fits(&run->now.layer[g->nodes[n].conv], &model->conv[g->nodes[n].conv]);
    int fresh = 0;
    for (int i = 0; fits && i < g->conv_count; i++) {
        if (layer_fits(&run->now.layer[i], &model->conv[i]))
            init_layer(run, i, &model->conv[i]);
        else
            fresh++;
    }
    slb_model_free(model);
    if (fresh)
        note(run->options, "%d of %d convolutions differ from those of %s and start anew", fresh,
             g->conv_count, path);
    if (fits) return SLB_OK;
    return slb_fail(
        err, SLB_E_MODEL,
        "%s: its low layers differ from those of %s; start from a model of that network", path,
        run->options->net);
}

static SlbStatus load_data(Run *run, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    SlbDataset *d = &run->dataset;
    uint32_t least = slb_dataset_least_side(o->patch, o->scales, o->scale_count);
    SlbStatus s = slb_dataset_load(o->data, o->data_count, run->graph->nodes[0].channels, least,
                                   o->threads, d, err);
    if (s != SLB_OK) return s;
    note(o, "training on %zu pictures, %.1f megapixels", d->count,
         (double)d->area_before[d->count] / 1e6);
    if (d->too_small) note(o, "%zu pictures passed over: smaller than a patch", d->too_small);
    if (d->unreadable)
        note(o, "%zu files passed over that cannot be read, the first: %s", d->unreadable,
             d->first_unreadable.message);
    return SLB_OK;
}

static SlbStatus create_validation(Run *run, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    if (!o->val) return SLB_OK;
    SlbStatus s = slb_validation_create(o->val, o->val_pictures, run->graph, run->act_bits,
                                        o->scales, o->scale_count, &run->cpu, o->threads, o->comm,
                                        &run->validation, err);
    if (s != SLB_OK) return s;
    const SlbEngine *engine = slb_validation_engine(run->validation);
    s = slb_weights_create(engine, &run->hard, err);
    return s == SLB_OK ? slb_weights_create(engine, &run->soft, err) : s;
}

/* One or two pictures for small batches, four for the usual ones: what a part costs besides its
 * pictures is adding up a whole set of gradients. */
static int parts_of(int batch)
{
    enum { FEW = 16, PICTURES = 4 };
    if (batch <= FEW) return batch;
    int parts = batch / PICTURES;
    return parts < FEW ? FEW : parts > MAX_BATCH_PARTS ? MAX_BATCH_PARTS : parts;
}

/* Every process gets a part at least. */
static SlbStatus check_parts(const Run *run, SlbError *err)
{
    int size = slb_comm_size(run->options->comm), batch = run->options->batch;
    if (size <= run->parts) return SLB_OK;
    return slb_fail(err, SLB_E_USAGE,
                    "--batch: %d patches can be shared by at most %d processes, and there are %d; "
                    "start fewer, or give larger batches",
                    batch, run->parts, size);
}

static SlbStatus create_engine(Run *run, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    SlbPatchKey form = run_patch_form(run);
    uint32_t side = (uint32_t)slb_patch_input_side(&form);
    const SlbEngineForm engine = {.precision = o->precision,
                                  .act_bits = run_trains_codes(run) ? run->act_bits : 32,
                                  .normalize = true};
    SlbStatus s = slb_engine_create(run->graph, &engine, &run->cpu, &run->engine, err);
    if (s == SLB_OK) s = slb_weights_create(run->engine, &run->weights, err);
    if (s == SLB_OK)
        s = slb_reduction_create(run->engine, o->comm, run->parts, &run->from, &run->to,
                                 &run->reduction, err);
    run->workers = o->threads < run->to - run->from ? o->threads : run->to - run->from;
    run->slots = run->normalized ? o->batch : run->workers;
    run->slot = slb_calloc((size_t)run->slots, sizeof *run->slot);
    if (s == SLB_OK && !run->slot) s = slb_fail_memory(err, "the tensors of training");
    for (int t = 0; s == SLB_OK && t < run->slots; t++)
        s = slb_slot_create(run->engine, side, side, true, &run->slot[t], err);
    if (s != SLB_OK || !run->normalized) return s;
    run->pictures = slb_alloc(slb_patch_inputs(&form) + 2 * slb_patch_targets(&form),
                              (size_t)o->batch * sizeof *run->pictures);
    if (!run->pictures) return slb_fail_memory(err, "the tensors of training");
    return slb_moments_create(run->engine, o->batch, &run->moments, err);
}

/* Learned steps start from those that fit the first weights best. */
static SlbStatus start_steps(Run *run, SlbError *err)
{
    if (!run_trains_codes(run)) return SLB_OK;
    SlbStatus s = run_calibrate(run, err);
    for (int i = 0; s == SLB_OK && i < run->now.count; i++) {
        SlbParam *p = &run->now.layer[i].param[SLB_PARAM_STEP];
        if (p->size) p->value[0] = logf(run->step[i]);
        if (p->average) p->average[0] = p->value[0];
        run->step[i] = 0.0f;
    }
    return s;
}

static void start_averages(Run *run)
{
    for (int l = 0; l < run->now.count; l++)
        for (int i = 0; i < SLB_PARAMS; i++) {
            SlbParam *p = &run->now.layer[l].param[i];
            if (p->average) memcpy(p->average, p->value, p->size * sizeof *p->value);
        }
}

/* Start values, or those of the checkpoint. */
static SlbStatus start(Run *run, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    bool found = false;
    SlbStatus s = SLB_OK;
    if (!o->restart)
        s = slb_checkpoint_load(run->checkpoint_path, run->recipe, &run->now, &found, err);
    if (s != SLB_OK) return s;
    if (found) {
        note(o, "going on from step %ld (%s)", run->now.step, run->checkpoint_path);
    } else {
        init_random(run);
        if (o->init) s = init_from(run, o->init, err);
        if (s == SLB_OK && run->normalized) s = run_norm_start(run, o->init != NULL, err);
        start_averages(run);
        if (s == SLB_OK) s = start_steps(run, err);
    }
    return s;
}

/* A network that enlarges by itself has one scale. */
static SlbStatus check_scale(const Run *run, SlbError *err)
{
    const SlbTrainOptions *o = run->options;
    if (run->graph->enlarged) return SLB_OK;
    if (o->scale_count != 1 || o->scales[0] != run->graph->scale)
        return slb_fail(err, SLB_E_USAGE, "--scale: %s enlarges by %d and nothing else", o->net,
                        run->graph->scale);
    if (o->patch % run->graph->scale)
        return slb_fail(
            err, SLB_E_USAGE, "--patch: %d is no multiple of %d, by which %s enlarges; give %d",
            o->patch, run->graph->scale, o->net, o->patch / run->graph->scale * run->graph->scale);
    return SLB_OK;
}

/* FNV-1a, 32 bits, which fit into a double: of the recipe and the size of the validation. */
static uint32_t hash(const Run *run)
{
    uint32_t h = 2166136261u;
    for (const char *c = run->recipe; *c; c++) h = (h ^ (unsigned char)*c) * 16777619u;
    size_t items = run->validation ? slb_validation_items(run->validation) : 0;
    return (h ^ (uint32_t)items) * 16777619u;
}

/* All processes have to work on the same thing, with the same kernels. */
static SlbStatus compare_recipes(const Run *run, SlbError *err)
{
    SlbComm *comm = run->options->comm;
    int size = slb_comm_size(comm), rank = slb_comm_rank(comm);
    double *all = slb_calloc((size_t)size, sizeof *all);
    if (!all) return slb_fail_memory(err, "the training run");
    all[rank] = hash(run);
    SlbStatus s = slb_comm_sum(comm, all, (size_t)size, err);
    for (int i = 1; s == SLB_OK && i < size; i++)
        if (all[i] != all[0])
            s = slb_fail(err, SLB_E_USAGE,
                         "processes 0 and %d differ in options, data or kernels; give all the same "
                         "(SLBSR_CPU sets the kernels)",
                         i);
    slb_free(all);
    return s;
}

/* The names of the files beside OUT; from here on no other run writes them. */
static SlbStatus take_files(Run *run, SlbError *err)
{
    const char *out = run->options->out;
    run->checkpoint_path = beside(out, ".ckpt");
    run->log_path = beside(out, ".csv");
    char *lock = beside(out, ".lock");
    SlbStatus s = SLB_OK;
    if (!run->checkpoint_path || !run->log_path || !lock)
        s = slb_fail_memory(err, "the training run");
    else if (run_leads(run) && !run->options->dry)
        s = slb_lock(&run->lock, lock, out, err);
    free(lock);
    return s;
}

/* What a process does for itself. */
static SlbStatus set_up(Run *run, SlbError *err)
{
    const SlbTrainOptions *options = run->options;
    if (run_leads(run) && !options->overwrite && access(options->out, F_OK) == 0)
        return slb_fail(err, SLB_E_OUTPUT, "%s: already exists; give -y to train anew",
                        options->out);
    if (!slb_cpu_detect(&run->cpu)) return slb_cpu_refuse("SLBSR_CPU", getenv("SLBSR_CPU"), err);
    if (options->bits == 32 && run->act_bits < 32)
        return slb_fail(err, SLB_E_USAGE,
                        "--act-bits: %d goes with low-bit weights only; give --bits 1, 2 or 4",
                        run->act_bits);
    run->parts = parts_of(options->batch);
    SlbStatus s = check_parts(run, err);
    if (s == SLB_OK) s = slb_graph_open(options->net, &run->graph, err);
    if (s == SLB_OK) s = check_scale(run, err);
    if (s != SLB_OK) return s;
    for (int i = 0; i < run->graph->node_count; i++)
        run->normalized = run->normalized || run->graph->nodes[i].sbn;
    if (run->normalized && options->average > 0 && options->sbn != SLB_SBN_CALIBRATED)
        return slb_fail(
            err, SLB_E_USAGE,
            "--ema: the statistics that go with an average are not those of the weights "
            "in training; give --sbn calibrated");
    if (run->normalized && slb_comm_size(options->comm) > 1)
        return slb_fail(err, SLB_E_UNBUILT,
                        "%s: networks with sbn, whose statistics are those of a whole batch, are "
                        "trained by one process",
                        options->net);
    s = take_files(run, err);
    if (s == SLB_OK) s = load_data(run, err);
    if (s == SLB_OK) s = run_teacher_create(run, err);
    if (s != SLB_OK) return s;
    run->recipe = recipe_of(run);
    if (!run->recipe) return slb_fail_memory(err, "the training run");
    s = create_states(run, err);
    if (s == SLB_OK) s = create_engine(run, err);
    if (s == SLB_OK && run_leads(run)) s = start(run, err);
    return s == SLB_OK ? create_validation(run, err) : s;
}

SlbStatus run_create(Run *run, const SlbTrainOptions *options, SlbError *err)
{
    *run = (Run){.options = options, .method = options->method ? options->method : &slb_method_slb};
    run->act_bits = options->act_bits ? options->act_bits : options->bits < 32 ? 8 : 32;
    SlbStatus s = slb_comm_settle(options->comm, set_up(run, err), err);
    if (s == SLB_OK) s = compare_recipes(run, err);
    if (s == SLB_OK) s = slb_state_share(&run->now, options->comm, err);
    if (s == SLB_OK) slb_state_copy(&run->now, &run->good);
    return s;
}

void run_free(Run *run)
{
    for (int i = 0; run->graph && i < run->graph->conv_count; i++) {
        if (run->effective) slb_free(run->effective[i]);
    }
    slb_saver_free(run->saver);
    slb_state_free(&run->now);
    slb_state_free(&run->good);
    run_teacher_free(run);
    slb_moments_free(run->moments);
    slb_free(run->pictures);
    for (int t = 0; run->slot && t < run->slots; t++) slb_slot_free(run->slot[t]);
    slb_reduction_free(run->reduction);
    slb_free(run->slot);
    slb_free(run->effective);
    slb_free(run->step);
    slb_weights_free(run->weights);
    slb_weights_free(run->hard);
    slb_weights_free(run->soft);
    slb_validation_free(run->validation);
    slb_engine_free(run->engine);
    slb_dataset_free(&run->dataset);
    slb_graph_free(run->graph);
    free(run->recipe);
    free(run->checkpoint_path);
    free(run->log_path);
    slb_unlock(&run->lock);
    *run = (Run){0};
}
