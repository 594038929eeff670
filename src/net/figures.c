#include "net/figures.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits, and a point among them wherever the program lives: strtod would want a comma in half of
 * the world. Exact for up to 15 digits. NULL when there is none, else what comes behind. */
static const char *decimal(const char *text, double *value)
{
    enum { MOST = 15 };
    double whole = 0.0, divisor = 1.0;
    int digits = 0;
    bool point = false;
    const char *c = text;
    for (; (*c >= '0' && *c <= '9') || (*c == '.' && !point); c++) {
        if (*c == '.') {
            point = true;
            continue;
        }
        if (++digits > MOST) return NULL;
        whole = 10.0 * whole + (*c - '0');
        if (point) divisor *= 10.0;
    }
    *value = whole / divisor;
    return digits ? c : NULL;
}

/* A number that is followed by `unit`; NULL when `text` holds none, else what comes behind. */
static const char *number(const char *text, const char *unit, double *value)
{
    const char *end = decimal(text, value);
    if (!end) return NULL;
    size_t n = strlen(unit);
    return strncmp(end, unit, n) == 0 ? end + n : NULL;
}

bool slb_figures_find(const char *figures, int scale, SlbFigure *figure)
{
    static const char bicubic[] = " (bicubic ";
    char word[16];
    size_t n = (size_t)snprintf(word, sizeof word, "x%d ", scale);
    for (const char *at = figures; at && (at = strstr(at, word)); at++) {
        double psnr;
        if (at > figures && isalnum((unsigned char)at[-1])) continue;
        const char *behind = number(at + n, " dB", &psnr);
        if (!behind) continue;
        *figure = (SlbFigure){.psnr = psnr, .bicubic = NAN};
        if (strncmp(behind, bicubic, sizeof bicubic - 1) == 0) {
            double value;
            if (number(behind + sizeof bicubic - 1, "", &value)) figure->bicubic = value;
        }
        return true;
    }
    return false;
}

double slb_figures_gain(const char *figures, int scale)
{
    SlbFigure f;
    if (!slb_figures_find(figures, scale, &f) || isnan(f.bicubic)) return 0.0;
    return f.psnr - f.bicubic;
}

void slb_figures_write(const int *scales, int count, const double *psnr, const double *bicubic,
                       char *text, size_t bytes)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < count && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, "%sx%d %.4f dB (bicubic %.4f)",
                               i ? ", " : "validation: ", scales[i], psnr[i], bicubic[i]);
}

SlbServes slb_scales_serve(const char *scales, int scale)
{
    if (!scales || !*scales) return SLB_SERVES_UNTOLD;
    bool several = strchr(scales, ',') != NULL;
    for (const char *c = scales; *c; c += *c == ',') {
        char *end;
        if (strtol(c, &end, 10) == scale && end != c) return SLB_SERVES_TRAINED;
        c += strcspn(c, ",");
    }
    return several ? SLB_SERVES_UNTOLD : SLB_SERVES_NOT;
}
