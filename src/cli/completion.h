/* Completions for shells, from the tables of commands and options. */
#ifndef SLBSR_CLI_COMPLETION_H
#define SLBSR_CLI_COMPLETION_H

#include <stdio.h>

/* The script to install as bash-completion/completions/slbsr, zsh/site-functions/_slbsr and
 * fish/vendor_completions.d/slbsr.fish. */
void cli_print_bash(FILE *out);
void cli_print_zsh(FILE *out);
void cli_print_fish(FILE *out);

#endif
