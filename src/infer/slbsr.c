/* The C interface (slbsr.h) on top of the library. */
#include "slbsr.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "infer/builtin.h"
#include "infer/upscale.h"

struct SlbsrContext {
    SlbsrOptions options; /* its pointers to the model are not valid any more */
    SlbPlanOptions how;
    SlbPlan *plan;            /* NULL: none is chosen yet */
    const SlbBuiltin *chosen; /* by `bits`, for `factor`; NULL: given otherwise */
    int factor;
    SlbUpscaler *up; /* NULL: no picture is begun */
};

const char *slbsr_version(void)
{
    return SLBSR_VERSION;
}

const char *slbsr_status_text(SlbsrStatus status)
{
    switch (status) {
    case SLBSR_OK: return "done";
    case SLBSR_CANCELLED: return "cancelled";
    case SLBSR_E_ARGUMENT: return "wrong argument";
    case SLBSR_E_PICTURE: return "picture too large";
    case SLBSR_E_MODEL: return "model unreadable, damaged or unfit";
    case SLBSR_E_MEMORY: return "out of memory";
    case SLBSR_E_MISSING: return "no such built-in model";
    }
    return "unknown status";
}

/* The statuses that functions used here return have the same numbers in both. */
static SlbsrStatus tell(SlbStatus status, const SlbError *err, SlbsrError *error)
{
    if (status != SLB_OK && error) {
        error->status = (SlbsrStatus)status;
        snprintf(error->text, sizeof error->text, "%.*s", (int)sizeof error->text - 1,
                 err->message);
    }
    return (SlbsrStatus)status;
}

const char *slbsr_model_name(int index)
{
    size_t count;
    const SlbBuiltin *models = slb_builtins(&count);
    return index >= 0 && (size_t)index < count ? models[index].name : NULL;
}

/* ---- Options ---- */

/* Padding behind the last field would hold anything, and an older library take it for a field. */
_Static_assert(sizeof(SlbsrOptions) == offsetof(SlbsrOptions, progress_user) + sizeof(void *),
               "SlbsrOptions has to end with a field");

/* The caller's options in the size of ours; NULL is all defaults. */
static SlbStatus take_options(const SlbsrOptions *from, SlbsrOptions *to, SlbError *err)
{
    *to = (SlbsrOptions){.struct_bytes = sizeof *to};
    if (!from) return SLB_OK;
    enum { MOST = 4096 }; /* beyond that it was never set, and there would be nothing to read */
    size_t bytes = from->struct_bytes, known = bytes < sizeof *to ? bytes : sizeof *to;
    if (bytes < sizeof bytes || bytes > MOST)
        return slb_fail(err, SLB_E_USAGE,
                        "options: struct_bytes is not set to sizeof (SlbsrOptions)");
    for (size_t i = sizeof *to; i < bytes; i++)
        if (((const unsigned char *)from)[i])
            return slb_fail(err, SLB_E_USAGE,
                            "options: a field that this library (%s) does not know", SLBSR_VERSION);
    memcpy(to, from, known);
    to->struct_bytes = sizeof *to;
    return SLB_OK;
}

static SlbStatus check_numbers(const SlbsrOptions *o, SlbError *err)
{
    if (o->scale != 0 && (o->width || o->height))
        return slb_fail(err, SLB_E_USAGE, "options: scale and a size exclude each other");
    if (o->scale != 0 && !(o->scale > 0 && o->scale <= SLB_MAX_WANTED_SCALE))
        return slb_fail(err, SLB_E_USAGE, "options: scale %g is not above 0 and at most %d",
                        o->scale, SLB_MAX_WANTED_SCALE);
    if (o->width > INT32_MAX || o->height > INT32_MAX)
        return slb_fail(err, SLB_E_USAGE, "options: a size of %u x %u is out of range", o->width,
                        o->height);
    if (o->threads < 0 || o->threads > 1024)
        return slb_fail(err, SLB_E_USAGE, "options: threads %d is not in 0..1024", o->threads);
    if (o->alpha < SLBSR_ALPHA_RESIZE || o->alpha > SLBSR_ALPHA_DROP)
        return slb_fail(err, SLB_E_USAGE, "options: alpha %d is unknown", (int)o->alpha);
    if (o->wrap & ~(unsigned)(SLBSR_WRAP_X | SLBSR_WRAP_Y))
        return slb_fail(err, SLB_E_USAGE, "options: wrap %u is unknown", o->wrap);
    if (o->max_memory_bytes > (uint64_t)1 << 62)
        return slb_fail(err, SLB_E_USAGE, "options: max_memory_bytes is out of range");
    return SLB_OK;
}

