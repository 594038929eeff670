/* Where the rows of a plan's tensors are kept, and which steps are run together. */
#include "infer/plan_steps.h"

/* Pixels of a source that a step needs beyond those of its own range of pixels; a shuffle's source
 * has fewer, larger ones. */
static int source_halo(const Step *s)
{
    if (s->kind == STEP_SHUFFLE) return (s->halo + s->factor - 1) / s->factor;
    return s->halo + step_reach(s);
}

/* A tick is a row of the output. At tick t, those steps of which `every` divides t make row t /
 * every + halo of their tensors, in the order of the network. What they read is there by then:
 *
 * A source at the same resolution makes a row at the same ticks, and is `reach` or more rows ahead.
 * The reader is source's halo - its own halo rows behind and reaches `reach` rows further back: so
 * many rows, and the newest, must be kept.
 *
 * A shuffle by R at t / every = a R + b, 0 <= b < R, reads row (a R + b + halo) / R, rounded
 * down, which is at most a + halo / R, rounded up; there are rows up to a + source's halo. It is at
 * least a + halo / R, rounded down: so many rows must be kept. */
static void size_rings(SlbPlan *plan)
{
    plan->steps[plan->step_count - 1].ring = 1;
    for (int i = plan->step_count - 1; i >= 0; i--) {
        const Step *s = &plan->steps[i];
        if (s->halo * s->every > plan->lead) plan->lead = s->halo * s->every;
        for (int k = 0; k < 2; k++) {
            if (s->source[k] < 0) continue;
            Step *from = &plan->steps[s->source[k]];
            from->ring = 1;
            if (from->halo < source_halo(s)) from->halo = source_halo(s);
        }
    }
    plan->radius = plan->steps[0].halo;
    for (int i = plan->step_count - 1; i >= 0; i--) {
        const Step *s = &plan->steps[i];
        for (int k = 0; k < 2; k++) {
            if (s->source[k] < 0) continue;
            Step *from = &plan->steps[s->source[k]];
            int behind = s->kind == STEP_SHUFFLE ? s->halo / s->factor : s->halo - step_reach(s);
            int rows = from->halo - behind + 1;
            if (from->ring < rows) from->ring = rows;
        }
    }
}

/* Steps that make a pixel of those before it at the same place. */
static bool is_elementwise(const Step *s)
{
    return s->kind == STEP_ADD || s->kind == STEP_LRELU || s->kind == STEP_QUANTIZE ||
           s->kind == STEP_SIGNS;
}

/* Whether two steps make the same rows, of the same columns, at the same ticks. */
static bool keep_pace(const Step *a, const Step *b)
{
    return a->scale == b->scale && a->halo == b->halo;
}

static bool reads(const Step *s, int step)
{
    return s->source[0] == step || s->source[1] == step;
}

/* Of a reader: that it needs a row at the tick in which it is made, and not later. */
static bool reads_at_once(const Step *reader, const Step *from)
{
    return is_elementwise(reader) && keep_pace(reader, from);
}

/* The last step that reads the tensor, if all that do are elementwise and read a row at the tick in
 * which it is made; else 0. */
static int last_at_once(const SlbPlan *plan, int step)
{
    int last = 0;
    for (int i = step + 1; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (!reads(s, step)) continue;
        if (!reads_at_once(s, &plan->steps[step])) return 0;
        last = i;
    }
    return last;
}

/* Rows that are done with in the tick in which they are made need no ring of their own: they share
 * a few, which stay in the cache. A step may write over what it is the last to read; pixels of a
 * shared row are always of the same size, since a chain does so while others of its pixels wait. */
static void share_rows(SlbPlan *plan)
{
    int last[MAX_SHARED] = {0}; /* step that reads the shared row */
    size_t stride[MAX_SHARED] = {0};
    for (int i = 0; i < plan->step_count; i++) {
        Step *s = &plan->steps[i];
        s->shared = -1;
        int reader = last_at_once(plan, i);
        if (reader == 0) continue;
        for (int k = 0; k < MAX_SHARED; k++) {
            if (last[k] >= i + (is_elementwise(s) ? 1 : 0)) continue;
            if (stride[k] != 0 && stride[k] != s->stride) continue;
            last[k] = reader;
            stride[k] = s->stride;
            s->shared = k;
            if (plan->shared_rows <= k) plan->shared_rows = k + 1;
            break;
        }
    }
}

/* Whether step `reader` may write its sum over what it reads from `source`: nobody else has use for
 * that any more, since others read their rows at the tick in which they are made. */
static bool may_replace(const SlbPlan *plan, int reader, int source)
{
    const Step *to = &plan->steps[reader], *from = &plan->steps[source];
    if (to->stride != from->stride || to->scale != from->scale || from->shared >= 0) return false;
    for (int i = source + 1; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (i == reader || !reads(s, source)) continue;
        if (!reads_at_once(s, from) || (i > reader && keep_pace(to, from))) return false;
    }
    return true;
}

/* A sum that goes from skip to skip stays where it is: its rows are in one ring, each at the place
 * of the skip that it has come to. */
static void share_rings(SlbPlan *plan)
{
    for (int i = 0; i < plan->step_count; i++) {
        Step *s = &plan->steps[i];
        s->home = i;
        for (int k = 0; s->kind == STEP_ADD && s->shared < 0 && k < 2; k++)
            if (s->home == i && may_replace(plan, i, s->source[k]))
                s->home = plan->steps[s->source[k]].home;
        Step *home = &plan->steps[s->home];
        int rows = s->shared < 0 ? home->halo - s->halo + s->ring : 0;
        if (home->rows < rows) home->rows = rows;
    }
}

/* Elementwise steps that follow one another are run together on a few pixels at a time, which stay
 * in the first-level cache. */
static void find_chains(SlbPlan *plan)
{
    int first = 0; /* of the chain */
    for (int i = 0; i < plan->step_count; i++) {
        Step *s = &plan->steps[i];
        const Step *before = &plan->steps[first];
        bool follows = is_elementwise(s) && is_elementwise(before) && keep_pace(s, before);
        if (!follows) first = i;
        s->chain = 1;
        plan->steps[first].chain = i - first + 1;
    }
}

void slb_plan_lay_out(SlbPlan *plan)
{
    size_rings(plan);
    share_rows(plan);
    share_rings(plan);
    find_chains(plan);
}
