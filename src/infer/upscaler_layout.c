/* What an upscaler does with which planes, and by which axes. */
#include "infer/upscaler_state.h"

enum {
    MAX_SIDE = INT32_MAX, /* of anything, pixels */
    CONTINUED = 8,        /* pixels */
};

static SlbStatus check(const SlbImageInfo *in, const SlbUpscaleOptions *o, SlbError *err)
{
    const SlbImageInfo *out = &o->out;
    int colours = in->channels < 3 ? 1 : 3;
    bool depths = (in->depth == 8 || in->depth == 16) && (out->depth == 8 || out->depth == 16);
    if (!in->width || !in->height || in->channels < 1 || in->channels > 4 || !depths)
        return slb_fail(err, SLB_E_USAGE, "no picture: %u x %u, %d channels of %d bits", in->width,
                        in->height, in->channels, in->depth);
    bool coloured = in->channels == 2 && out->channels == 3; /* by the background */
    if (out->channels != in->channels && out->channels != colours && !coloured)
        return slb_fail(err, SLB_E_USAGE, "%d channels cannot become %d", in->channels,
                        out->channels);
    if (o->alpha == SLB_ALPHA_DROP && out->channels != colours)
        return slb_fail(err, SLB_E_USAGE, "alpha is to be dropped and kept");
    if (o->factor != 0 && (o->factor < 2 || o->factor > SLB_MAX_SCALE))
        return slb_fail(err, SLB_E_USAGE, "a scale of %d: there are 2, 3 and 4", o->factor);
    if (out->width && out->height && out->width <= MAX_SIDE && out->height <= MAX_SIDE)
        return SLB_OK;
    return slb_fail(err, SLB_E_USAGE, "a size of %u x %u pixels is out of range", out->width,
                    out->height);
}

int slb_upscale_factor(const SlbImageInfo *in, const SlbImageInfo *out)
{
    uint64_t factor = 2, width = in->width, height = in->height;
    if (out->width <= width && out->height <= height) return 1;
    while (factor < SLB_MAX_SCALE && (width * factor < out->width || height * factor < out->height))
        factor++;
    return (int)factor;
}

static void choose_network(SlbUpscaler *up, const SlbPlan *plan)
{
    const SlbUpscaleOptions *o = &up->options;
    up->factor = slb_upscale_factor(&up->in, &o->out);
    if (up->factor == 1) return;
    up->plan = plan;
    up->enlarged = slb_plan_scale(plan) == 1;
    if (!up->enlarged)
        up->factor = slb_plan_scale(plan);
    else if (o->factor)
        up->factor = o->factor;
}

static void choose_planes(SlbUpscaler *up)
{
    const SlbUpscaleOptions *o = &up->options;
    bool copied = up->in.width == o->out.width && up->in.height == o->out.height;
    up->colours = up->in.channels < 3 ? 1 : 3;
    up->alpha = up->in.channels % 2 == 0 && o->alpha != SLB_ALPHA_DROP;
    up->planes = up->colours + up->alpha;
    up->grounded = up->alpha && o->out.channels % 2 == 1;
    up->premultiplied = up->alpha && (!copied || up->grounded);
    if (up->plan) {
        up->ycbcr = up->colours == 3 && slb_plan_channels(up->plan) == 1;
        up->pass[up->passes++] = (Pass){0, up->ycbcr ? 1 : up->colours};
        if (up->alpha && o->alpha == SLB_ALPHA_NET) up->pass[up->passes++] = (Pass){up->colours, 1};
    }
    for (int i = 0; i < up->passes; i++)
        for (int c = 0; c < up->pass[i].planes; c++) up->by_network[up->pass[i].first + c] = true;
    for (int c = 0; c < up->planes; c++) up->resized = up->resized || !up->by_network[c];
}

/* Pixels of the picture that the network sees to each side. */
static uint32_t network_reach(const SlbUpscaler *up)
{
    enum { HIGH = 1 << 20 };
    SlbRows row = {HIGH / 2 * (uint32_t)slb_plan_scale(up->plan), 1};
    uint32_t reach = HIGH / 2 - slb_plan_reads(up->plan, HIGH, row).first;
    return up->enlarged ? reach / (uint32_t)up->factor + 4 : reach;
}

/* How much of the other end of the picture is wanted beyond its border. */
static uint32_t margin_for(const SlbUpscaler *up, uint32_t in, uint32_t out)
{
    if (!up->plan) return slb_axis_reach(in, out);
    uint32_t factor = (uint32_t)up->factor, net = in <= MAX_SIDE / factor ? in * factor : MAX_SIDE;
    uint32_t direct = slb_axis_reach(in, out);
    uint32_t through = network_reach(up) + slb_axis_reach(net, out) / factor + 1;
    return direct > through ? direct : through;
}

/* Pixels of the mirrored picture beyond its border that the network gets to see. Zeros come behind
 * them, as around the patches that it was trained on; but there white corners are rare, and what it
 * makes of one can be 50 steps too dark. Behind CONTINUED pixels at most 2 are left of that
 * (measured with srnet-x2; 4 pixels: 4, none: 57). */
static uint32_t continuation(const SlbUpscaler *up)
{
    uint32_t reach = network_reach(up);
    return reach < CONTINUED ? reach : CONTINUED;
}

