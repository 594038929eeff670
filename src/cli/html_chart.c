#include "cli/html_chart.h"

#include <math.h>

#include "cli/html.h"

enum {
    WIDTH = 560,
    HEIGHT = 300,
    LEFT = 78,
    RIGHT = 14,
    TOP = 12,
    BOTTOM = 44,
    MOST_POINTS = 1200, /* of a line; more do not show */
    MOST_TICKS = 16,
};

/* From values to the drawing. y is a logarithm where the chart is logarithmic. */
typedef struct Frame {
    double x0, x1, y0, y1;
    bool logarithmic;
} Frame;

static bool is_point(const Chart *chart, const ChartSeries *s, size_t i)
{
    return isfinite(s->x[i]) && isfinite(s->y[i]) && (!chart->logarithmic || s->y[i] > 0.0);
}

static double place_x(const Frame *f, double x)
{
    return LEFT + (x - f->x0) / (f->x1 - f->x0) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const Frame *f, double y)
{
    double v = f->logarithmic ? log10(y) : y;
    return HEIGHT - BOTTOM - (v - f->y0) / (f->y1 - f->y0) * (HEIGHT - TOP - BOTTOM);
}

/* A range that shows something even when all values are equal. */
static void widen(double *low, double *high, double share)
{
    double span = *high - *low;
    if (span <= 0.0) span = fabs(*low) > 0.0 ? fabs(*low) * 0.1 : 1.0;
    *low -= share * span;
    *high += share * span;
}

/* False when there is no point. */
static bool fit_frame(const Chart *chart, Frame *f)
{
    *f = (Frame){INFINITY, -INFINITY, INFINITY, -INFINITY, chart->logarithmic};
    for (int k = 0; k < chart->count; k++) {
        const ChartSeries *s = &chart->series[k];
        for (size_t i = 0; i < s->count; i++) {
            if (!is_point(chart, s, i)) continue;
            double y = chart->logarithmic ? log10(s->y[i]) : s->y[i];
            f->x0 = fmin(f->x0, s->x[i]);
            f->x1 = fmax(f->x1, s->x[i]);
            f->y0 = fmin(f->y0, y);
            f->y1 = fmax(f->y1, y);
        }
    }
    if (!(f->x0 <= f->x1)) return false;
    if (!chart->logarithmic && isfinite(chart->floor) && f->y0 < chart->floor)
        f->y0 = fmin(chart->floor, f->y1);
    f->x0 = fmin(f->x0, 0.0);
    f->x1 = fmax(f->x1, chart->x_end);
    widen(&f->y0, &f->y1, 0.06);
    if (f->x1 <= f->x0) f->x1 = f->x0 + 1.0;
    return true;
}

/* Round values between low and high: a step of 1, 2 or 5 times a power of ten. */
static int even_ticks(double low, double high, int wanted, double *tick)
{
    double rough = (high - low) / wanted, power = pow(10.0, floor(log10(rough)));
    double step = rough / power < 1.5   ? power
                  : rough / power < 3.5 ? 2.0 * power
                  : rough / power < 7.5 ? 5.0 * power
                                        : 10.0 * power;
    int n = 0;
    for (double i = ceil(low / step); i * step <= high && n < MOST_TICKS; i++) tick[n++] = i * step;
    return n;
}

/* Powers of ten, with 2 and 5 between where there are few of them; even steps where even those are
 * too far apart. `low` and `high` are logarithms. */
static int log_ticks(double low, double high, double *tick)
{
    static const double mantissas[] = {1.0, 2.0, 5.0};
    if (high - low < 1.0) return even_ticks(pow(10.0, low), pow(10.0, high), 5, tick);
    int n = 0, step = high - low > 3.0 ? 3 : 1;
    for (double p = floor(low); p <= high; p++)
        for (int m = 0; m < 3; m += step) {
            double v = mantissas[m] * pow(10.0, p);
            if (log10(v) >= low && log10(v) <= high && n < MOST_TICKS) tick[n++] = v;
        }
    return n;
}

static void draw_axes(FILE *out, const Chart *chart, const Frame *f)
{
    double tick[MOST_TICKS];
    int n = f->logarithmic ? log_ticks(f->y0, f->y1, tick) : even_ticks(f->y0, f->y1, 5, tick);
    for (int i = 0; i < n; i++) {
        double y = place_y(f, tick[i]);
        fprintf(out,
                "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
                LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4.0, fabs(tick[i]) < 1e-12 ? 0 : tick[i]);
    }
    n = even_ticks(f->x0, f->x1, 5, tick);
    for (int i = 0; i < n; i++) {
        double x = place_x(f, tick[i]);
        fprintf(out,
                "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%.7g</text>\n",
                x, x, HEIGHT - BOTTOM, HEIGHT - BOTTOM + 5, x, HEIGHT - BOTTOM + 19,
                x > WIDTH - RIGHT - 24 ? "end" : "middle", tick[i]);
    }
    fprintf(out, "<path class=\"axis\" fill=\"none\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP,
            HEIGHT - BOTTOM, WIDTH - RIGHT);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (WIDTH + LEFT - RIGHT) / 2,
            HEIGHT - 8);
    html_text(out, chart->x_label);
    fprintf(out,
            "</text>\n<text transform=\"translate(13 %d) rotate(-90)\" text-anchor=\"middle\">",
            (HEIGHT + TOP - BOTTOM) / 2);
    html_text(out, chart->y_label);
    fputs("</text>\n", out);
}

