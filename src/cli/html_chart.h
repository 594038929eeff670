/* Curves as inline SVG: no script, colours by the page's style. */
#ifndef SLBSR_CLI_HTML_CHART_H
#define SLBSR_CLI_HTML_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One line. A NAN in `y` is no point; the line goes on behind it. */
typedef struct ChartSeries {
    const char *name;
    const double *x, *y;
    size_t count;
    int colour; /* 0 to CHART_COLOURS - 1 */
    bool dashed;
} ChartSeries;

enum { CHART_SERIES = 48, CHART_COLOURS = 8 };

typedef struct Chart {
    const char *title, *x_label, *y_label;
    bool logarithmic; /* y; values of 0 and below are no points then */
    double x_end;     /* x reaches up to here at least */
    double floor;     /* y below it is cut off; NAN: nothing is */
    ChartSeries series[CHART_SERIES];
    int count;
} Chart;

/* <figure> with a heading, the curves and, of several, a legend of those that have points; nothing
 * at all when there is no point. `id` must be of this chart alone. */
void html_chart(FILE *out, const Chart *chart, const char *id);

#endif
