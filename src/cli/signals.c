#include "cli/signals.h"

#include <stddef.h>
#include <unistd.h>

#include "base/io.h"

volatile sig_atomic_t cli_bar_drawn;

static void tidy_and_leave(int number)
{
    slb_output_abort_all();
    if (cli_bar_drawn) (void)!write(STDERR_FILENO, "\r\033[K", 4);
    _exit(128 + number);
}

void cli_signals_install(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction leave = {.sa_handler = tidy_and_leave}, old;
    sigfillset(&leave.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ending[i], &leave, NULL);
    signal(SIGXFSZ, SIG_IGN);
}
