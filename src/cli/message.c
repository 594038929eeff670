#include "cli/message.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
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

/* Characters of `kept` stay what they are. */
static void print(const char *text, const char *kept)
{
    size_t n;
    for (; *text; text += n ? n : 1) {
        n = slb_utf8_bytes(text);
        if (*kept && text[0] == '\r' && text[1] == '\n') continue;
        if (n && (!slb_control_at(text) || strchr(kept, *text)))
            fwrite(text, 1, n, stdout);
        else
            putchar('?');
    }
}

void cli_print_clean(const char *text)
{
    print(text, "");
}

void cli_print_column(const char *text, int width)
{
    int bytes = (int)strlen(text);
    print(text, "");
    printf("%*s", bytes < width ? width - bytes : 0, "");
}

void cli_print_lines(const char *text)
{
    print(text, "\n\t");
}

void cli_message(const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    slb_clean(text);
    cli_lock_stderr();
    fprintf(stderr, "%sslbsr: %s\n", cli_bar_drawn ? "\r\033[K" : "", text);
    cli_bar_drawn = 0;
    cli_unlock_stderr();
}
