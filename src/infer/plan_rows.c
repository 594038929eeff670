#include <string.h>

#include "infer/plan_task.h"
#include "kern/edge.h"
#include "kern/tensor.h"

enum { CHUNK_FLOATS = 4096 }; /* 16 KiB: a tensor's part of the first-level cache */

/* The pixel (x, y) of a tensor: x may be one beyond the columns held, y outside the picture. */
static const void *pixel(const Task *t, int step, int64_t x, int64_t y)
{
    const View *v = &t->views[step];
    bool inside = y >= 0 && y < v->height;
    const unsigned char *row =
        inside ? v->rows + (size_t)((y - v->top) % v->ring) * v->row_bytes : v->outside;
    return row + (size_t)(x - v->left + 1) * v->pixel_bytes;
}

static void *output_row(const Task *t, int step, int64_t y)
{
    return (void *)pixel(t, step, t->views[step].x0, y);
}

/* Address of tap `tap` for the first pixel of the step's row y. */
static const void *tap_address(const Task *t, int step, int64_t y, int tap)
{
    const Step *s = &t->run->plan->steps[step];
    int reach = step_reach(s);
    return pixel(t, s->source[0], t->views[step].x0 + tap % s->kernel - reach,
                 y + tap / s->kernel - reach);
}

static void run_f32(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    SlbConvF32 a = {.taps = s->kernel * s->kernel,
                    .in_channels = s->in_channels,
                    .in_stride = t->run->plan->steps[s->source[0]].stride,
                    .out = output_row(t, step, y),
                    .out_channels = slb_out_padded(s->channels),
                    .out_stride = s->stride,
                    .pixels = task_columns(t, step),
                    .weight = s->weight,
                    .bias = s->bias,
                    .relu = s->relu};
    for (int k = 0; k < a.taps; k++) a.in[k] = tap_address(t, step, y, k);
    s->run_f32(&a);
}

static void run_edge(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    void *out = output_row(t, step, y);
    SlbConvEdge a = {.taps = s->kernel * s->kernel,
                     .in_channels = s->in_channels,
                     .in_stride = t->run->plan->steps[s->source[0]].stride,
                     .pixels = task_columns(t, step),
                     .out_channels = s->channels,
                     .weight = s->weight,
                     .bias = s->bias,
                     .relu = s->relu,
                     .out_f32 = s->element == ELEMENT_CODE ? NULL : out,
                     .out_u8 = s->element == ELEMENT_CODE ? out : NULL,
                     .inverse_step = s->inverse_step,
                     .code_max = (float)s->code.most,
                     .out_stride = s->stride};
    for (int k = 0; k < a.taps; k++) a.in[k] = tap_address(t, step, y, k);
    slb_conv_edge(t->run->plan->options.level)(&a);
}

static void run_u8(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    void *out = output_row(t, step, y);
    SlbConvU8 a = {.taps = s->kernel * s->kernel,
                   .in_channels = s->in_channels,
                   .in_stride = t->run->plan->steps[s->source[0]].stride,
                   .pixels = task_columns(t, step),
                   .out_channels = slb_out_padded(s->channels),
                   .weight = s->weight,
                   .bias = s->int_bias,
                   .multiplier = s->multiplier,
                   .out_u8 = s->element == ELEMENT_CODE ? out : NULL,
                   .out_f32 = s->element == ELEMENT_CODE ? NULL : out,
                   .code_max = (float)s->code.most,
                   .out_stride = s->stride,
                   .relu = s->relu};
    for (int k = 0; k < a.taps; k++) a.in[k] = tap_address(t, step, y, k);
    s->u8->run(&a);
}

/* Those of the nine taps whose pixels lie beyond the picture: around row y; around the first and
 * the last pixel of a row. Bit t for tap t. */
enum { TAPS_ABOVE = 0007, TAPS_BELOW = 0700, TAPS_LEFT = 0111, TAPS_RIGHT = 0444 };

static void run_xnor(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    const View *v = &t->views[step];
    void *out = output_row(t, step, y);
    SlbConvXnor a = {.taps = s->kernel * s->kernel,
                     .in_channels = s->in_channels,
                     .in_stride = t->run->plan->steps[s->source[0]].stride,
                     .pixels = task_columns(t, step),
                     .out_channels = slb_out_padded(s->channels),
                     .weight = s->weight,
                     .bias = s->int_bias,
                     .multiplier = s->multiplier,
                     .out_u8 = s->element == ELEMENT_CODE ? out : NULL,
                     .out_f32 = s->element == ELEMENT_CODE ? NULL : out,
                     .code_max = (float)s->code.most,
                     .out_stride = s->stride,
                     .relu = s->relu};
    for (int k = 0; k < a.taps; k++) a.in[k] = tap_address(t, step, y, k);
    if (a.taps == SLB_MAX_TAPS) {
        if (y == 0) a.outside |= TAPS_ABOVE;
        if (y + 1 == v->height) a.outside |= TAPS_BELOW;
        if (v->x0 == 0) a.first_outside = TAPS_LEFT;
        if (v->x1 == (int64_t)t->run->width * s->scale) a.last_outside = TAPS_RIGHT;
    }
    s->xnor->run(&a);
}

/* The input's row, of which the caller's memory holds a part of the picture. */
static void run_input(const Task *t, int step, int64_t y)
{
    const Run *r = t->run;
    size_t channels = t->run->plan->steps[step].stride, width = (size_t)r->width * channels;
    memcpy(output_row(t, step, y),
           r->in + (size_t)(y - r->in_rows.first) * width + (size_t)t->views[step].x0 * channels,
           task_columns(t, step) * channels * sizeof(float));
}

