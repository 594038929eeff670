/* slbsr eval --html: the same figures as a page, with crops to look at. */
#ifndef SLBSR_CLI_EVAL_HTML_H
#define SLBSR_CLI_EVAL_HTML_H

#include "base/io.h"
#include "cli/eval_measure.h"

typedef struct EvalHtml EvalHtml;

/* Opens the file; `overwrite` as in base/io.h. `published`: the small pictures are those that came
 * with the set (--lr). `protocol` and `command_line` must outlive it. */
SLB_MUST_CHECK SlbStatus eval_html_open(const char *path, bool overwrite, const char *protocol,
                                        bool published, const char *command_line, EvalHtml **html,
                                        SlbError *err);

/* The sequence is: for each set and scale begin, row..., end; then finish. `view`: NULL for a
 * picture that is only measured. */
SLB_MUST_CHECK SlbStatus eval_html_begin(EvalHtml *html, const char *set, int scale,
                                         const EvalModels *models, SlbError *err);
SLB_MUST_CHECK SlbStatus eval_html_row(EvalHtml *html, const EvalRow *row, const EvalView *view,
                                       SlbError *err);
/* `counts`: what the means are of, for a note where that is not all. */
SLB_MUST_CHECK SlbStatus eval_html_end(EvalHtml *html, const EvalRow *mean,
                                       const EvalCounts *counts, SlbError *err);
/* Writes the page and closes *html in any case. */
SLB_MUST_CHECK SlbStatus eval_html_finish(EvalHtml *html, SlbError *err);
void eval_html_abort(EvalHtml *html); /* leaves no file; NULL is allowed */

#endif