static SlbStatus check_model(const SlbsrOptions *o, SlbError *err)
{
    int models =
        (o->bits != 0) + (o->model != NULL) + (o->model_file != NULL) + (o->model_data != NULL);
    if (models > 1)
        return slb_fail(err, SLB_E_USAGE,
                        "options: bits, model, model_file and model_data exclude each other");
    if (o->model_bytes && !o->model_data)
        return slb_fail(err, SLB_E_USAGE, "options: model_bytes without model_data");
    if (o->bits != 0 && o->bits != 1 && o->bits != 2 && o->bits != 4 && o->bits != 32)
        return slb_fail(err, SLB_E_USAGE, "options: bits %d is not 1, 2, 4 or 32", o->bits);
    return SLB_OK;
}

static SlbStatus find_level(const char *name, SlbCpuLevel *level, SlbError *err)
{
    SlbCpu cpu;
    if (!name) {
        if (!slb_cpu_detect(&cpu)) return slb_cpu_refuse("SLBSR_CPU", getenv("SLBSR_CPU"), err);
        *level = cpu.level;
        return SLB_OK;
    }
    for (int l = 0; l < SLB_CPU_LEVELS; l++)
        if (strcmp(name, slb_cpu_level_name((SlbCpuLevel)l)) == 0 && slb_cpu_has((SlbCpuLevel)l)) {
            *level = (SlbCpuLevel)l;
            return SLB_OK;
        }
    return slb_cpu_refuse("options: cpu", name, err);
}

static SlbStatus prepare(SlbsrContext *c, const SlbsrOptions *options, SlbError *err)
{
    SlbsrOptions *o = &c->options;
    SlbStatus s = take_options(options, o, err);
    if (s == SLB_OK) s = check_numbers(o, err);
    if (s == SLB_OK) s = check_model(o, err);
    if (s == SLB_OK) s = find_level(o->cpu, &c->how.level, err);
    if (s != SLB_OK) return s;
    if (o->scale == 0 && !o->width && !o->height) o->scale = 2;
    if (!o->bits && !o->model && !o->model_file && !o->model_data) o->bits = 2;
    c->how.threads = o->threads ? o->threads : slb_cpu_count();
    return SLB_OK;
}

/* ---- Sizes ---- */

/* The result for a picture of `in`: width, height and channels; the depth of `in`. */
static SlbStatus result_of(const SlbsrOptions *o, const SlbImageInfo *in, SlbImageInfo *out,
                           SlbError *err)
{
    SlbWantedSize wanted = {.scale = o->scale, .width = o->width, .height = o->height};
    if (!in->width || !in->height || in->width > INT32_MAX || in->height > INT32_MAX ||
        in->channels < 1 || in->channels > 4 || (in->depth != 8 && in->depth != 16))
        return slb_fail(err, SLB_E_USAGE, "no picture: %u x %u pixels, %d channels of %d bits",
                        in->width, in->height, in->channels, in->depth);
    *out = *in;
    if (o->alpha == SLBSR_ALPHA_DROP) out->channels = in->channels < 3 ? 1 : 3;
    return slb_wanted_size(&wanted, in, out, err);
}

SlbsrStatus slbsr_size(const SlbsrOptions *options, uint32_t width, uint32_t height, int channels,
                       uint32_t *out_width, uint32_t *out_height, int *out_channels,
                       SlbsrError *error)
{
    SlbError err;
    SlbsrContext c = {0};
    SlbImageInfo in = {width, height, channels, 8}, out;
    SlbStatus s = prepare(&c, options, &err);
    if (s == SLB_OK) s = result_of(&c.options, &in, &out, &err);
    if (s != SLB_OK) return tell(s, &err, error);
    if (out_width) *out_width = out.width;
    if (out_height) *out_height = out.height;
    if (out_channels) *out_channels = out.channels;
    return SLBSR_OK;
}

/* ---- Contexts ---- */

/* The built-in model `b`; NULL: the one that the options name. */
static SlbStatus load(const SlbsrOptions *o, const SlbBuiltin *b, SlbModel **model, SlbError *err)
{
    if (b) return slb_model_parse(b->data, b->bytes, b->name, NULL, model, err);
    if (o->model_file) return slb_model_load(o->model_file, NULL, model, err);
    if (o->model_data)
        return slb_model_parse(o->model_data, o->model_bytes, "model_data", NULL, model, err);
    for (int i = 0; slbsr_model_name(i); i++)
        if (strcmp(slbsr_model_name(i), o->model) == 0)
            return slb_model_open(o->model, NULL, model, err);
    return slb_fail(err, SLB_E_UNBUILT, "no built-in model is called %s", o->model);
}