static void put_stroke(FILE *out, const ChartSeries *s)
{
    fprintf(out, "style=\"stroke:var(--s%d)\" fill=\"none\" stroke-width=\"2\"%s",
            s->colour % CHART_COLOURS + 1, s->dashed ? " stroke-dasharray=\"6 4\"" : "");
}

/* The line, and dots where it has so few points that they can be told apart. */
static void draw_series(FILE *out, const Chart *chart, const Frame *f, const ChartSeries *s)
{
    size_t points = 0, last = 0, every, seen = 0;
    for (size_t i = 0; i < s->count; i++)
        if (is_point(chart, s, i)) {
            points++;
            last = i;
        }
    if (!points) return;
    every = (points + MOST_POINTS - 1) / MOST_POINTS;
    fputs("<path ", out);
    put_stroke(out, s);
    fputs(" stroke-linejoin=\"round\" d=\"", out);
    for (size_t i = 0; i < s->count; i++) {
        if (!is_point(chart, s, i)) continue;
        if (seen++ % every != 0 && i != last) continue;
        fprintf(out, "%c%.1f %.1f", seen == 1 ? 'M' : 'L', place_x(f, s->x[i]),
                place_y(f, s->y[i]));
    }
    fputs("\"/>\n", out);
    for (size_t i = 0; points <= 30 && !s->dashed && i < s->count; i++)
        if (is_point(chart, s, i))
            fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" style=\"fill:var(--s%d)\"/>\n",
                    place_x(f, s->x[i]), place_y(f, s->y[i]), s->colour % CHART_COLOURS + 1);
}

static bool has_points(const Chart *chart, const ChartSeries *s)
{
    size_t i = 0;
    while (i < s->count && !is_point(chart, s, i)) i++;
    return i < s->count;
}

/* Of several lines, even where only one of them has points: it must be told whose they are. */
static void draw_legend(FILE *out, const Chart *chart)
{
    if (chart->count < 2) return;
    fputs("<ul class=\"legend\">\n", out);
    for (int i = 0; i < chart->count; i++) {
        if (!has_points(chart, &chart->series[i])) continue;
        fputs("<li><svg width=\"28\" height=\"10\" aria-hidden=\"true\"><path ", out);
        put_stroke(out, &chart->series[i]);
        fputs(" d=\"M0 5H28\"/></svg>", out);
        html_text(out, chart->series[i].name);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

/* For those who cannot see it: where each line ends. */
static void put_description(FILE *out, const Chart *chart)
{
    for (int k = 0; k < chart->count; k++) {
        const ChartSeries *s = &chart->series[k];
        for (size_t i = s->count; i-- > 0;) {
            if (!is_point(chart, s, i)) continue;
            html_text(out, s->name);
            fprintf(out, ": %.6g at %.7g. ", s->y[i], s->x[i]);
            break;
        }
    }
}

void html_chart(FILE *out, const Chart *chart, const char *id)
{
    Frame frame;
    if (!fit_frame(chart, &frame)) return;
    fputs("<figure class=\"chart\">\n<figcaption><b>", out);
    html_text(out, chart->title);
    fprintf(out,
            "</b></figcaption>\n<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "role=\"img\" aria-labelledby=\"%s-title %s-text\">\n<title id=\"%s-title\">",
            WIDTH, HEIGHT, WIDTH, HEIGHT, id, id, id);
    html_text(out, chart->title);
    fprintf(out, "</title>\n<desc id=\"%s-text\">", id);
    put_description(out, chart);
    fprintf(out,
            "</desc>\n<clipPath id=\"%s-clip\"><rect x=\"%d\" y=\"%d\" width=\"%d\" "
            "height=\"%d\"/></clipPath>\n",
            id, LEFT, TOP, WIDTH - LEFT - RIGHT + 4, HEIGHT - TOP - BOTTOM);
    draw_axes(out, chart, &frame);
    fprintf(out, "<g clip-path=\"url(#%s-clip)\">\n", id);
    for (int i = 0; i < chart->count; i++) draw_series(out, chart, &frame, &chart->series[i]);
    fputs("</g>\n</svg>\n", out);
    draw_legend(out, chart);
    fputs("</figure>\n", out);
}
