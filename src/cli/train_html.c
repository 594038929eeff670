#include "cli/train_html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cli/html.h"
#include "cli/html_chart.h"

enum { MIN_SCALE = 2, MAX_SCALE = 8, LABEL_BYTES = 160 };

/* PSNR further below bicubic than this is cut off: weights that are made hard too early are far
 * below, and would leave nothing to be seen of the rest. */
static const double cut_below_bicubic = 2.0;

static const char generator[] = "train";

static double last_step(const TrainLog *logs, int count)
{
    double last = 0.0, step;
    for (int i = 0; i < count; i++) last = fmax(last, train_log_last(&logs[i], "step", &step));
    return last;
}

/* A chart with the names that its series point to. */
typedef struct Drawing {
    Chart chart;
    char name[CHART_SERIES][LABEL_BYTES];
} Drawing;

static void add_line(Drawing *d, const TrainLog *log, const char *column, const char *what,
                     bool several, int colour, bool dashed)
{
    const double *y = train_log_find(log, column);
    int i = d->chart.count;
    if (!y || i == CHART_SERIES) return;
    if (several && *what)
        snprintf(d->name[i], LABEL_BYTES, "%s: %s", log->name, what);
    else
        snprintf(d->name[i], LABEL_BYTES, "%s", several ? log->name : what);
    d->chart.series[d->chart.count++] = (ChartSeries){.name = d->name[i],
                                                      .x = train_log_find(log, "step"),
                                                      .y = y,
                                                      .count = log->rows,
                                                      .colour = colour,
                                                      .dashed = dashed};
}

static Drawing drawing(const char *title, const char *y_label, bool logarithmic, double x_end)
{
    return (Drawing){.chart = {.title = title,
                               .x_label = "step",
                               .y_label = y_label,
                               .logarithmic = logarithmic,
                               .x_end = x_end,
                               .floor = NAN}};
}

static void draw_loss(FILE *out, const TrainLog *logs, int count)
{
    Drawing d = drawing("Loss", "loss of samples in 0..1", true, last_step(logs, count));
    bool several = count > 1;
    for (int i = 0; i < count; i++) {
        add_line(&d, &logs[i], "loss", several ? "" : "network", several, i, false);
        if (!several) add_line(&d, &logs[i], "bicubic_loss", "untouched input", false, 1, true);
    }
    html_chart(out, &d.chart, "loss");
}

/* Of float weights W_c is W_q: one line. */
static bool is_same(const TrainLog *log, const char *a, const char *b)
{
    const double *x = train_log_find(log, a), *y = train_log_find(log, b);
    size_t i = 0;
    while (x && y && i < log->rows && (x[i] == y[i] || (isnan(x[i]) && isnan(y[i])))) i++;
    return x && y && i == log->rows;
}

/* One run: three lines. Several: W_q of each, W_c dashed, and bicubic once. */
static void draw_psnr(FILE *out, const TrainLog *logs, int count, int scale)
{
    char title[64], id[24], hard[24], soft[24], bicubic[24];
    bool several = count > 1;
    double step, base = NAN;
    snprintf(title, sizeof title, "PSNR on the validation pictures, \xc3\x97%d", scale);
    snprintf(id, sizeof id, "psnr-x%d", scale);
    snprintf(hard, sizeof hard, "psnr_x%d", scale);
    snprintf(soft, sizeof soft, "psnr_soft_x%d", scale);
    snprintf(bicubic, sizeof bicubic, "bicubic_x%d", scale);
    Drawing d = drawing(title, "PSNR, dB", false, last_step(logs, count));
    for (int i = 0; i < count; i++) {
        int colour = several ? i : 0;
        double this_base = train_log_last(&logs[i], bicubic, &step);
        add_line(&d, &logs[i], hard, "W_q, of inference", several, colour, false);
        if (!is_same(&logs[i], hard, soft))
            add_line(&d, &logs[i], soft, "W_c, of training", several, several ? colour : 1, true);
        if (isnan(base)) add_line(&d, &logs[i], bicubic, "bicubic", false, several ? 7 : 2, true);
        if (!isnan(this_base)) base = isnan(base) ? this_base : fmin(base, this_base);
    }
    d.chart.floor = base - cut_below_bicubic;
    html_chart(out, &d.chart, id);
}