/* Only what succeeds changes the context. */
static SlbStatus make_plan(SlbsrContext *c, const SlbBuiltin *best, SlbError *err)
{
    SlbModel *model;
    SlbPlan *plan;
    SlbPlanOptions how = c->how;
    SlbStatus s = load(&c->options, best, &model, err);
    if (s != SLB_OK) return s;
    how.packed = model->act_bits < 32 && !c->options.use_float;
    s = slb_plan_create(model, &how, &plan, err);
    slb_model_free(model);
    if (s != SLB_OK) return s;
    slb_plan_free(c->plan);
    c->plan = plan;
    c->chosen = best;
    return SLB_OK;
}

/* A plan that enlarges by `factor`: for options.bits the best for it, else the one there is. */
static SlbStatus plan_for(SlbsrContext *c, int factor, SlbError *err)
{
    const SlbBuiltin *best = NULL;
    SlbStatus s = SLB_OK;
    if (factor < 2) factor = 2; /* it only has to be there */
    if (c->plan && (!c->options.bits || factor == c->factor)) return SLB_OK;
    if (c->options.bits) s = slb_builtin_best(c->options.bits, factor, &best, err);
    if (s == SLB_OK && !(c->plan && best == c->chosen)) s = make_plan(c, best, err);
    if (s == SLB_OK) c->factor = factor;
    return s;
}

SlbsrStatus slbsr_context_new(const SlbsrOptions *options, SlbsrContext **context,
                              SlbsrError *error)
{
    SlbError err;
    *context = NULL;
    SlbsrContext *c = slb_calloc(1, sizeof *c);
    if (!c) return tell(slb_fail_memory(&err, "a context"), &err, error);
    SlbStatus s = prepare(c, options, &err);
    bool is_known = c->options.scale != 0 || !c->options.bits; /* else it depends on the picture */
    int factor = (int)fmin(fmax(ceil(c->options.scale), 2), SLB_MAX_SCALE);
    if (s == SLB_OK && is_known) s = plan_for(c, factor, &err);
    if (s == SLB_OK)
        *context = c;
    else
        slbsr_context_free(c);
    return tell(s, &err, error);
}

void slbsr_context_free(SlbsrContext *context)
{
    if (!context) return;
    slb_upscaler_free(context->up);
    slb_plan_free(context->plan);
    slb_free(context);
}

static void give_up(SlbsrContext *c)
{
    slb_upscaler_free(c->up);
    c->up = NULL;
}

static SlbStatus set_up(SlbsrContext *c, const SlbImageInfo *in, const SlbImageInfo *out,
                        SlbUpscaleOptions *options, SlbError *err)
{
    const SlbsrOptions *o = &c->options;
    *options = (SlbUpscaleOptions){
        .out = *out,
        .alpha = (SlbAlpha)o->alpha, /* the same numbers, as those of wrap */
        .wrap = o->wrap,
        .progress = o->progress,
        .user = o->progress_user,
    };
    options->max_bytes = o->max_memory_bytes;
    return plan_for(c, slb_upscale_factor(in, out), err);
}

static SlbImageInfo info_of(const SlbsrImage *image)
{
    return (SlbImageInfo){image->width, image->height, image->channels, image->depth};
}

static void describe(const SlbImageInfo *info, SlbsrImage *image)
{
    *image = (SlbsrImage){.width = info->width,
                          .height = info->height,
                          .channels = info->channels,
                          .depth = info->depth};
}

static SlbStatus check_stride(const SlbImageInfo *info, size_t stride_bytes, size_t *stride,
                              SlbError *err)
{
    size_t row = slb_row_bytes(info);
    *stride = stride_bytes ? stride_bytes : row;
    if (*stride >= row && *stride % (size_t)(info->depth / 8) == 0) return SLB_OK;
    return slb_fail(err, SLB_E_USAGE, "a stride of %zu bytes does not fit rows of %zu", *stride,
                    row);
}

/* ---- Whole pictures ---- */

/* `out` describes where the result goes; its data may be NULL. */
static SlbStatus check_out(const SlbsrImage *out, SlbImageInfo *result, SlbError *err)
{
    if (!out->data) return SLB_OK;
    if (out->width != result->width || out->height != result->height ||
        out->channels != result->channels || (out->depth != 8 && out->depth != 16))
        return slb_fail(
            err, SLB_E_USAGE,
            "out: %u x %u pixels, %d channels of %d bits, but the result has %u x %u, %d "
            "channels",
            out->width, out->height, out->channels, out->depth, result->width, result->height,
            result->channels);
    result->depth = out->depth;
    return SLB_OK;
}

