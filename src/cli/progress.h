/* How far the work is, on standard error: a bar on a terminal, lines elsewhere. */
#ifndef SLBSR_CLI_PROGRESS_H
#define SLBSR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As option --progress has them. */
#define PROGRESS_MODES "auto|bar|plain|json|none"
typedef enum ProgressMode {
    PROGRESS_AUTO,  /* a bar on a terminal, else plain */
    PROGRESS_BAR,   /* ten times a second */
    PROGRESS_PLAIN, /* a line every ten seconds */
    PROGRESS_JSON,  /* an object a line: once a second, and when a file is done */
    PROGRESS_NONE,
} ProgressMode;

/* Set by progress_start; `unit`, `unit_size` and `count` may be changed before the first update. */
typedef struct Progress {
    const char *label;                     /* what is being done; not owned */
    ProgressMode mode;                     /* never PROGRESS_AUTO */
    bool colour;                           /* NO_COLOR is not set */
    const char *unit;                      /* of the rate, "Mpixel"; NULL: no rate is shown */
    double unit_size;                      /* so many of what progress_update counts make one */
    size_t count;                          /* files in all; 1 by default; 0: not known */
    size_t index;                          /* the one at work, from 0 */
    size_t finished;                       /* files that were worked on to their end */
    const char *file;                      /* its name, for JSON; NULL: none; not owned */
    double started, file_started, updated; /* slb_seconds(); updated 0: never */
} Progress;

/* True when standard error is a terminal on which a line can be written over. */
bool progress_has_terminal(void);

/* "1:02:03" or "4:05". */
void progress_format_seconds(double seconds, char *text, size_t bytes);

/* Without a terminal, `mode` PROGRESS_AUTO is PROGRESS_PLAIN. */
void progress_start(Progress *progress, const char *label, ProgressMode mode);

/* Work on file `index` of progress->count begins; those before that were not worked on (skipped,
 * damaged) take no share in the time that is left. */
void progress_file(Progress *progress, size_t index, const char *file);

/* An SlbProgress (infer/plan.h) with a Progress as `user`: shows how far the current file and all
 * are, with rate and time left once they can be told. Never cancels. A total of 0 is one that is
 * not known. */
int progress_update(void *user, uint64_t done, uint64_t total);

/* Wipes the bar. Safe to call twice. */
void progress_end(Progress *progress);

#endif
