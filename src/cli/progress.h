/* A progress bar on standard error, only where that is a terminal. */
#ifndef SLBSR_CLI_PROGRESS_H
#define SLBSR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef struct Progress {
    const char *label; /* what is being done; not owned */
    bool drawn;        /* there is a terminal to draw on */
    bool colour;       /* NO_COLOR is not set */
    struct timespec started, updated;
} Progress;

/* True when standard error is a terminal on which a line can be written over. */
bool progress_has_terminal(void);

/* "1:02:03" or "4:05". */
void progress_format_seconds(double seconds, char *text, size_t bytes);

void progress_start(Progress *progress, const char *label);

/* An SlbProgress (infer/plan.h) with a Progress as `user`; draws at most ten times a second, with
 * the time that is left once it can be told. Never cancels. */
int progress_update(void *user, uint64_t done, uint64_t total);

/* Wipes the bar; before anything else is printed. Safe to call twice. */
void progress_end(Progress *progress);

#endif