static SlbStatus upscale(SlbsrContext *c, const SlbsrImage *in, SlbsrImage *out, SlbError *err)
{
    SlbUpscaleOptions options;
    SlbImageInfo info = info_of(in), result;
    SlbImage source = {.info = info, .data = in->data}, target = {0};
    give_up(c);
    SlbStatus s = result_of(&c->options, &info, &result, err);
    if (s == SLB_OK && !in->data) s = slb_fail(err, SLB_E_USAGE, "in: there is no data");
    if (s == SLB_OK) s = check_stride(&info, in->stride_bytes, &source.stride_bytes, err);
    if (s == SLB_OK) s = check_out(out, &result, err);
    if (s == SLB_OK)
        s = check_stride(&result, out->data ? out->stride_bytes : 0, &target.stride_bytes, err);
    if (s == SLB_OK) s = set_up(c, &info, &result, &options, err);
    target.info = result;
    target.data = out->data;
    if (s == SLB_OK && !out->data) s = slb_image_alloc(&target, result, err);
    if (s == SLB_OK)
        s = slb_upscale_pixels(c->plan, &source, &options, c->options.tta, &target, err);
    if (s == SLB_OK) {
        describe(&result, out);
        out->data = target.data;
        out->stride_bytes = target.stride_bytes;
    } else if (!out->data) {
        slb_free(target.data);
    }
    return s;
}

SlbsrStatus slbsr_context_upscale(SlbsrContext *context, const SlbsrImage *in, SlbsrImage *out,
                                  SlbsrError *error)
{
    SlbError err;
    return tell(upscale(context, in, out, &err), &err, error);
}

SlbsrStatus slbsr_upscale(const SlbsrOptions *options, const SlbsrImage *in, SlbsrImage *out,
                          SlbsrError *error)
{
    SlbsrContext *context;
    SlbsrStatus s = slbsr_context_new(options, &context, error);
    if (s == SLBSR_OK) s = slbsr_context_upscale(context, in, out, error);
    slbsr_context_free(context);
    return s;
}

void slbsr_image_free(SlbsrImage *image)
{
    slb_free(image->data);
    *image = (SlbsrImage){0};
}

/* ---- Rows ---- */

SlbsrStatus slbsr_begin(SlbsrContext *context, const SlbsrImage *in, SlbsrImage *out,
                        SlbsrError *error)
{
    SlbError err;
    SlbUpscaleOptions options;
    SlbImageInfo info = info_of(in), result;
    SlbStatus s = SLB_OK;
    give_up(context);
    if (context->options.tta || context->options.wrap & SLBSR_WRAP_Y)
        s = slb_fail(&err, SLB_E_USAGE, "tta and SLBSR_WRAP_Y want the whole picture, not rows");
    if (s == SLB_OK) s = result_of(&context->options, &info, &result, &err);
    if (s == SLB_OK && out->depth) {
        result.depth = out->depth;
        if (out->depth != 8 && out->depth != 16)
            s = slb_fail(&err, SLB_E_USAGE, "out: a depth of %d bits is not 8 or 16", out->depth);
    }
    if (s == SLB_OK) s = set_up(context, &info, &result, &options, &err);
    if (s == SLB_OK) s = slb_upscaler_create(context->plan, &info, &options, &context->up, &err);
    if (s == SLB_OK) describe(&result, out);
    return tell(s, &err, error);
}

uint32_t slbsr_wanted(const SlbsrContext *context)
{
    return context->up ? slb_upscaler_wants(context->up) : 0;
}

SlbsrStatus slbsr_push(SlbsrContext *context, const void *rows, size_t stride_bytes, uint32_t count,
                       SlbsrError *error)
{
    SlbError err;
    size_t stride;
    uint32_t wanted = slbsr_wanted(context);
    SlbStatus s = SLB_OK;
    if (count > wanted)
        s = slb_fail(&err, SLB_E_USAGE, "%u rows are pushed, %u wanted", count, wanted);
    if (s == SLB_OK && count)
        s = check_stride(slb_upscaler_in(context->up), stride_bytes, &stride, &err);
    if (s == SLB_OK && count) slb_upscaler_push(context->up, rows, stride, count);
    return tell(s, &err, error);
}

SlbsrStatus slbsr_pull(SlbsrContext *context, void *rows, size_t stride_bytes, uint32_t count,
                       uint32_t *got, SlbsrError *error)
{
    SlbError err;
    size_t stride;
    *got = 0;
    if (!context->up) return tell(slb_fail(&err, SLB_E_USAGE, "no picture is begun"), &err, error);
    uint32_t ready = slb_upscaler_ready(context->up);
    if (ready < count) count = ready;
    SlbStatus s = check_stride(slb_upscaler_out(context->up), stride_bytes, &stride, &err);
    if (s != SLB_OK) return tell(s, &err, error);
    s = slb_upscaler_pull(context->up, rows, stride, count, &err);
    if (s == SLB_OK)
        *got = count;
    else
        give_up(context);
    return tell(s, &err, error);
}