/* Whether there is a resize of `factor` times the picture to the result. */
static SlbStatus check_axes(const SlbUpscaler *up, uint32_t factor, SlbError *err)
{
    const SlbImageInfo *in = &up->in, *out = &up->options.out;
    SlbStatus s = slb_axis_check(in->width * factor, out->width, err);
    return s == SLB_OK ? slb_axis_check(in->height * factor, out->height, err) : s;
}

static SlbStatus choose_sizes(SlbUpscaler *up, SlbError *err)
{
    const SlbUpscaleOptions *o = &up->options;
    uint64_t factor = (uint64_t)up->factor;
    SlbStatus s = check_axes(up, 1, err); /* margins are reckoned from it */
    if (s != SLB_OK) return s;
    if (o->wrap & SLB_WRAP_X)
        up->margin_x = up->held_x = margin_for(up, up->in.width, o->out.width);
    else if (up->plan)
        up->margin_x = continuation(up);
    if (o->wrap & SLB_WRAP_Y)
        up->margin_y = up->held_y = margin_for(up, up->in.height, o->out.height);
    else if (up->plan)
        up->margin_y = continuation(up);
    uint64_t width = up->in.width + 2 * (uint64_t)up->margin_x;
    uint64_t height = up->in.height + 2 * (uint64_t)up->margin_y;
    if (width > MAX_SIDE / factor || height > MAX_SIDE / factor)
        return slb_fail(err, SLB_E_INPUT, "%u x %u pixels times %d are too many; cut the picture",
                        up->in.width, up->in.height, up->factor);
    up->width = (uint32_t)width;
    up->height = (uint32_t)height;
    up->net_out_w = (uint32_t)(width * factor);
    up->net_out_h = (uint32_t)(height * factor);
    up->net_in_w = up->enlarged ? up->net_out_w : up->width;
    up->net_in_h = up->enlarged ? up->net_out_h : up->height;
    up->exact = o->out.width == up->in.width * factor && o->out.height == up->in.height * factor;
    return up->plan && !up->exact ? check_axes(up, (uint32_t)factor, err) : SLB_OK;
}

/* An axis for the `in` inputs in the middle of one that has `margin` more at each end. Outputs are
 * made of the margin where it is the other end of the picture (`held`); where it is the network's
 * mirror image, which is short, the axis mirrors by itself as far as it reaches. */
static SlbStatus make_axis(uint32_t in, uint32_t out, uint32_t margin, bool held, SlbAxis *axis,
                           SlbError *err)
{
    SlbStatus s = slb_axis_resize(in, out, held ? margin : 0, axis, err);
    size_t taps = s == SLB_OK && !held ? (size_t)axis->out_size * axis->taps : 0;
    for (size_t t = 0; t < taps; t++) axis->index[t] += margin;
    return s;
}

static void count_bytes(SlbUpscaler *up, const SlbPlan *plan)
{
    const SlbImageInfo *in = &up->in, *out = &up->options.out;
    uint32_t factor = (uint32_t)up->factor;
    up->plan_bytes = slb_plan_bytes(plan, up->plan ? up->net_in_w : 1);
    if (up->resized)
        up->axis_bytes +=
            slb_axis_bytes(in->height, out->height) + slb_axis_bytes(in->width, out->width);
    if (up->enlarged)
        up->axis_bytes +=
            slb_axis_bytes(up->height, up->net_in_h) + slb_axis_bytes(up->width, up->net_in_w);
    if (up->plan && !up->exact)
        up->axis_bytes += slb_axis_bytes(in->height * factor, out->height) +
                          slb_axis_bytes(in->width * factor, out->width);
}

SlbStatus slb_upscaler_make_axes(SlbUpscaler *up, SlbError *err)
{
    const SlbImageInfo *in = &up->in, *out = &up->options.out;
    uint32_t factor = (uint32_t)up->factor;
    SlbStatus s = SLB_OK;
    if (up->resized) {
        s = slb_axis_resize(in->height, out->height, up->held_y, &up->rows, err);
        if (s == SLB_OK)
            s = make_axis(in->width, out->width, up->margin_x, up->held_x, &up->cols, err);
    }
    if (s == SLB_OK && up->enlarged) {
        s = slb_axis_resize(up->height, up->net_in_h, 0, &up->enlarge_rows, err);
        if (s == SLB_OK) s = slb_axis_resize(up->width, up->net_in_w, 0, &up->enlarge_cols, err);
        size_t taps = s == SLB_OK ? (size_t)up->net_in_h * up->enlarge_rows.taps : 0;
        for (size_t t = 0; t < taps; t++)
            up->enlarge_rows.index[t] = slb_upscaler_source_row(up, up->enlarge_rows.index[t]);
    }
    if (s == SLB_OK && up->plan && !up->exact) {
        s = make_axis(in->height * factor, out->height, up->margin_y * factor, up->held_y,
                      &up->net_rows, err);
        if (s == SLB_OK)
            s = make_axis(in->width * factor, out->width, up->margin_x * factor, up->held_x,
                          &up->net_cols, err);
    }
    return s;
}

SlbStatus slb_upscaler_lay_out(SlbUpscaler *up, const SlbPlan *plan, SlbError *err)
{
    SlbStatus s = check(&up->in, &up->options, err);
    if (s != SLB_OK) return s;
    choose_network(up, plan);
    choose_planes(up);
    s = choose_sizes(up, err);
    if (s == SLB_OK) count_bytes(up, plan);
    return s;
}
