/* JSON for programs that read along: one object a line; and reports as JSON. */
#ifndef SLBSR_CLI_JSON_LINE_H
#define SLBSR_CLI_JSON_LINE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

/* Adds a string that need not be UTF-8 (the name of a file): bytes that are none become U+FFFD, so
 * that the line stays JSON. False when memory is out. */
bool cli_json_text(cJSON *object, const char *name, const char *text);

/* The same at the end of an array. */
bool cli_json_add_text(cJSON *array, const char *text);

/* Adds a time, to the microsecond. */
void cli_json_seconds(cJSON *object, const char *name, double seconds);

/* Prints `object` as a line, flushes, and deletes it. False when memory is out or (see errno) the
 * line could not be written. */
bool cli_json_print(cJSON *object, FILE *out);

/* Prints `object` on standard output, over many lines for a person, too. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus cli_json_report(const cJSON *object, SlbError *err);

#endif
