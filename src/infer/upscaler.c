#include "infer/upscaler.h"

#include <string.h>

#include "base/mem.h"
#include "infer/upscaler_state.h"

/* ---- Which rows are made of which ---- */

static SlbRows axis_reads(const SlbAxis *axis, SlbRows out)
{
    uint32_t low = UINT32_MAX, high = 0;
    size_t end = ((size_t)out.first + out.count) * axis->taps;
    for (size_t t = (size_t)out.first * axis->taps; t < end; t++) {
        if (axis->index[t] < low) low = axis->index[t];
        if (axis->index[t] > high) high = axis->index[t];
    }
    return (SlbRows){low, high - low + 1};
}

static SlbRows both(SlbRows a, SlbRows b)
{
    if (!a.count) return b;
    uint32_t first = a.first < b.first ? a.first : b.first;
    uint32_t end_a = a.first + a.count, end_b = b.first + b.count;
    return (SlbRows){first, (end_a > end_b ? end_a : end_b) - first};
}

/* Rows of the network's result that rows of the result are made of. */
static SlbRows network_rows(const SlbUpscaler *up, SlbRows band)
{
    if (!up->exact) return axis_reads(&up->net_rows, band);
    return (SlbRows){band.first + up->margin_y * (uint32_t)up->factor, band.count};
}

static SlbRows network_reads(const SlbUpscaler *up, SlbRows band)
{
    return slb_plan_reads(up->plan, up->net_in_h, network_rows(up, band));
}

/* Rows of the window that rows of what a network reads are, where nothing stands between. No band
 * wants an earlier row than the one before it: what is mirrored at the bottom lies within the
 * network's reach, and a picture that is lower than that is wanted whole by the first band. */
static SlbRows window_rows(const SlbUpscaler *up, SlbRows net)
{
    uint32_t low = UINT32_MAX, high = 0, margin = up->margin_y;
    if (!up->held_y && net.first >= margin && net.first + net.count <= margin + up->in.height)
        return (SlbRows){net.first - margin, net.count}; /* nothing is mirrored */
    for (uint32_t y = net.first; y < net.first + net.count; y++) {
        uint32_t row = slb_upscaler_source_row(up, y);
        if (row < low) low = row;
        if (row > high) high = row;
    }
    return (SlbRows){low, high - low + 1};
}

/* Rows of the picture for a band. */
static SlbRows picture_rows(const SlbUpscaler *up, SlbRows band)
{
    SlbRows direct = {0}, net;
    if (up->resized) direct = axis_reads(&up->rows, band);
    if (!up->plan) return direct;
    net = network_reads(up, band);
    return both(direct, up->enlarged ? axis_reads(&up->enlarge_rows, net) : window_rows(up, net));
}

/* The band of at most `rows` rows that begins at row `first` of the result. */
static SlbRows band_at(const SlbUpscaler *up, uint32_t first, uint32_t rows)
{
    uint32_t left = up->options.out.height - first;
    return (SlbRows){first, rows < left ? rows : left};
}

/* ---- Memory ---- */

/* The most rows that any band of `rows` rows needs of each. */
typedef struct Room {
    uint32_t window, net_in, net_out;
} Room;

static void at_least(uint32_t *most, uint32_t rows)
{
    if (rows > *most) *most = rows;
}

static Room room_for(const SlbUpscaler *up, uint32_t rows)
{
    Room room = {0};
    for (uint32_t y = 0; y < up->options.out.height; y += band_at(up, y, rows).count) {
        SlbRows band = band_at(up, y, rows);
        at_least(&room.window, picture_rows(up, band).count);
        if (!up->plan) continue;
        at_least(&room.net_in, network_reads(up, band).count);
        at_least(&room.net_out, network_rows(up, band).count);
    }
    return room;
}

/* Sides are below 2^31 and nothing here is of more than a few samples: no overflow. */
static uint64_t bytes_for(const SlbUpscaler *up, const Room *room)
{
    uint64_t bytes = up->options.other_bytes + sizeof *up + up->plan_bytes + up->axis_bytes +
                     (uint64_t)up->threads * up->scratch_count * sizeof(double);
    bytes += (uint64_t)room->window * up->width * (uint64_t)up->planes * sizeof(double);
    if (!up->plan) return bytes;
    uint64_t channels = (uint64_t)slb_plan_channels(up->plan) * sizeof(float);
    bytes += (uint64_t)room->net_in * up->net_in_w * channels;
    return bytes + (uint64_t)room->net_out * up->net_out_w * channels * (uint64_t)up->passes;
}

/* Whether bands that need `room` could be within the limit. */
static SlbStatus check_least(const SlbUpscaler *up, const Room *room, SlbError *err)
{
    const SlbUpscaleOptions *o = &up->options;
    uint64_t least = bytes_for(up, room);
    if (!o->max_bytes || least <= o->max_bytes) return SLB_OK;
    return slb_fail(err, SLB_E_MEMORY,
                    "%u x %u pixels to %u x %u: at least %llu MiB are needed for bands of a row, "
                    "there are %llu; use fewer threads or allow more memory",
                    up->in.width, up->in.height, o->out.width, o->out.height,
                    (unsigned long long)((least >> 20) + 1),
                    (unsigned long long)(o->max_bytes >> 20));
}

