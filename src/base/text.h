/* Text that comes from outside: names of files, what stands in pictures, networks and models. */
#ifndef SLBSR_BASE_TEXT_H
#define SLBSR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the UTF-8 character at `text`, which a zero byte ends; 0: what stands there is none. */
size_t slb_utf8_bytes(const char *text);

/* Whether a control character stands at `text`, one of UTF-8's two bytes (U+0080 to U+009F) among
 * them: a terminal would obey it. */
bool slb_is_control(const char *text);

/* Makes `text` a line that can be shown: each control character, and each byte that is no UTF-8,
 * becomes one '?'. It never becomes longer. */
void slb_clean(char *text);

/* A copy of `text` (malloc) that is UTF-8: bytes that are none become U+FFFD. NULL when memory is
 * out. */
char *slb_utf8_copy(const char *text);

#endif
