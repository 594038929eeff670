/* Lines for the user on standard error, from whichever thread. */
#ifndef SLBSR_CLI_MESSAGE_H
#define SLBSR_CLI_MESSAGE_H

/* "slbsr: ..." and a newline; printf-style. A progress bar that stands there is wiped first;
 * control characters (a file's name may have them), and bytes that are no UTF-8, become '?'. Cut at
 * 8 KiB. */
void cli_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Text from a file, or a name, on standard output; likewise. */
void cli_print_clean(const char *text);
/* The same in a column of `width` bytes, or more. */
void cli_print_column(const char *text, int width);
/* The same of a text with lines: newlines and tabs stay, carriage returns before newlines go. */
void cli_print_lines(const char *text);

/* Around anything else that is written to standard error while other threads may have something to
 * say. Not to be nested, nor around cli_message. */
void cli_lock_stderr(void);
void cli_unlock_stderr(void);

#endif
