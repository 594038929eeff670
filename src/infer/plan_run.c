#include <omp.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "infer/plan_task.h"

enum {
    ROW_ALIGN = SLB_ALIGN,
    REPORT_ROWS = 16, /* of a task, between two reports of progress */
    MIN_BAND = 16,    /* rows */
    MAX_BANDS = 64,
};

/* -- memory -- */

static size_t row_bytes(const Step *s, uint64_t columns)
{
    size_t bytes = ((size_t)columns + 2) * s->stride * step_element_bytes(s);
    return (bytes + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
}

/* Columns of a step's tensor in the widest task. */
static uint64_t widest(const Run *r, const Step *s)
{
    uint64_t scale = (uint64_t)s->scale;
    uint64_t columns = r->strip * scale + 2 * (uint64_t)s->halo;
    return columns < r->width * scale ? columns : r->width * scale;
}

static size_t views_bytes(const SlbPlan *plan)
{
    size_t bytes = (size_t)plan->step_count * sizeof(View);
    return (bytes + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
}

/* The longest row of all tensors. */
static size_t outside_bytes(const Run *r)
{
    size_t longest = 0;
    for (int i = 0; i < r->plan->step_count; i++) {
        size_t row = row_bytes(&r->plan->steps[i], widest(r, &r->plan->steps[i]));
        if (row > longest) longest = row;
    }
    return longest;
}

/* An arena: the views, two rows beyond the picture, shared rows, the rings. SIZE_MAX when that is
 * no number. */
static size_t arena_bytes(const Run *r)
{
    size_t sum = views_bytes(r->plan), outside = outside_bytes(r);
    for (int i = 0; i < r->plan->step_count; i++) {
        const Step *s = &r->plan->steps[i];
        size_t ring;
        if (__builtin_mul_overflow(row_bytes(s, widest(r, s)), (size_t)s->rows, &ring) ||
            __builtin_add_overflow(sum, ring, &sum))
            return SIZE_MAX;
    }
    outside *= 2 + (size_t)r->plan->shared_rows;
    return __builtin_add_overflow(sum, outside, &sum) ? SIZE_MAX : sum;
}

static int64_t clip(int64_t value, int64_t high)
{
    return value < 0 ? 0 : value < high ? value : high;
}

/* The part of a tensor that belongs to these rows and columns of the input. */
static View make_view(const Run *r, const Step *s, int64_t x0, int64_t x1, int64_t y0, int64_t y1)
{
    int64_t width = (int64_t)r->width * s->scale, height = (int64_t)r->height * s->scale;
    View v = {.pixel_bytes = s->stride * step_element_bytes(s),
              .x0 = clip(x0 * s->scale - s->halo, width),
              .x1 = clip(x1 * s->scale + s->halo, width),
              .y0 = clip(y0 * s->scale - s->halo, height),
              .y1 = clip(y1 * s->scale + s->halo, height),
              .height = height,
              .ring = s->shared < 0 ? s->rows : 1};
    v.left = v.x0;
    v.top = v.y0;
    v.row_bytes = row_bytes(s, (uint64_t)(v.x1 - v.x0));
    return v;
}

/* Lets a tensor live in the ring of another one. */
static void put_into(const View *home, View *v)
{
    v->rows = home->rows;
    v->row_bytes = home->row_bytes;
    v->left = home->left;
    v->top = home->top;
    v->ring = home->ring;
}

/* Cuts the arena up for task `index`; every byte that no step writes becomes part of a 0: in
 * floats, in codes without a sign, in codes with one. */
static Task make_task(const Run *r, unsigned char *arena, uint64_t index)
{
    memset(arena, 0, r->arena_bytes);
    int64_t x0 = (int64_t)(index % r->strips * r->strip);
    int64_t y0 = r->first + (int64_t)(index / r->strips * r->band);
    int64_t x1 = clip(x0 + r->strip, r->width), y1 = clip(y0 + r->band, r->end);
    Task t = {.run = r, .views = (View *)arena};
    size_t outside = outside_bytes(r);
    unsigned char *zeroes = arena + views_bytes(r->plan), *middles = zeroes + outside;
    unsigned char *shared = middles + outside;
    unsigned char *next = shared + (size_t)r->plan->shared_rows * outside;
    for (int i = 0; i < r->plan->step_count; i++) {
        const Step *s = &r->plan->steps[i];
        View *v = &t.views[i];
        *v = make_view(r, s, x0, x1, y0, y1);
        v->rows = s->shared < 0 ? next : shared + (size_t)s->shared * outside;
        v->outside = s->code.zero ? middles : zeroes;
        next += v->row_bytes * (size_t)s->rows;
        if (s->home != i) put_into(&t.views[s->home], v);
        if (s->code.zero == 0) continue;
        memset(v->rows, s->code.zero, v->row_bytes * (size_t)s->rows);
        memset(middles, s->code.zero, v->row_bytes); /* the same for all steps of a plan */
    }
    int64_t scale = r->plan->scale;
    t.y0 = y0 * scale > r->out_y0 ? y0 * scale : r->out_y0;
    t.y1 = y1 * scale < r->out_y1 ? y1 * scale : r->out_y1;
    return t;
}

/* -- tasks -- */

/* Adds to what is done; false when the run is cancelled. */
static bool report(Run *r, uint64_t pixels)
{
    omp_set_lock(&r->lock); /* of this run: what progress calls may run other plans */
    r->done += pixels;
    if (!r->cancelled && r->progress) r->cancelled = r->progress(r->user, r->done, r->total) != 0;
    bool go_on = !r->cancelled;
    omp_unset_lock(&r->lock);
    return go_on;
}

/* The rows that are due at tick `tick` (plan_layout.c, size_rings), as far as the task has them. */
static void run_tick(const Task *t, int64_t tick)
{
    const SlbPlan *plan = t->run->plan;
    for (int i = 0; i < plan->step_count; i += plan->steps[i].chain) {
        const Step *s = &plan->steps[i];
        if (tick % s->every != 0) continue;
        int64_t row = tick / s->every + s->halo;
        if (row >= t->views[i].y0 && row < t->views[i].y1) slb_task_row(t, i, row);
    }
}

/* The first row of a step is `halo` before those of the output, and it is made `halo` rows early:
 * hence twice the lead. */
static void run_task(Run *r, unsigned char *arena, uint64_t index)
{
    if (!report(r, 0)) return;
    Task t = make_task(r, arena, index);
    int last = r->plan->step_count - 1;
    uint64_t fresh = 0; /* rows not yet reported */
    for (int64_t y = t.views[last].y0 - 2 * (int64_t)r->plan->lead; y < t.y1; y++) {
        run_tick(&t, y);
        if (y < t.y0) continue;
        slb_task_write(&t, y);
        if (++fresh < REPORT_ROWS && y + 1 < t.y1) continue;
        if (!report(r, fresh * task_columns(&t, last))) return;
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
        column += (size_t)(s->rows * s->scale) * s->stride * step_element_bytes(s);
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
    uint64_t rows = (uint64_t)(r->end - r->first);
    for (uint64_t b = 1; b <= MAX_BANDS && (b == 1 || rows / b >= least); b++) {
        uint64_t rounds = divide_up(r->strips * b, threads);
        uint64_t cost = rounds * (divide_up(rows, b) + extra);
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
    uint64_t rows = (uint64_t)(r->end - r->first);
    r->band = (uint32_t)divide_up(rows, choose_bands(r));
    r->bands = divide_up(rows, r->band);
    r->arena_bytes = arena_bytes(r);
}

static SlbStatus run_all(Run *r, SlbError *err)
{
    divide(r);
    int64_t tasks = (int64_t)(r->strips * r->bands);
    int threads = r->plan->options.threads;
    if (tasks < threads) threads = (int)tasks;
    unsigned char *arenas = slb_alloc((size_t)threads, r->arena_bytes);
    if (!arenas) return slb_fail_memory(err, "the rows of the network");
    omp_init_lock(&r->lock);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t i = 0; i < tasks; i++)
        run_task(r, arenas + (size_t)omp_get_thread_num() * r->arena_bytes, (uint64_t)i);
    omp_destroy_lock(&r->lock);
    slb_free(arenas);
    if (r->cancelled) return slb_fail(err, SLB_PARTIAL, "cancelled");
    return SLB_OK;
}

uint64_t slb_plan_bytes(const SlbPlan *plan, uint32_t width)
{
    Run r = {.plan = plan, .width = width, .height = 1, .end = 1};
    divide(&r);
    return plan->weight_bytes + (uint64_t)plan->options.threads * r.arena_bytes;
}

/* Rows of the input that lie under rows of the output. */
static void under(const SlbPlan *plan, SlbRows out, int64_t *first, int64_t *end)
{
    int64_t out_end = (int64_t)out.first + out.count;
    *first = out.first / plan->scale;
    *end = (out_end + plan->scale - 1) / plan->scale;
}

SlbRows slb_plan_reads(const SlbPlan *plan, uint32_t height, SlbRows out)
{
    int64_t first, end;
    under(plan, out, &first, &end);
    first = clip(first - plan->radius, height);
    end = clip(end + plan->radius, height);
    return out.count ? (SlbRows){(uint32_t)first, (uint32_t)(end - first)} : (SlbRows){0, 0};
}

SlbStatus slb_plan_run_rows(const SlbPlan *plan, uint32_t width, uint32_t height, const float *in,
                            SlbRows in_rows, float *out, SlbRows out_rows, SlbProgress progress,
                            void *user, SlbError *err)
{
    SlbRows needed = slb_plan_reads(plan, height, out_rows);
    int64_t in_end = (int64_t)in_rows.first + in_rows.count;
    int64_t out_end = (int64_t)out_rows.first + out_rows.count;
    if (out_end > (int64_t)height * plan->scale)
        return slb_fail(err, SLB_E_USAGE, "rows up to %lld of an output that has %lld",
                        (long long)out_end, (long long)height * plan->scale);
    if (width == 0 || out_rows.count == 0) return SLB_OK;
    if (in_rows.first > needed.first || in_end < (int64_t)needed.first + needed.count)
        return slb_fail(err, SLB_E_USAGE, "rows %u + %u of the input are needed, not %u + %u",
                        needed.first, needed.count, in_rows.first, in_rows.count);
    Run r = {.plan = plan,
             .in = in,
             .out = out,
             .width = width,
             .height = height,
             .in_rows = in_rows,
             .out_y0 = out_rows.first,
             .out_y1 = out_end,
             .progress = progress,
             .user = user,
             .total = (uint64_t)width * (uint64_t)plan->scale * out_rows.count};
    under(plan, out_rows, &r.first, &r.end);
    return run_all(&r, err);
}

SlbStatus slb_plan_run(const SlbPlan *plan, const float *in, float *out, uint32_t width,
                       uint32_t height, SlbProgress progress, void *user, SlbError *err)
{
    if (height > UINT32_MAX / (uint32_t)plan->scale)
        return slb_fail(err, SLB_E_USAGE, "%u rows times %d are too many", height, plan->scale);
    SlbRows out_rows = {0, height * (uint32_t)plan->scale};
    return slb_plan_run_rows(plan, width, height, in, (SlbRows){0, height}, out, out_rows, progress,
                             user, err);
}
