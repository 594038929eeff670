#include "cli/json_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at `s`; 0: it is none (Unicode 15, table 3-7). */
static size_t sequence(const unsigned char *s)
{
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

void cli_json_text(cJSON *object, const char *name, const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *clean = malloc(strlen(text) * 3 + 1), *to = clean;
    if (!clean) return;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = sequence(s);
        memcpy(to, n ? (const char *)s : replacement, n ? n : 3);
        to += n ? n : 3;
        s += n ? n : 1;
    }
    *to = 0;
    cJSON_AddStringToObject(object, name, clean);
    free(clean);
}

void cli_json_seconds(cJSON *object, const char *name, double seconds)
{
    cJSON_AddNumberToObject(object, name, round(seconds * 1e6) / 1e6);
}

bool cli_json_print(cJSON *object, FILE *out)
{
    char *text = object ? cJSON_PrintUnformatted(object) : NULL;
    bool ok = text && fprintf(out, "%s\n", text) >= 0 && fflush(out) == 0;
    free(text);
    cJSON_Delete(object);
    return ok;
}
