#include <string.h>

#include "infer/plan_task.h"
#include "kern/edge.h"
#include "kern/tensor.h"

/* The pixel (x, y) of a tensor: x may be one beyond the columns held, y outside the picture. */
static const void *pixel(const Task *t, int step, int64_t x, int64_t y)
{
    const View *v = &t->views[step];
    bool inside = y >= 0 && y < v->height;
    const unsigned char *row =
        inside ? v->rows + (size_t)((y - v->y0) % v->ring) * v->row_bytes : v->outside;
    return row + (size_t)(x - v->x0 + 1) * v->pixel_bytes;
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

/* How a pass over a row goes: all of it at once where the tensors have the same stride, else pixel
 * by pixel. */
typedef struct Pass {
    size_t times, count; /* calls, elements of each */
} Pass;

static Pass pass_of(const Task *t, int step, size_t stride, size_t other_stride)
{
    const Step *s = &t->run->plan->steps[step];
    size_t pixels = task_columns(t, step);
    if (stride == s->stride && other_stride == s->stride) return (Pass){1, pixels * stride};
    return (Pass){pixels, (size_t)s->channels};
}

static void run_add(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    int64_t x0 = t->views[step].x0;
    const float *a = pixel(t, s->source[0], x0, y), *b = pixel(t, s->source[1], x0, y);
    size_t a_stride = t->run->plan->steps[s->source[0]].stride;
    size_t b_stride = t->run->plan->steps[s->source[1]].stride;
    float *out = output_row(t, step, y);
    Pass pass = pass_of(t, step, a_stride, b_stride);
    const SlbTensorOps *ops = slb_tensor_ops(t->run->plan->options.level);
    for (size_t p = 0; p < pass.times; p++)
        ops->add_f32(a + p * a_stride, b + p * b_stride, pass.count, out + p * s->stride);
}

static void run_lrelu(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    const float *in = pixel(t, s->source[0], t->views[step].x0, y);
    size_t stride = t->run->plan->steps[s->source[0]].stride;
    float *out = output_row(t, step, y);
    Pass pass = pass_of(t, step, stride, stride);
    const SlbTensorOps *ops = slb_tensor_ops(t->run->plan->options.level);
    for (size_t p = 0; p < pass.times; p++)
        ops->leak_f32(in + p * stride, SLB_LRELU_SLOPE, pass.count, out + p * s->stride);
}

static void run_quantize(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    const float *in = pixel(t, s->source[0], t->views[step].x0, y);
    size_t stride = t->run->plan->steps[s->source[0]].stride;
    uint8_t *out = output_row(t, step, y);
    Pass pass = pass_of(t, step, stride, stride);
    const SlbTensorOps *ops = slb_tensor_ops(t->run->plan->options.level);
    for (size_t p = 0; p < pass.times; p++)
        ops->quantize(in + p * stride, s->inverse_step, s->code, pass.count, out + p * s->stride);
}

static void run_signs(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    const float *in = pixel(t, s->source[0], t->views[step].x0, y);
    size_t stride = t->run->plan->steps[s->source[0]].stride;
    slb_tensor_ops(t->run->plan->options.level)
        ->signs(in, task_columns(t, step), stride, (size_t)s->channels, s->stride,
                output_row(t, step, y));
}

/* nets/README.md: channel c R R + i R + j of pixel (x, y) is channel c of (R x + j, R y + i). */
static void run_shuffle(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    const View *v = &t->views[step];
    size_t r = (size_t)s->factor;
    float *out = output_row(t, step, y);
    for (int64_t x = v->x0; x < v->x1; x++, out += s->stride) {
        const float *in = pixel(t, s->source[0], x / s->factor, y / s->factor);
        in += (size_t)(y % s->factor) * r + (size_t)(x % s->factor);
        for (size_t c = 0; c < (size_t)s->channels; c++) out[c] = in[c * r * r];
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
    case STEP_ADD: run_add(t, step, y); break;
    case STEP_LRELU: run_lrelu(t, step, y); break;
    case STEP_SHUFFLE: run_shuffle(t, step, y); break;
    case STEP_QUANTIZE: run_quantize(t, step, y); break;
    case STEP_SIGNS: run_signs(t, step, y); break;
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
