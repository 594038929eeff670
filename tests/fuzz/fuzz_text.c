/* Text that may come from anywhere, as names of files do, where it goes out: a line of JSON, a
 * page, a message, a note. Input: the text, up to its first zero byte. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <iconv.h>

#include "cli/html.h"
#include "cli/json_line.h"
#include "fuzz/fuzz.h"
#include "img/meta.h"

/* As the C library sees it, not as the program does. */
static bool is_utf8(const char *text, size_t bytes)
{
    static iconv_t converter;
    char out[1 << 12], *in = (char *)text;
    if (!converter) converter = iconv_open("UTF-16LE", "UTF-8");
    iconv(converter, NULL, NULL, NULL, NULL);
    while (bytes) {
        char *to = out;
        size_t room = sizeof out;
        if (iconv(converter, &in, &bytes, &to, &room) == (size_t)-1 && errno != E2BIG) return false;
    }
    return true;
}

/* C0, DEL, and the C1 of UTF-8. */
static bool has_control(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i], next = (unsigned char)text[i + 1];
        if (c < 0x20 || c == 0x7f) return true;
        if (c == 0xc2 && next >= 0x80 && next < 0xa0) return true;
    }
    return false;
}

static void check_json(const char *text)
{
    cJSON *object = cJSON_CreateObject();
    char *line;
    size_t bytes;
    FILE *out = open_memstream(&line, &bytes);
    fuzz_want(object && out, "no memory");
    (void)cli_json_text(object, "text", text);
    fuzz_want(cli_json_print(object, out) && fclose(out) == 0, "no line of JSON");
    fuzz_want(line[bytes - 1] == '\n' && !has_control(line, bytes - 1), "no single line");
    fuzz_want(is_utf8(line, bytes), "JSON that is no UTF-8");
    cJSON *again = cJSON_Parse(line);
    const char *got = cJSON_GetStringValue(cJSON_GetObjectItem(again, "text"));
    fuzz_want(got && (strcmp(got, text) == 0) == is_utf8(text, strlen(text)), "another text");
    cJSON_Delete(again);
    free(line);
}

static void check_html(const char *text)
{
    char *page;
    size_t bytes;
    FILE *out = open_memstream(&page, &bytes);
    fuzz_want(out != NULL, "no memory");
    html_text(out, text);
    fuzz_want(fclose(out) == 0, "no memory");
    fuzz_want(!has_control(page, bytes) && !strpbrk(page, "<>\"") && is_utf8(page, bytes),
              "markup in a page");
    free(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const FuzzInput in = {data, bytes};
    char *text = fuzz_text(&in);
    SlbError err = {0};
    SlbMeta meta = {0};
    check_json(text);
    check_html(text);
    (void)slb_fail(&err, SLB_E_INPUT, "%s: odd", text);
    fuzz_want(!has_control(err.message, strlen(err.message)), "a message with controls");
    slb_meta_note(&meta, "%s", text);
    slb_meta_note(&meta, "also %s", text);
    fuzz_want(!has_control(meta.note, strlen(meta.note)), "a note with controls");
    free(text);
    return 0;
}
