#include "cli/json_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void cli_json_text(cJSON *object, const char *name, const char *text)
{
    char *copy = slb_utf8_copy(text);
    if (!copy) return;
    cJSON_AddStringToObject(object, name, copy);
    free(copy);
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
