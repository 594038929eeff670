#include "cli/progress.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/json_line.h"
#include "cli/message.h"
#include "cli/signals.h"

/* Seconds between two signs of life, by mode; and before a rate means anything. */
static const double interval[] = {[PROGRESS_BAR] = 0.1, [PROGRESS_PLAIN] = 10, [PROGRESS_JSON] = 1};
static const double settled = 1;

bool progress_has_terminal(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

void progress_start(Progress *progress, const char *label, ProgressMode mode)
{
    const char *no_colour = getenv("NO_COLOR");
    if (mode == PROGRESS_AUTO) mode = progress_has_terminal() ? PROGRESS_BAR : PROGRESS_PLAIN;
    *progress = (Progress){.label = label, .mode = mode, .count = 1};
    progress->colour = !no_colour || !*no_colour;
    progress->started = progress->file_started = progress->updated = slb_seconds();
    if (mode == PROGRESS_BAR) progress->updated = 0; /* at once */
}

void progress_file(Progress *progress, size_t index, const char *file)
{
    progress->index = index;
    progress->file = file;
    progress->file_started = slb_seconds();
}

void progress_format_seconds(double seconds, char *text, size_t bytes)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, bytes, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, bytes, "%ld:%02ld", s / 60, s % 60);
}

/* What is shown, whatever the way. */
typedef struct State {
    double part; /* of the current file, 0..1; -1: not known */
    double rate; /* units a second; 0: not known */
    double left; /* seconds for all that is left; -1: not known */
} State;

static State state_of(const Progress *p, double now, uint64_t done, uint64_t total)
{
    State state = {-1, 0, -1};
    double elapsed = now - p->started, here = now - p->file_started;
    if (total) state.part = (double)done / (double)total;
    if (p->unit && here > settled) state.rate = (double)done / p->unit_size / here;
    double worked = (double)p->finished + state.part;
    if (total && p->count && worked > 0 && elapsed > settled)
        state.left = elapsed * ((double)(p->count - p->index) - state.part) / worked;
    return state;
}

/* "  1.23 Mpixel/s", "  left 0:10": what can be told of them, with `gap` before each. */
static const char *rate_and_left(const Progress *p, const State *state, const char *gap,
                                 char text[80])
{
    char left[32];
    int used = 0;
    text[0] = 0;
    if (state->rate > 0) used = snprintf(text, 80, "%s%.3g %s/s", gap, state->rate, p->unit);
    if (state->left >= 0) {
        progress_format_seconds(state->left, left, sizeof left);
        snprintf(text + used, 80 - (size_t)used, "%sleft %s", gap, left);
    }
    return text;
}

/* "45 %"; "7 frames" where the end is not known. */
static const char *how_much(const Progress *p, const State *state, uint64_t done, char text[80])
{
    if (state->part >= 0)
        snprintf(text, 80, "%d %%", (int)(state->part * 100.0));
    else
        snprintf(text, 80, "%llu %s%s", (unsigned long long)done, p->unit ? p->unit : "",
                 p->unit && done != 1 ? "s" : "");
    return text;
}

/* "upscaling", "upscaling 3/12". */
static const char *heading(const Progress *p, char text[80])
{
    if (p->count > 1)
        snprintf(text, 80, "%s %zu/%zu", p->label, p->index + 1, p->count);
    else
        snprintf(text, 80, "%s", p->label);
    return text;
}

/* Cells of a bar with `used` columns beside it: a line that wraps cannot be written over. */
static int bar_cells(size_t used)
{
    enum { CELLS = 20, FEWEST = 4 };
    struct winsize size = {0};
    (void)ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    long room = size.ws_col ? (long)size.ws_col - 1 - (long)used : CELLS;
    return room >= CELLS ? CELLS : room >= FEWEST ? (int)room : 0;
}

/* " [#####...............]" */
static const char *cells_of(const Progress *p, double part, int cells, char text[80])
{
    static const char full[] = "####################", none[] = "....................";
    int filled = (int)(part * cells);
    text[0] = 0;
    if (cells)
        snprintf(text, 80, " [%s%.*s%s%.*s]", p->colour ? "\033[32m" : "", filled, full,
                 p->colour ? "\033[0m" : "", cells - filled, none);
    return text;
}

/* One call of fprintf, which is one write: a bar in pieces would flicker. */
static void draw_bar(const Progress *p, const State *state, uint64_t done)
{
    char head[80], tail[80], text[80];
    heading(p, head);
    rate_and_left(p, state, "  ", tail);
    size_t beside = strlen(head) + strlen(" [] 100 %") + strlen(tail);
    cli_lock_stderr();
    cli_bar_drawn = 1;
    if (state->part >= 0)
        fprintf(stderr, "\r%s%s %3d %%%s\033[K", head,
                cells_of(p, state->part, bar_cells(beside), text), (int)(state->part * 100.0),
                tail);
    else
        fprintf(stderr, "\r%s %s%s\033[K", head, how_much(p, state, done, text), tail);
    fflush(stderr);
    cli_unlock_stderr();
}

static void print_line(const Progress *p, const State *state, uint64_t done)
{
    char head[80], tail[80], much[80];
    cli_message("%s: %s%s", heading(p, head), how_much(p, state, done, much),
                rate_and_left(p, state, ", ", tail));
}

static void print_json(const Progress *p, const State *state, double now, uint64_t done,
                       uint64_t total)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "event", "progress");
    if (p->file) cli_json_text(line, "input", p->file);
    cJSON_AddNumberToObject(line, "file", (double)p->index + 1);
    if (p->count) cJSON_AddNumberToObject(line, "files", (double)p->count);
    cJSON_AddNumberToObject(line, "done", (double)done);
    if (total) cJSON_AddNumberToObject(line, "total", (double)total);
    cli_json_seconds(line, "elapsed_s", now - p->started);
    if (state->left >= 0) cli_json_seconds(line, "left_s", state->left);
    cli_lock_stderr();
    (void)!cli_json_print(line, stderr); /* of progress, a line may be missing */
    cli_unlock_stderr();
}

int progress_update(void *user, uint64_t done, uint64_t total)
{
    Progress *p = user;
    if (p->mode == PROGRESS_NONE) return 0;
    double now = slb_seconds();
    bool end = total && done >= total && p->mode != PROGRESS_PLAIN;
    if (!end && now - p->updated < interval[p->mode]) return 0;
    State state = state_of(p, now, done, total);
    p->updated = now;
    if (p->mode == PROGRESS_BAR)
        draw_bar(p, &state, done);
    else if (p->mode == PROGRESS_PLAIN)
        print_line(p, &state, done);
    else
        print_json(p, &state, now, done, total);
    return 0;
}

void progress_end(Progress *progress)
{
    if (progress->mode != PROGRESS_BAR) return;
    cli_lock_stderr();
    if (cli_bar_drawn) fputs("\r\033[K", stderr);
    cli_bar_drawn = 0;
    cli_unlock_stderr();
}
