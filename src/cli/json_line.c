#include "cli/json_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

bool cli_json_text(cJSON *object, const char *name, const char *text)
{
    char *copy = slb_utf8_copy(text);
    bool ok = copy && cJSON_AddStringToObject(object, name, copy);
    free(copy);
    return ok;
}

bool cli_json_add_text(cJSON *array, const char *text)
{
    char *copy = slb_utf8_copy(text);
    bool ok = copy && cJSON_AddItemToArray(array, cJSON_CreateString(copy));
    free(copy);
    return ok;
}

void cli_json_seconds(cJSON *object, const char *name, double seconds)
{
    cJSON_AddNumberToObject(object, name, round(seconds * 1e6) / 1e6);
}

/* cJSON escapes control characters up to U+001F. The others, which can only stand in strings, too:
 * JSON is read on terminals as well. Takes `text` over; NULL when it is, or when memory is out. */
static char *escape_controls(char *text)
{
    char *escaped = text ? malloc(strlen(text) * 6 + 1) : NULL, *to = escaped;
    for (const char *c = text; escaped && *c;) {
        size_t n = slb_utf8_bytes(c);
        unsigned control = (unsigned char)*c >= 0x7f ? slb_control_at(c) : 0;
        if (control)
            to += sprintf(to, "\\u%04x", control);
        else
            to = mempcpy(to, c, n ? n : 1);
        c += n ? n : 1;
    }
    if (escaped) *to = 0;
    cJSON_free(text);
    return escaped;
}

bool cli_json_print(cJSON *object, FILE *out)
{
    char *text = escape_controls(object ? cJSON_PrintUnformatted(object) : NULL);
    bool ok = text && fprintf(out, "%s\n", text) >= 0 && fflush(out) == 0;
    free(text);
    cJSON_Delete(object);
    return ok;
}

SlbStatus cli_json_report(const cJSON *object, SlbError *err)
{
    char *text = escape_controls(cJSON_Print(object));
    if (!text) return slb_fail_memory(err, "report");
    puts(text);
    free(text);
    return SLB_OK;
}
