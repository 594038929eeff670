#include "cli/signals.h"

#include <stddef.h>
#include <unistd.h>

#include "base/io.h"

volatile sig_atomic_t cli_bar_drawn, cli_stop_number;

static volatile sig_atomic_t ask_first;

static void tidy_and_leave(int number)
{
    if (ask_first && !cli_stop_number && number != SIGPIPE) {
        __atomic_store_n(&cli_stop_number, number, __ATOMIC_SEQ_CST);
        return;
    }
    slb_output_abort_all();
    if (cli_bar_drawn) (void)!write(STDERR_FILENO, "\r\033[K", 4);
    _exit(128 + number);
}

/* Nobody minds this one otherwise: it is ignored unless a program asks for it. */
static const int waking = SIGURG;

static void wake_up(int number)
{
    (void)number;
}

bool cli_stop_asked(void)
{
    return __atomic_load_n(&cli_stop_number, __ATOMIC_SEQ_CST) != 0;
}

void cli_signals_interrupt(pthread_t thread)
{
    (void)pthread_kill(thread, waking);
}

void cli_signals_install(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction leave = {.sa_handler = tidy_and_leave, .sa_flags = SA_RESTART}, old;
    const struct sigaction wake = {.sa_handler = wake_up}; /* without SA_RESTART */
    sigfillset(&leave.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ending[i], &leave, NULL);
    sigaction(waking, &wake, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

void cli_signals_ask_first(void)
{
    ask_first = 1;
}