/* The highest bands that fit, all of nearly one height. */
static SlbStatus choose_bands(SlbUpscaler *up, Room *room, SlbError *err)
{
    const SlbUpscaleOptions *o = &up->options;
    uint64_t limit = o->max_bytes;
    uint32_t low = o->band_rows ? o->band_rows : 1, high = o->out.height;
    if (low > high) low = high;
    *room = room_for(up, low);
    SlbStatus s = check_least(up, room, err);
    if (s != SLB_OK) return s;
    if (!limit) {
        static const Room nothing = {0};
        uint64_t least = bytes_for(up, room), rows = 2 * (least - bytes_for(up, &nothing));
        limit = least + (rows > SLB_BAND_BYTES ? rows : SLB_BAND_BYTES);
    }
    while (!o->band_rows && low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        *room = room_for(up, middle);
        if (bytes_for(up, room) <= limit)
            low = middle;
        else
            high = middle - 1;
    }
    uint32_t bands = (o->out.height + low - 1) / low;
    up->band_rows = o->band_rows ? low : (o->out.height + bands - 1) / bands;
    *room = room_for(up, up->band_rows);
    up->bytes = bytes_for(up, room) - o->other_bytes;
    return SLB_OK;
}

static SlbStatus allocate(SlbUpscaler *up, const Room *room, SlbError *err)
{
    bool ok = true;
    up->window = room->window;
    for (int c = 0; c < up->planes; c++) {
        up->plane[c] = slb_alloc(room->window, up->width * sizeof **up->plane);
        ok = ok && up->plane[c];
    }
    if (up->plan) {
        size_t pixel = (size_t)slb_plan_channels(up->plan) * sizeof(float);
        up->net_in = slb_alloc(room->net_in, up->net_in_w * pixel);
        ok = ok && up->net_in;
        for (int i = 0; i < up->passes; i++) {
            up->net_out[i] = slb_alloc(room->net_out, up->net_out_w * pixel);
            ok = ok && up->net_out[i];
        }
    }
    up->scratch = slb_alloc((size_t)up->threads, up->scratch_count * sizeof *up->scratch);
    return ok && up->scratch ? SLB_OK : slb_fail_memory(err, "the rows of a picture");
}

/* ---- Making one ---- */

/* Everything but memory for rows. */
static SlbStatus prepare(const SlbPlan *plan, const SlbImageInfo *in,
                         const SlbUpscaleOptions *options, SlbUpscaler **up, Room *room,
                         SlbError *err)
{
    *room = (Room){0};
    *up = NULL;
    SlbUpscaler *u = slb_calloc(1, sizeof *u);
    if (!u) return slb_fail_memory(err, "a picture");
    u->options = *options;
    u->in = *in;
    u->threads = slb_plan_threads(plan);
    SlbStatus s = slb_upscaler_lay_out(u, plan, err);
    u->scratch_count = slb_upscaler_scratch(u);
    /* Without bands yet, which come to that; small axes are made to tell all that is needed. */
    if (s == SLB_OK && u->axis_bytes > SLB_BAND_BYTES / 16) s = check_least(u, room, err);
    if (s == SLB_OK) s = slb_upscaler_make_axes(u, err);
    if (s == SLB_OK) s = choose_bands(u, room, err);
    if (s == SLB_OK)
        *up = u;
    else
        slb_upscaler_free(u);
    return s;
}

SlbStatus slb_upscaler_check(const SlbPlan *plan, const SlbImageInfo *in,
                             const SlbUpscaleOptions *options, uint64_t *bytes, SlbError *err)
{
    Room room;
    SlbUpscaler *u;
    SlbStatus s = prepare(plan, in, options, &u, &room, err);
    if (s == SLB_OK) *bytes = u->bytes;
    slb_upscaler_free(u);
    return s;
}

SlbStatus slb_upscaler_create(const SlbPlan *plan, const SlbImageInfo *in,
                              const SlbUpscaleOptions *options, SlbUpscaler **up, SlbError *err)
{
    Room room;
    SlbUpscaler *u;
    *up = NULL;
    SlbStatus s = prepare(plan, in, options, &u, &room, err);
    if (s == SLB_OK) s = allocate(u, &room, err);
    if (s != SLB_OK) {
        slb_upscaler_free(u);
        return s;
    }
    u->need = picture_rows(u, band_at(u, 0, u->band_rows));
    u->first = u->need.first;
    *up = u;
    return SLB_OK;
}

void slb_upscaler_free(SlbUpscaler *up)
{
    if (!up) return;
    SlbAxis *axes[] = {&up->enlarge_rows, &up->enlarge_cols, &up->net_rows,
                       &up->net_cols,     &up->rows,         &up->cols};
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) slb_axis_free(axes[i]);
    for (int c = 0; c < SLB_PLANES; c++) slb_free(up->plane[c]);
    for (int i = 0; i < SLB_PASSES; i++) slb_free(up->net_out[i]);
    slb_free(up->net_in);
    slb_free(up->scratch);
    slb_free(up);
}