static void draw_column(FILE *out, const TrainLog *logs, int count, const char *column,
                        const char *title, const char *y_label, bool logarithmic)
{
    Drawing d = drawing(title, y_label, logarithmic, last_step(logs, count));
    for (int i = 0; i < count; i++)
        add_line(&d, &logs[i], column, count > 1 ? "" : y_label, count > 1, i, false);
    html_chart(out, &d.chart, column);
}

static void put_row(FILE *out, const TrainLog *log, int scale)
{
    static const char *const columns[] = {"psnr", "psnr_soft", "bicubic"};
    double value[3], step = NAN;
    for (int i = 0; i < 3; i++) {
        char name[24];
        snprintf(name, sizeof name, "%s_x%d", columns[i], scale);
        value[i] = train_log_last(log, name, &step);
    }
    if (isnan(value[0])) return;
    fputs("<tr><th scope=\"row\">", out);
    html_text(out, log->name);
    fprintf(out, "</th><td>%.0f</td><td>&times;%d</td>", step, scale);
    for (int i = 0; i < 3; i++) html_cell(out, value[i], 3, NULL);
    html_cell(out, value[0] - value[2], 3, NULL);
    fputs("</tr>\n", out);
}

static void put_table(FILE *out, const TrainLog *logs, int count)
{
    fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Last validation\">\n"
          "<table>\n<caption>Last validation: mean PSNR in dB</caption>\n<thead>\n<tr>"
          "<th scope=\"col\">run</th><th scope=\"col\">step</th><th scope=\"col\">scale</th>"
          "<th scope=\"col\">W_q</th><th scope=\"col\">W_c</th><th scope=\"col\">bicubic</th>"
          "<th scope=\"col\">W_q - bicubic</th></tr>\n</thead>\n<tbody>\n",
          out);
    for (int i = 0; i < count; i++)
        for (int scale = MIN_SCALE; scale <= MAX_SCALE; scale++) put_row(out, &logs[i], scale);
    fputs("</tbody>\n</table>\n</div>\n", out);
}

static void put_intro(FILE *out, const TrainLog *logs, int count)
{
    for (int i = 0; i < count; i++) {
        double step, loss = train_log_last(&logs[i], "loss", &step);
        fputs("<p><b>", out);
        html_text(out, logs[i].name);
        if (isnan(loss))
            fputs("</b>: no step yet.</p>\n", out);
        else
            fprintf(out, "</b>: step %.0f, loss %.4g.</p>\n", step, loss);
    }
    fputs(
        "<p class=\"note\">W_q are the weights of inference, each one of the levels; W_c those of "
        "training, between the levels while the sharpness T is low. For float weights they are "
        "the same. PSNR is measured in float32.</p>\n",
        out);
}

static SlbStatus open_page(SlbOutput *out, const char *path, bool overwrite, SlbError *err)
{
    return html_open(out, path, overwrite, generator, err);
}

SlbStatus train_html_check(const char *path, bool overwrite, SlbError *err)
{
    SlbOutput out;
    SlbStatus s = open_page(&out, path, overwrite, err);
    if (s == SLB_OK) slb_output_abort(&out);
    return s;
}

SlbStatus train_html_write(const char *path, bool overwrite, const TrainLog *logs, int count,
                           const char *command_line, SlbError *err)
{
    SlbOutput file;
    SlbStatus s = open_page(&file, path, overwrite, err);
    if (s != SLB_OK) return s;
    FILE *out = file.file;
    html_begin(out, generator, count == 1 ? "A training run" : "Training runs");
    put_intro(out, logs, count);
    put_table(out, logs, count);
    fputs("<div class=\"charts\">\n", out);
    draw_loss(out, logs, count);
    for (int scale = MIN_SCALE; scale <= MAX_SCALE; scale++) draw_psnr(out, logs, count, scale);
    draw_column(out, logs, count, "sharpness", "Sharpness of the search", "T = 1 / tau", true);
    draw_column(out, logs, count, "rate", "Learning rate", "learning rate", true);
    fputs("</div>\n", out);
    html_end(out, NULL, command_line);
    return slb_output_commit(&file, err);
}
