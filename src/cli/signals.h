/* Signals that end the program, and what has to be tidied before. */
#ifndef SLBSR_CLI_SIGNALS_H
#define SLBSR_CLI_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* From now on SIGINT, SIGTERM, SIGHUP and SIGPIPE remove the temporary files of open outputs and
 * end the process with exit code 128 + n; one that is ignored already (nohup) stays so. A file that
 * grows past the process's limit becomes a write error instead of a signal. */
void cli_signals_install(void);

/* From now on the first SIGINT, SIGTERM or SIGHUP only sets cli_stop_number, for a command that can
 * stop in good order; the second ends the process as above. */
void cli_signals_ask_first(void);

/* The signal that asks to stop; 0: none. */
extern volatile sig_atomic_t cli_stop_number;

/* Whether it is there, for any thread. */
bool cli_stop_asked(void);

/* Makes the call of the system in which `thread`, which has not ended, waits for a file or a pipe
 * fail with EINTR. Does nothing where it waits in none, so a thread that is about to may miss it.
 */
void cli_signals_interrupt(pthread_t thread);

/* Nonzero while a progress bar stands on the terminal's line: the handler wipes it. */
extern volatile sig_atomic_t cli_bar_drawn;

#endif
