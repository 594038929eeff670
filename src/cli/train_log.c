#include "cli/train_log.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/picture.h"

enum { MAX_LOG_BYTES = 1 << 28 };

static SlbStatus no_log(const char *path, SlbError *err)
{
    return slb_fail(
        err, SLB_E_INPUT,
        "%s: is no training log; give the .csv that 'slbsr train' writes beside a model", path);
}

/* The names of the columns; `line` ends at `end`. */
static bool read_header(TrainLog *log, const char *line, const char *end)
{
    static const char beginning[] = "step,seconds,loss";
    if (strncmp(line, beginning, sizeof beginning - 1) != 0) return false;
    while (line < end) {
        size_t n = strcspn(line, ",\r\n");
        if (log->columns == LOG_COLUMNS || n == 0 || n >= LOG_NAME_BYTES) return false;
        memcpy(log->column[log->columns++], line, n);
        line += n + 1;
    }
    return true;
}

/* One row; false when a field is no number or there are too few or too many. */
static bool read_row(TrainLog *log, const char *line, const char *end, size_t row)
{
    for (int c = 0; c < log->columns; c++) {
        char *behind;
        bool empty = *line == ',' || line == end;
        double value = empty ? NAN : strtod(line, &behind);
        if (empty) behind = (char *)line;
        bool last = c == log->columns - 1;
        if (behind == line && !empty) return false;
        if (last ? behind != end : *behind != ',') return false;
        log->value[c][row] = value;
        line = behind + 1;
    }
    return true;
}

/* `end` of a line, or the CR ahead of that. */
static const char *without_cr(const char *line, const char *end)
{
    return end > line && end[-1] == '\r' ? end - 1 : end;
}

/* As it is written, or as editors on Windows keep it. */
static SlbStatus parse(TrainLog *log, const char *path, const char *text, SlbError *err)
{
    text += slb_mark_bytes(text, strlen(text));
    const char *end = strchr(text, '\n');
    size_t lines = 0;
    if (!end || !read_header(log, text, without_cr(text, end))) return no_log(path, err);
    for (const char *c = end + 1; (c = strchr(c, '\n')); c++) lines++;
    for (int c = 0; c < log->columns; c++)
        if (!(log->value[c] = slb_alloc(lines, sizeof **log->value)))
            return slb_fail_memory(err, path);
    for (const char *line = end + 1; (end = strchr(line, '\n')); line = end + 1)
        if (!read_row(log, line, without_cr(line, end), log->rows++))
            return slb_fail(err, SLB_E_INPUT, "%s: row %zu is damaged", path, log->rows);
    return SLB_OK;
}

/* `length` bytes of `path`, which is not changed. */
static const char *run_name(const char *path, size_t *length_bytes)
{
    static const char *const ends[] = {".csv", ".safetensors"};
    const char *name = cli_base_name(path);
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (length > n && strncmp(name + length - n, ends[i], n) == 0) length -= n;
    }
    *length_bytes = length;
    return name;
}

static bool are_of_one_name(const char *a, const char *b)
{
    size_t n, m;
    a = run_name(a, &n);
    b = run_name(b, &m);
    return n == m && strncmp(a, b, n) == 0;
}

SlbStatus train_log_read(const char *path, TrainLog *log, SlbError *err)
{
    unsigned char *text;
    size_t bytes;
    *log = (TrainLog){0};
    SlbStatus s = slb_read_file(path, MAX_LOG_BYTES, SLB_E_INPUT, &text, &bytes, err);
    if (s != SLB_OK) return s;
    size_t length;
    const char *name = run_name(path, &length);
    log->name = strndup(name, length);
    s = log->name ? parse(log, path, (const char *)text, err) : slb_fail_memory(err, path);
    slb_free(text);
    if (s != SLB_OK) train_log_free(log);
    return s;
}

SlbStatus train_log_tell_apart(TrainLog *logs, char *const *paths, int count, SlbError *err)
{
    for (int i = 0; i < count; i++) {
        bool again = false;
        for (int k = 0; k < count; k++)
            again = again || (k != i && are_of_one_name(paths[i], paths[k]));
        if (!again) continue;
        size_t length;
        const char *alone = run_name(paths[i], &length);
        char *name = strndup(paths[i], (size_t)(alone - paths[i]) + length);
        if (!name) return slb_fail_memory(err, paths[i]);
        free(logs[i].name);
        logs[i].name = name;
    }
    return SLB_OK;
}

void train_log_free(TrainLog *log)
{
    for (int c = 0; c < LOG_COLUMNS; c++) slb_free(log->value[c]);
    free(log->name);
    *log = (TrainLog){0};
}

const double *train_log_find(const TrainLog *log, const char *name)
{
    for (int c = 0; c < log->columns; c++)
        if (strcmp(log->column[c], name) == 0) return log->value[c];
    return NULL;
}

double train_log_last(const TrainLog *log, const char *name, double *step)
{
    const double *value = train_log_find(log, name), *steps = train_log_find(log, "step");
    for (size_t i = log->rows; value && steps && i-- > 0;) {
        if (isnan(value[i])) continue;
        *step = steps[i];
        return value[i];
    }
    return NAN;
}
