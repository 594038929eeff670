/* The manual: man pages from the tables of commands and options, and the facts that hold for all
 * commands. */
#ifndef SLBSR_CLI_MANUAL_H
#define SLBSR_CLI_MANUAL_H

#include <stdio.h>

#include "cli/options.h"

/* A name and what it means. To add one: a row in manual.c. */
typedef struct Fact {
    const char *name, *meaning; /* a NULL name ends a table */
} Fact;

extern const Fact cli_exit_codes[], cli_environment[];

/* Writes slbsr-COMMAND(1), or with NULL slbsr(1), in the man macros of roff. */
void cli_print_manual(const Command *command, FILE *out);

#endif
