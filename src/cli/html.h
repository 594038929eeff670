/* Reports as one HTML file each that needs nothing else: style, script and pictures are inside, and
 * the page forbids itself to load anything. */
#ifndef SLBSR_CLI_HTML_H
#define SLBSR_CLI_HTML_H

#include <stdbool.h>
#include <stdio.h>

#include "base/io.h"
#include "img/image.h"

/* `text` as text of the page: what HTML would take for markup is escaped, control characters are
 * replaced. */
void html_text(FILE *out, const char *text);

/* The top of a page up to its heading, and its end with the command line that made it. `script`:
 * the name of an embedded file that is run at the end of the page, NULL for none. The name of the
 * command, e.g. "eval", stands in the page as its generator. */
void html_begin(FILE *out, const char *generator, const char *title);
void html_end(FILE *out, const char *script, const char *command_line);

/* A number with `decimals` digits; "∞" for infinity and "–" for what is no number. */
void html_number(FILE *out, double value, int decimals);

/* <img> with the picture as a PNG inside it; `attributes` go into the tag as they are, `alt` (which
 * is escaped) says what there is to see. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus html_picture(FILE *out, const SlbImage *image, const char *attributes,
                                      const char *alt, SlbError *err);

/* A table cell with a number, exact to 1e-6 in its data-value and rounded in what is seen. */
void html_cell(FILE *out, double value, int decimals, const char *classes);

/* Opens the file of a page as slb_output_open does; one that is a page of html_begin for
 * `generator` is replaced without asking. Nothing but an ordinary file is looked into. SLB_E_USAGE
 * for "-". */
SLB_MUST_CHECK SlbStatus html_open(SlbOutput *out, const char *path, bool overwrite,
                                   const char *generator, SlbError *err);

#endif
