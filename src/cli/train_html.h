/* Curves of training runs as a page. */
#ifndef SLBSR_CLI_TRAIN_HTML_H
#define SLBSR_CLI_TRAIN_HTML_H

#include <stdbool.h>

#include "cli/train_log.h"

enum { PLOT_RUNS = 8 }; /* at most, in one page */

/* Writes a page about one run or several: the figures of the last validation; loss, PSNR of the
 * weights of training (W_c) and of inference (W_q) beside bicubic by scale, sharpness, learning
 * rate. A page of this kind is replaced, any other file only with `overwrite`. */
SLB_MUST_CHECK SlbStatus train_html_write(const char *path, bool overwrite, const TrainLog *logs,
                                          int count, const char *command_line, SlbError *err);

/* Fails as train_html_write will when the file may not be replaced. */
SLB_MUST_CHECK SlbStatus train_html_check(const char *path, bool overwrite, SlbError *err);

#endif
