#include <omp.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "infer/plan_steps.h"
#include "kern/edge.h"
#include "quant/requant.h"

enum {
    ROW_ALIGN = SLB_ALIGN,
    REPORT_ROWS = 16, /* of a task, between two reports of progress */
    MIN_BAND = 16,    /* rows */
    MAX_BANDS = 64,
};

/* The picture is cut into strips of columns and these into bands of rows: a task each. */
typedef struct Run {
    const SlbPlan *plan;
    const float *in;
    float *out;
    uint32_t width, height;
    uint32_t strip, band; /* pixels, rows; the last ones may be smaller */
    uint64_t strips, bands;
    size_t arena_bytes;
    SlbProgress progress;
    void *user;
    uint64_t done; /* pixels */
    int cancelled;
} Run;

/* What a task holds of one tensor: columns x0..x1 of rows y0..y1 of the picture, the last `ring` of
 * those rows at a time, with one zero pixel to the left and one to the right. A neighbour beyond x0
 * or x1 is read only where that is the border of the picture, since a tensor is as much wider than
 * its reader as that reaches. */
typedef struct View {
    unsigned char *rows;
    size_t row_bytes, pixel_bytes;
    int64_t x0, x1, y0, y1;
    int ring;
} View;

typedef struct Task {
    const Run *run;
    View *views;                 /* [step_count] */
    const unsigned char *zeroes; /* a row of zero pixels, as long as the longest */
    int64_t y0, y1;              /* rows of the output */
} Task;

/* -- memory -- */