/* A part of a row, for the steps that make a pixel of those at the same place. */
typedef struct Part {
    const Task *task;
    const Step *step;
    int index;    /* of the step */
    int64_t x, y; /* its first pixel */
    size_t pixels;
} Part;

static size_t source_stride(const Part *part, int which)
{
    return part->task->run->plan->steps[part->step->source[which]].stride;
}

static const float *source(const Part *part, int which)
{
    return pixel(part->task, part->step->source[which], part->x, part->y);
}

static void *result(const Part *part)
{
    return (void *)pixel(part->task, part->index, part->x, part->y);
}

/* How a pass over a part goes: all of it at once where the tensors have the same stride, else pixel
 * by pixel. */
typedef struct Pass {
    size_t times, count; /* calls, elements of each */
} Pass;

static Pass pass_of(const Part *part, size_t stride, size_t other_stride)
{
    const Step *s = part->step;
    if (stride == s->stride && other_stride == s->stride) return (Pass){1, part->pixels * stride};
    return (Pass){part->pixels, (size_t)s->channels};
}

static void run_add(const Part *part, const SlbTensorOps *ops)
{
    size_t stride = part->step->stride, a_stride = source_stride(part, 0),
           b_stride = source_stride(part, 1);
    const float *a = source(part, 0), *b = source(part, 1);
    float *out = result(part);
    Pass pass = pass_of(part, a_stride, b_stride);
    for (size_t p = 0; p < pass.times; p++)
        ops->add_f32(a + p * a_stride, b + p * b_stride, pass.count, out + p * stride);
}

static void run_lrelu(const Part *part, const SlbTensorOps *ops)
{
    size_t stride = part->step->stride, in_stride = source_stride(part, 0);
    const float *in = source(part, 0);
    float *out = result(part);
    Pass pass = pass_of(part, in_stride, in_stride);
    for (size_t p = 0; p < pass.times; p++)
        ops->leak_f32(in + p * in_stride, SLB_LRELU_SLOPE, pass.count, out + p * stride);
}

static void run_quantize(const Part *part, const SlbTensorOps *ops)
{
    const Step *s = part->step;
    size_t in_stride = source_stride(part, 0);
    const float *in = source(part, 0);
    uint8_t *out = result(part);
    Pass pass = pass_of(part, in_stride, in_stride);
    for (size_t p = 0; p < pass.times; p++)
        ops->quantize(in + p * in_stride, s->inverse_step, s->code, pass.count,
                      out + p * s->stride);
}

static void run_signs(const Part *part, const SlbTensorOps *ops)
{
    ops->signs(source(part, 0), part->pixels, source_stride(part, 0), (size_t)part->step->channels,
               part->step->stride, result(part));
}

static void run_part(const Part *part)
{
    const SlbTensorOps *ops = slb_tensor_ops(part->task->run->plan->options.level);
    switch (part->step->kind) {
    case STEP_ADD: run_add(part, ops); break;
    case STEP_LRELU: run_lrelu(part, ops); break;
    case STEP_QUANTIZE: run_quantize(part, ops); break;
    default: run_signs(part, ops); break;
    }
}

/* The steps of a chain, a few pixels at a time. */
static void run_chain(const Task *t, int first, int64_t y)
{
    const Step *steps = t->run->plan->steps;
    size_t columns = task_columns(t, first), stride = steps[first].stride;
    size_t most = stride < CHUNK_FLOATS ? CHUNK_FLOATS / stride : 1;
    for (size_t x = 0; x < columns; x += most) {
        size_t pixels = columns - x < most ? columns - x : most;
        for (int i = first; i < first + steps[first].chain; i++) {
            Part part = {t, &steps[i], i, t->views[i].x0 + (int64_t)x, y, pixels};
            run_part(&part);
        }
    }
}

/* nets/README.md: channel c R R + i R + j of pixel (x, y) is channel c of (R x + j, R y + i). */
static void run_shuffle(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    const View *v = &t->views[step];
    int r = s->factor, j = (int)(v->x0 % r);
    size_t in_stride = t->run->plan->steps[s->source[0]].stride;
    const float *in = pixel(t, s->source[0], v->x0 / r, y / r);
    in += (y % r) * r;
    float *out = output_row(t, step, y);
    for (int64_t x = v->x0; x < v->x1; x++, out += s->stride) {
        for (int c = 0; c < s->channels; c++) out[c] = in[c * r * r + j];
        if (++j < r) continue;
        j = 0;
        in += in_stride;
    }
}

void slb_task_row(const Task *t, int step, int64_t y)
{
    switch (t->run->plan->steps[step].kind) {
    case STEP_INPUT: run_input(t, step, y); break;
    case STEP_CONV_F32: run_f32(t, step, y); break;
    case STEP_EDGE: run_edge(t, step, y); break;
    case STEP_CONV_U8: run_u8(t, step, y); break;
    case STEP_CONV_XNOR: run_xnor(t, step, y); break;
    case STEP_SHUFFLE: run_shuffle(t, step, y); break;
    case STEP_ADD:
    case STEP_LRELU:
    case STEP_QUANTIZE:
    case STEP_SIGNS: run_chain(t, step, y); break;
    }
}

void slb_task_write(const Task *t, int64_t y)
{
    const Run *r = t->run;
    int last = r->plan->step_count - 1;
    const View *v = &t->views[last];
    size_t stride = r->plan->steps[last].stride, channels = (size_t)r->plan->channels;
    size_t width = (size_t)r->width * (size_t)r->plan->scale;
    const float *row = pixel(t, last, v->x0, y);
    float *out = r->out + ((size_t)(y - r->out_y0) * width + (size_t)v->x0) * channels;
    for (size_t p = 0; p < task_columns(t, last); p++)
        for (size_t c = 0; c < channels; c++) out[p * channels + c] = row[p * stride + c];
}
