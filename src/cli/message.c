#include "cli/message.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/signals.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void cli_lock_stderr(void)
{
    pthread_mutex_lock(&lock);
}

void cli_unlock_stderr(void)
{
    pthread_mutex_unlock(&lock);
}

static char cleaned(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
}

void cli_print_clean(const char *text)
{
    while (*text) putchar(cleaned(*text++));
}

void cli_message(const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++) *c = cleaned(*c);
    cli_lock_stderr();
    fprintf(stderr, "%sslbsr: %s\n", cli_bar_drawn ? "\r\033[K" : "", text);
    cli_bar_drawn = 0;
    cli_unlock_stderr();
}
