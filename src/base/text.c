#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Unicode 15, table 3-7. */
size_t slb_utf8_bytes(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    unsigned char low = 0x80, high = 0xbf;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    if (s[0] == 0xe0) low = 0xa0;  /* overlong */
    if (s[0] == 0xed) high = 0x9f; /* surrogates */
    if (s[0] == 0xf0) low = 0x90;  /* overlong */
    if (s[0] == 0xf4) high = 0x8f; /* beyond U+10FFFF */
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xbf) return 0;
    return n;
}

size_t slb_mark_bytes(const char *text, size_t bytes)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t length = sizeof mark - 1;
    return bytes >= length && memcmp(text, mark, length) == 0 ? length : 0;
}

unsigned slb_control_at(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned code = 0;
    switch (slb_utf8_bytes(text)) {
    case 1: code = s[0]; break;
    case 2: code = (s[0] & 0x1fU) << 6 | (s[1] & 0x3fU); break;
    case 3: code = (s[0] & 0x0fU) << 12 | (s[1] & 0x3fU) << 6 | (s[2] & 0x3fU); break;
    default: break; /* none of those has four */
    }
    bool control = code < 0x20 || (code >= 0x7f && code < 0xa0) || /* Unicode's class Cc */
                   code == 0x2028 || code == 0x2029 ||             /* a line's, a paragraph's end */
                   (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return control ? code : 0;
}

void slb_clean(char *text)
{
    char *to = text;
    while (*text) {
        size_t n = slb_utf8_bytes(text);
        if (n && !slb_control_at(text)) {
            memmove(to, text, n);
            to += n;
        } else {
            *to++ = '?';
        }
        text += n ? n : 1;
    }
    *to = 0;
}

char *slb_utf8_copy(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *copy = malloc(strlen(text) * 3 + 1), *to = copy;
    if (!copy) return NULL;
    while (*text) {
        size_t n = slb_utf8_bytes(text);
        memcpy(to, n ? text : replacement, n ? n : 3);
        to += n ? n : 3;
        text += n ? n : 1;
    }
    *to = 0;
    return copy;
}
