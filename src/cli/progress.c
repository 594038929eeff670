#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/signals.h"

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + 1e-9 * (double)(to->tv_nsec - from->tv_nsec);
}

bool progress_has_terminal(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

void progress_start(Progress *progress, const char *label)
{
    const char *no_colour = getenv("NO_COLOR");
    *progress = (Progress){.label = label};
    progress->drawn = progress_has_terminal();
    progress->colour = !no_colour || !*no_colour;
    clock_gettime(CLOCK_MONOTONIC, &progress->started);
}

void progress_format_seconds(double seconds, char *text, size_t bytes)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, bytes, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, bytes, "%ld:%02ld", s / 60, s % 60);
}

int progress_update(void *user, uint64_t done, uint64_t total)
{
    Progress *progress = user;
    struct timespec now;
    if (!progress->drawn || total == 0) return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    bool first = progress->updated.tv_sec == 0 && progress->updated.tv_nsec == 0;
    if (!first && done < total && seconds_between(&progress->updated, &now) < 0.1) return 0;
    progress->updated = now;
    enum { CELLS = 30 };
    static const char full[] = "##############################",
                      none[] = "..............................";
    double part = (double)done / (double)total;
    int filled = (int)(part * CELLS);
    double elapsed = seconds_between(&progress->started, &now);
    char left[32] = "";
    if (done > 0 && elapsed > 1.0) {
        memcpy(left, "  left ", 8);
        progress_format_seconds(elapsed * (1.0 - part) / part, left + 7, sizeof left - 7);
    }
    cli_bar_drawn = 1;
    fprintf(stderr, "\r%s [%s%.*s%s%.*s] %3d %%%s\033[K", progress->label,
            progress->colour ? "\033[32m" : "", filled, full, progress->colour ? "\033[0m" : "",
            CELLS - filled, none, (int)(part * 100.0), left);
    fflush(stderr);
    return 0;
}

void progress_end(Progress *progress)
{
    if (cli_bar_drawn && progress->drawn) fputs("\r\033[K", stderr);
    cli_bar_drawn = 0;
}