const SlbImageInfo *slb_upscaler_in(const SlbUpscaler *up)
{
    return &up->in;
}

const SlbImageInfo *slb_upscaler_out(const SlbUpscaler *up)
{
    return &up->options.out;
}

uint64_t slb_upscaler_bytes(const SlbUpscaler *up)
{
    return up->bytes;
}

/* ---- Running one ---- */

/* True when all that the next band is made of is there. */
static bool is_complete(const SlbUpscaler *up)
{
    return up->pushed >= up->need.first + up->need.count;
}

uint32_t slb_upscaler_ready(const SlbUpscaler *up)
{
    uint32_t end = up->band.first + up->band.count;
    if (up->next < end) return end - up->next;
    if (up->next == up->options.out.height || !is_complete(up)) return 0;
    return band_at(up, up->next, up->band_rows).count;
}

uint32_t slb_upscaler_wants(const SlbUpscaler *up)
{
    if (slb_upscaler_ready(up)) return 0;
    if (up->next == up->options.out.height) return up->in.height + 2 * up->held_y - up->pushed;
    return up->need.first + up->need.count - up->pushed;
}

uint32_t slb_upscaler_next_row(const SlbUpscaler *up)
{
    uint32_t height = up->in.height;
    return (up->pushed + height - up->held_y % height) % height;
}

/* Moves the window on to the rows that the next band needs. */
static void move_window(SlbUpscaler *up)
{
    uint32_t first = up->need.first;
    if (first <= up->first) return;
    for (int c = 0; c < up->planes && first < up->pushed; c++)
        memmove(up->plane[c], up->plane[c] + (size_t)(first - up->first) * up->width,
                (size_t)(up->pushed - first) * up->width * sizeof **up->plane);
    up->first = first;
}

void slb_upscaler_push(SlbUpscaler *up, const void *rows, size_t stride_bytes, uint32_t count)
{
    if (up->next == up->options.out.height) { /* nobody needs them any more */
        up->pushed += count;
        return;
    }
    move_window(up);
    slb_upscaler_store(up, rows, stride_bytes, count);
}

/* The network's progress in a band as progress in the result. */
typedef struct Part {
    const SlbUpscaler *up;
    double before, share; /* of the result's pixels: done, and what this run is worth */
} Part;

static int report(void *user, uint64_t done, uint64_t total)
{
    const Part *part = user;
    const SlbImageInfo *out = &part->up->options.out;
    uint64_t all = (uint64_t)out->width * out->height;
    uint64_t now = (uint64_t)(part->before + part->share * (double)done / (double)total);
    return part->up->options.progress(part->up->options.user, now < all ? now : all, all);
}

static SlbStatus run_network(SlbUpscaler *up, SlbError *err)
{
    SlbRows out = network_rows(up, up->band), in = network_reads(up, up->band);
    size_t row = (size_t)up->net_in_w * (size_t)slb_plan_channels(up->plan);
    double width = up->options.out.width, share = width * up->band.count / up->passes;
    int team = slb_upscaler_team(up, (uint64_t)in.count * up->net_in_w);
    up->net_held = out;
    for (int i = 0; i < up->passes; i++) {
#pragma omp parallel for schedule(static) num_threads(team)
        for (uint32_t y = 0; y < in.count; y++)
            slb_upscaler_net_row(up, &up->pass[i], in.first + y, up->net_in + y * row);
        Part part = {up, width * up->band.first + share * i, share};
        SlbStatus s =
            slb_plan_run_rows(up->plan, up->net_in_w, up->net_in_h, up->net_in, in, up->net_out[i],
                              out, up->options.progress ? report : NULL, &part, err);
        if (s != SLB_OK) return s;
    }
    return SLB_OK;
}

/* What the next band needs is known from here on; its rows are kept when others are pushed. */
static SlbStatus begin_band(SlbUpscaler *up, SlbError *err)
{
    up->band = band_at(up, up->next, up->band_rows);
    uint32_t end = up->band.first + up->band.count;
    SlbStatus s = up->plan ? run_network(up, err) : SLB_OK;
    if (end < up->options.out.height) up->need = picture_rows(up, band_at(up, end, up->band_rows));
    return s;
}

SlbStatus slb_upscaler_pull(SlbUpscaler *up, void *rows, size_t stride_bytes, uint32_t count,
                            SlbError *err)
{
    if (!count) return SLB_OK;
    if (up->next == up->band.first + up->band.count) {
        SlbStatus s = begin_band(up, err);
        if (s != SLB_OK) return s;
    }
    unsigned char *to = rows;
    int team = slb_upscaler_team(up, (uint64_t)count * up->options.out.width);
#pragma omp parallel for schedule(static) num_threads(team)
    for (uint32_t i = 0; i < count; i++)
        slb_upscaler_out_row(up, up->next + i, to + i * stride_bytes);
    up->next += count;
    if (up->plan || !up->options.progress) return SLB_OK;
    Part part = {up, (double)up->next * up->options.out.width, 0};
    return report(&part, 1, 1) ? slb_fail(err, SLB_PARTIAL, "cancelled") : SLB_OK;
}
