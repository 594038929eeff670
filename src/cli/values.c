#include "cli/values.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A whole number of 1..2^31 - 1 at *at, which moves behind it; 0: there is none. */
static uint32_t side(const char **at)
{
    uint64_t value = 0;
    while (isdigit((unsigned char)**at) && value <= INT32_MAX)
        value = value * 10 + (uint64_t)(*(*at)++ - '0');
    return value <= INT32_MAX ? (uint32_t)value : 0;
}

SlbStatus cli_parse_size(const char *option, const char *text, uint32_t *width, uint32_t *height,
                         SlbError *err)
{
    const char *at = text;
    *width = side(&at);
    if (*width && (*at == 'x' || *at == 'X')) {
        at++;
        *height = side(&at);
        if (*height && !*at) return SLB_OK;
    }
    return slb_fail(err, SLB_E_USAGE, "%s: '%s' is no size; give WIDTHxHEIGHT in pixels", option,
                    text);
}

SlbStatus cli_parse_colour(const char *option, const char *text, uint8_t rgb[3], SlbError *err)
{
    const char *digits = text + (*text == '#');
    if (strcasecmp(text, "white") == 0) digits = "ffffff";
    if (strcasecmp(text, "black") == 0) digits = "000000";
    if (strlen(digits) != 6 || strspn(digits, "0123456789abcdefABCDEF") != 6)
        return slb_fail(err, SLB_E_USAGE, "%s: '%s' is no colour; give #rrggbb, white or black",
                        option, text);
    unsigned long value = strtoul(digits, NULL, 16);
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(value >> (16 - 8 * c));
    return SLB_OK;
}

SlbStatus cli_parse_bytes(const char *option, const char *text, uint64_t *bytes, SlbError *err)
{
    static const char units[] = "KMGT";
    char *end;
    double value = strtod(text, &end);
    if (!isdigit((unsigned char)*text)) value = 0;
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        for (const char *u = units; u <= unit; u++) value *= 1024;
        end++;
        if (strcasecmp(end, "iB") == 0 || strcasecmp(end, "B") == 0) end += strlen(end);
    }
    *bytes = value >= 1048576 && value <= 0x1p60 ? (uint64_t)value : 0;
    if (*bytes && !*end) return SLB_OK;
    return slb_fail(err, SLB_E_USAGE,
                    "%s: '%s' is no amount of memory; give megabytes or gigabytes as 512M, 2G",
                    option, text);
}