static size_t row_bytes(const Step *s, uint64_t columns)
{
    size_t bytes = ((size_t)columns + 2) * s->stride * step_element_bytes(s);
    return (bytes + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
}

/* Columns of a step's tensor in the widest task. */
static uint64_t widest(const Run *r, const Step *s)
{
    uint64_t columns = (uint64_t)r->strip + 2 * (uint64_t)s->halo;
    return columns < r->width ? columns : r->width;
}

static size_t views_bytes(const SlbPlan *plan)
{
    size_t bytes = (size_t)plan->step_count * sizeof(View);
    return (bytes + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
}

/* An arena: the views, the zero row, the rings. SIZE_MAX when that is no number. */
static size_t arena_bytes(const Run *r)
{
    size_t sum = views_bytes(r->plan), longest = 0;
    for (int i = 0; i < r->plan->step_count; i++) {
        const Step *s = &r->plan->steps[i];
        size_t row = row_bytes(s, widest(r, s)), ring;
        if (row > longest) longest = row;
        if (__builtin_mul_overflow(row, (size_t)s->ring, &ring) ||
            __builtin_add_overflow(sum, ring, &sum))
            return SIZE_MAX;
    }
    return __builtin_add_overflow(sum, longest, &sum) ? SIZE_MAX : sum;
}

static int64_t clip(int64_t value, int64_t high)
{
    return value < 0 ? 0 : value < high ? value : high;
}

/* Cuts the arena up for task `index`; all its bytes become zero, among them the pixels beside the
 * rows. */
static Task make_task(const Run *r, unsigned char *arena, uint64_t index)
{
    memset(arena, 0, r->arena_bytes);
    int64_t x0 = (int64_t)(index % r->strips * r->strip);
    int64_t y0 = (int64_t)(index / r->strips * r->band);
    int64_t x1 = clip(x0 + r->strip, r->width), y1 = clip(y0 + r->band, r->height);
    Task t = {.run = r, .views = (View *)arena, .y0 = y0, .y1 = y1};
    unsigned char *next = arena + views_bytes(r->plan);
    for (int i = 0; i < r->plan->step_count; i++) {
        const Step *s = &r->plan->steps[i];
        View *v = &t.views[i];
        *v = (View){.rows = next,
                    .pixel_bytes = s->stride * step_element_bytes(s),
                    .x0 = clip(x0 - s->halo, r->width),
                    .x1 = clip(x1 + s->halo, r->width),
                    .y0 = clip(y0 - s->halo, r->height),
                    .y1 = clip(y1 + s->halo, r->height),
                    .ring = s->ring};
        v->row_bytes = row_bytes(s, (uint64_t)(v->x1 - v->x0));
        next += v->row_bytes * (size_t)s->ring;
    }
    t.zeroes = next; /* behind the rings there is at least the longest row */
    return t;
}

/* -- one row of one step -- */

/* The pixel (x, y) of a tensor: x may be one beyond the columns held, y outside the picture. */
static const void *pixel(const Task *t, int step, int64_t x, int64_t y)
{
    const View *v = &t->views[step];
    bool inside = y >= 0 && y < (int64_t)t->run->height;
    const unsigned char *row =
        inside ? v->rows + (size_t)((y - v->y0) % v->ring) * v->row_bytes : t->zeroes;
    return row + (size_t)(x - v->x0 + 1) * v->pixel_bytes;
}

static void *output_row(const Task *t, int step, int64_t y)
{
    return (void *)pixel(t, step, t->views[step].x0, y);
}

static size_t columns(const Task *t, int step)
{
    return (size_t)(t->views[step].x1 - t->views[step].x0);
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
                    .pixels = columns(t, step),
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
                     .pixels = columns(t, step),
                     .out_channels = s->channels,
                     .weight = s->weight,
                     .bias = s->bias,
                     .relu = s->relu,
                     .out_f32 = s->codes ? NULL : out,
                     .out_u8 = s->codes ? out : NULL,
                     .inverse_step = s->inverse_step,
                     .code_max = 255.0f,
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
                   .pixels = columns(t, step),
                   .out_channels = slb_out_padded(s->channels),
                   .weight = s->weight,
                   .bias = s->int_bias,
                   .multiplier = s->multiplier,
                   .out_u8 = s->codes ? out : NULL,
                   .out_f32 = s->codes ? NULL : out,
                   .code_max = 255.0f,
                   .out_stride = s->stride,
                   .relu = s->relu};
    for (int k = 0; k < a.taps; k++) a.in[k] = tap_address(t, step, y, k);
    s->u8->run(&a);
}

static void run_add(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    int64_t x0 = t->views[step].x0;
    const float *a = pixel(t, s->source[0], x0, y), *b = pixel(t, s->source[1], x0, y);
    size_t a_stride = t->run->plan->steps[s->source[0]].stride;
    size_t b_stride = t->run->plan->steps[s->source[1]].stride;
    float *out = output_row(t, step, y);
    for (size_t p = 0; p < columns(t, step); p++)
        for (int c = 0; c < s->channels; c++)
            out[p * s->stride + (size_t)c] =
                a[p * a_stride + (size_t)c] + b[p * b_stride + (size_t)c];
}

static void run_quantize(const Task *t, int step, int64_t y)
{
    const Step *s = &t->run->plan->steps[step];
    const float *in = pixel(t, s->source[0], t->views[step].x0, y);
    uint8_t *out = output_row(t, step, y);
    size_t count = columns(t, step) * s->stride; /* both have the same stride */
    for (size_t i = 0; i < count; i++) out[i] = slb_quantize_u8(in[i], s->inverse_step, 255.0f);
}

static void run_row(const Task *t, int step, int64_t y)
{
    const Run *r = t->run;
    switch (r->plan->steps[step].kind) {
    case STEP_INPUT:
        memcpy(output_row(t, step, y), r->in + (size_t)y * r->width + t->views[step].x0,
               columns(t, step) * sizeof(float));
        break;
    case STEP_CONV_F32: run_f32(t, step, y); break;
    case STEP_EDGE: run_edge(t, step, y); break;
    case STEP_CONV_U8: run_u8(t, step, y); break;
    case STEP_ADD: run_add(t, step, y); break;
    case STEP_QUANTIZE: run_quantize(t, step, y); break;
    }
}

static void write_row(const Task *t, int64_t y)
{
    const Run *r = t->run;
    int last = r->plan->step_count - 1;
    size_t stride = r->plan->steps[last].stride;
    const float *row = pixel(t, last, t->views[last].x0, y);
    float *out = r->out + (size_t)y * r->width + t->views[last].x0;
    for (size_t p = 0; p < columns(t, last); p++) out[p] = row[p * stride];
}

/* -- tasks -- */

/* Adds to what is done; false when the run is cancelled. */
static bool report(Run *r, uint64_t pixels)
{
    bool go_on;
#pragma omp critical(slb_plan_report)
    {
        r->done += pixels;
        if (!r->cancelled && r->progress)
            r->cancelled = r->progress(r->user, r->done, (uint64_t)r->width * r->height) != 0;
        go_on = !r->cancelled;
    }
    return go_on;
}

/* At tick y every step makes row y + halo of its tensor, if the task has that row; so all that a
 * step reads is there already (plan.c, lay_out). Its first row is y0 - halo: hence twice the
 * radius. */
static void run_task(Run *r, unsigned char *arena, uint64_t index)
{
    if (!report(r, 0)) return;
    Task t = make_task(r, arena, index);
    int last = r->plan->step_count - 1;
    uint64_t fresh = 0; /* rows not yet reported */
    for (int64_t y = t.y0 - 2 * (int64_t)r->plan->radius; y < t.y1; y++) {
        for (int i = 0; i <= last; i++) {
            int64_t row = y + r->plan->steps[i].halo;
            if (row >= t.views[i].y0 && row < t.views[i].y1) run_row(&t, i, row);
        }
        if (y < t.y0) continue;
        write_row(&t, y);
        if (++fresh < REPORT_ROWS && y + 1 < t.y1) continue;
        if (!report(r, fresh * columns(&t, last))) return;
        fresh = 0;
    }
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

/* Rings that fill half of a core's own cache (weights want room too), or, since a strip computes
 * about `radius` columns more than it gives, a quarter of a core's share of the common one, up to
 * WIDE_RINGS: measured with VDSR on 1 MB of L2 and 32 MB of L3, strips of 512 columns took 448 ms
 * where 171 took 516. Never so narrow that what neighbours compute twice becomes the larger part.
 */
static uint32_t choose_strip(const SlbPlan *plan)
{
    enum { WIDE_RINGS = 5 << 19 };
    long own = sysconf(_SC_LEVEL2_CACHE_SIZE), common = sysconf(_SC_LEVEL3_CACHE_SIZE);
    size_t budget = (own > 0 ? (size_t)own : (size_t)1 << 20) / 2, column = 0;
    size_t wide = common > 0 ? (size_t)common / 4 / (size_t)plan->options.threads : 0;
    if (wide > WIDE_RINGS) wide = WIDE_RINGS;
    if (budget < wide) budget = wide;
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        column += (size_t)s->ring * s->stride * step_element_bytes(s);
    }
    size_t strip = budget / column, least = 6 * (size_t)plan->radius + 64;
    if (strip < least) strip = least;
    return (uint32_t)(strip < 4096 ? strip : 4096);
}

/* Bands such that the threads end soonest: each costs its rows and about `radius` more. */
static uint64_t choose_bands(const Run *r)
{
    uint64_t threads = (uint64_t)r->plan->options.threads, extra = (uint64_t)r->plan->radius;
    uint64_t least = 2 * extra > MIN_BAND ? 2 * extra : MIN_BAND;
    uint64_t best = 1, best_cost = UINT64_MAX;
    for (uint64_t b = 1; b <= MAX_BANDS && (b == 1 || r->height / b >= least); b++) {
        uint64_t rounds = divide_up(r->strips * b, threads);
        uint64_t cost = rounds * (divide_up(r->height, b) + extra);
        if (cost >= best_cost) continue;
        best = b;
        best_cost = cost;
    }
    return best;
}

static void divide(Run *r)
{
    uint32_t strip = r->plan->options.strip_px;
    if (strip == 0) /* strips of equal width */
        strip = (uint32_t)divide_up(r->width, divide_up(r->width, choose_strip(r->plan)));
    r->strip = strip < r->width ? strip : r->width;
    r->strips = divide_up(r->width, r->strip);
    r->band = (uint32_t)divide_up(r->height, choose_bands(r));
    r->bands = divide_up(r->height, r->band);
    r->arena_bytes = arena_bytes(r);
}

SlbStatus slb_plan_run(const SlbPlan *plan, const float *in, float *out, uint32_t width,
                       uint32_t height, SlbProgress progress, void *user, SlbError *err)
{
    if (width == 0 || height == 0) return SLB_OK;
    Run r = {.plan = plan,
             .in = in,
             .out = out,
             .width = width,
             .height = height,
             .progress = progress,
             .user = user};
    divide(&r);
    int64_t tasks = (int64_t)(r.strips * r.bands);
    int threads = tasks < plan->options.threads ? (int)tasks : plan->options.threads;
    unsigned char *arenas = slb_alloc((size_t)threads, r.arena_bytes);
    if (!arenas) return slb_fail_memory(err, "the rows of the network");
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t i = 0; i < tasks; i++)
        run_task(&r, arenas + (size_t)omp_get_thread_num() * r.arena_bytes, (uint64_t)i);
    slb_free(arenas);
    if (r.cancelled) return slb_fail(err, SLB_PARTIAL, "cancelled");
    return SLB_OK;
}
