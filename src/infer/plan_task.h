/* A plan at work: the picture is cut into strips of columns and these into bands of rows, a task
 * each; a task takes all steps from row to row. */
#ifndef SLBSR_INFER_PLAN_TASK_H
#define SLBSR_INFER_PLAN_TASK_H

#include <omp.h>

#include "infer/plan_steps.h"

typedef struct Run {
    const SlbPlan *plan;
    const float *in;
    float *out;
    uint32_t width, height; /* of the whole input */
    SlbRows in_rows;        /* that `in` has */
    int64_t out_y0, out_y1; /* rows that `out` has */
    int64_t first, end;     /* rows of the input that lie under those of the output; the first and
                               the last may lie under others, too, that are not asked for */
    uint32_t strip, band;   /* pixels, rows of the input; the last ones may be smaller */
    uint64_t strips, bands;
    size_t arena_bytes;
    SlbProgress progress;
    void *user;
    uint64_t done, total; /* pixels of the output */
    int cancelled;
    omp_lock_t lock; /* of `done` and `cancelled` */
} Run;

/* What a task holds of one tensor: columns x0..x1 of rows y0..y1, the last `ring` of those rows at
 * a time, with one pixel of value 0 to the left and one to the right. A neighbour beyond x0 or x1
 * is read only where that is the border of the picture, since a tensor is as much wider than its
 * reader as that reaches. */
typedef struct View {
    unsigned char *rows;
    const unsigned char *outside; /* a row of pixels of value 0 */
    size_t row_bytes, pixel_bytes;
    int64_t x0, x1, y0, y1;
    int64_t left, top; /* of the ring: x0 and y0 of the tensor that it was made for */
    int64_t height;    /* of the whole tensor */
    int ring;          /* rows in it */
} View;

typedef struct Task {
    const Run *run;
    View *views;    /* [step_count] */
    int64_t y0, y1; /* rows of the output */
} Task;

/* Makes row y of a step's tensor, and of those of its chain; all that they read is there. */
void slb_task_row(const Task *task, int step, int64_t y);

/* Puts row y of the last step's tensor into the output. */
void slb_task_write(const Task *task, int64_t y);

static inline size_t task_columns(const Task *task, int step)
{
    return (size_t)(task->views[step].x1 - task->views[step].x0);
}

#endif
