#include "net/name_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/text.h"

enum { MAX_BYTES = 1 << 20, MAX_LINES = 4096, MAX_CONV = 4, MAX_WORDS = 3 };

typedef struct Reader {
    const char *path;
    char *next; /* of the text, which ends with a zero byte */
    int line;
    SlbNameMap *map;
    SlbError *err;
} Reader;

static SlbStatus fail_line(const Reader *r, const char *what)
{
    return slb_fail(r->err, SLB_E_MODEL,
                    "%s: line %d: %s; expected 'convNN NAME', or '- NAME' to leave something out",
                    r->path, r->line, what);
}

/* The number in "conv03"; -1 when the word is none such. */
static int conv_number(const char *word)
{
    if (strncmp(word, "conv", 4) != 0) return -1;
    const char *digits = word + 4;
    size_t length = strlen(digits);
    if (length < 2 || length > MAX_CONV || strspn(digits, "0123456789") != length) return -1;
    return atoi(digits);
}

static SlbStatus add(Reader *r, const char *what, const char *name)
{
    SlbNameMap *map = r->map;
    int conv = strcmp(what, "-") == 0 ? SLB_LEFT_OUT : conv_number(what);
    if (conv == -1) return fail_line(r, "the first word is neither a convolution nor '-'");
    if (strlen(name) >= SLB_TENSOR_NAME_BYTES) return fail_line(r, "the name is too long");
    if (conv >= 0 && slb_names_of(map, conv))
        return fail_line(r, "this convolution has a name already");
    MappedName *m = &map->item[map->count++];
    m->conv = conv;
    m->line = r->line;
    strcpy(m->name, name);
    return SLB_OK;
}

static SlbStatus read_line(Reader *r)
{
    char *line = r->next, *word[MAX_WORDS], *rest;
    int count = 0;
    r->next += strcspn(line, "\n");
    if (*r->next) *r->next++ = 0;
    r->line++;
    line[strcspn(line, "#")] = 0;
    for (char *w = strtok_r(line, " \t\r", &rest); w; w = strtok_r(NULL, " \t\r", &rest)) {
        if (count == 2) return fail_line(r, "more than two words");
        word[count++] = w;
    }
    if (count == 1) return fail_line(r, "one word alone");
    return count ? add(r, word[0], word[1]) : SLB_OK;
}

/* One more where the last line has its end. */
static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

/* Every line may be compared with every tensor of a file, so there must not be any number of them.
 */
static SlbStatus create(const char *path, size_t lines, SlbNameMap **map, SlbError *err)
{
    *map = NULL;
    if (lines > MAX_LINES + 1)
        return slb_fail(err, SLB_E_MODEL, "%s: a map of more than %d lines", path, MAX_LINES);
    SlbNameMap *m = *map = slb_calloc(1, sizeof *m);
    if (m) m->item = slb_calloc(lines, sizeof *m->item);
    return m && m->item ? SLB_OK : slb_fail_memory(err, path);
}

SlbStatus slb_names_load(const char *path, SlbNameMap **map, SlbError *err)
{
    unsigned char *text;
    size_t bytes;
    SlbStatus s = slb_read_file(path, MAX_BYTES, SLB_E_MODEL, &text, &bytes, err);
    if (s != SLB_OK) return s;
    SlbNameMap *m;
    s = create(path, count_lines((const char *)text), &m, err);
    char *first = (char *)text + slb_mark_bytes((const char *)text, bytes);
    Reader r = {.path = path, .next = first, .map = m, .err = err};
    if (s == SLB_OK && memchr(text, 0, bytes))
        s = slb_fail(err, SLB_E_MODEL, "%s: not a text: it has a zero byte", path);
    while (s == SLB_OK && *r.next) s = read_line(&r);
    slb_free(text);
    if (s == SLB_OK)
        *map = m;
    else
        slb_names_free(m);
    return s;
}

void slb_names_free(SlbNameMap *map)
{
    if (!map) return;
    slb_free(map->item);
    slb_free(map);
}

const MappedName *slb_names_of(const SlbNameMap *map, int conv)
{
    for (size_t i = 0; map && i < map->count; i++)
        if (map->item[i].conv == conv) return &map->item[i];
    return NULL;
}
