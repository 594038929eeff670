/* Text that comes from outside: names of files, what stands in pictures, networks and models. */
#ifndef SLBSR_BASE_TEXT_H
#define SLBSR_BASE_TEXT_H

#include <stddef.h>

/* Bytes of the UTF-8 character at `text`, which a zero byte ends; 0: what stands there is none. */
size_t slb_utf8_bytes(const char *text);

/* The control character at `text`, its number in Unicode; 0: there is none, or the text ends. Those
 * that a terminal would obey are meant (U+0001 to U+001F, U+007F to U+009F), and those that end a
 * line or turn its direction, so that a name is shown as what it is not (U+2028 to U+202E, U+2066
 * to U+2069). */
unsigned slb_control_at(const char *text);

/* Makes `text` a line that can be shown: each control character, and each byte that is no UTF-8,
 * becomes one '?'. It never becomes longer. */
void slb_clean(char *text);

/* Bytes of the mark (U+FEFF) with which some editors begin a file of UTF-8: 3 or 0. */
size_t slb_mark_bytes(const char *text, size_t bytes);

/* A copy of `text` (malloc) that is UTF-8: bytes that are none become U+FFFD. NULL when memory is
 * out. */
char *slb_utf8_copy(const char *text);

#endif
