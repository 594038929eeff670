/* The chunks of a PNG that libpng does not know, older ones at least, and those that nobody takes.
 */
#include <string.h>
#include <unistd.h>

#include "img/codec_png.h"

/* Of what is left out, these say what no note has to: a note about every second PNG is read by
 * nobody. */
static const char untold[][5] = {
    /* Taken, or told in words. */
    "cHRM", "gAMA", "iCCP", "sRGB", "cICP", "mDCV", "cLLI", "tRNS", "pHYs", "eXIf", "tEXt", "zTXt",
    "iTXt", "caBX", "acTL", "fcTL", "fdAT",
    /* How deep the samples were, which colours were used, before what, and when they changed last:
     * of the result it would not be true. */
    "sBIT", "hIST", "sPLT", "spAL", "bKGD", "tIME",
    /* What a GIF had between its pictures, of which there is one here. */
    "gIFg", "gIFt", "gIFx",
    /* Apple's second place to unpack from; a small preview by Fireworks. */
    "iDOT", "prVW"};

enum { MAX_NAMES = 6 };

/* Names of chunks that are left out, each once. */
typedef struct Names {
    int count;
    bool more; /* than there is room for */
    char name[MAX_NAMES][5];
} Names;

static bool is_letter(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void add_name(Names *names, const char name[5])
{
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0) return;
    if (names->count == MAX_NAMES)
        names->more = true;
    else
        memcpy(names->name[names->count++], name, 5);
}

/* `type` comes from outside. Without what begins with a capital letter there is no picture: if
 * libpng does not know it, it says so. */
static void count_left_out(Names *names, const unsigned char *type)
{
    char name[5] = "";
    for (int i = 0; i < 4; i++)
        if (!is_letter(type[i])) return;
    if (type[0] <= 'Z') return;
    memcpy(name, type, 4);
    for (size_t i = 0; i < sizeof untold / sizeof *untold; i++)
        if (strcmp(name, untold[i]) == 0) return;
    add_name(names, name);
}

static void note_left_out(SlbMeta *m, const Names *names)
{
    char text[MAX_NAMES * 6 + 16] = "";
    for (int i = 0, used = 0; i < names->count; i++) /* at most 6 bytes each */
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%s", i ? ", " : "",
                         names->name[i]);
    if (*text)
        slb_meta_note(m, "chunks that are left out: %s%s", text, names->more ? " and others" : "");
}

/* Where `chunk` (length, name, data) is a `type` of so many bytes, the first of them, they go to
 * `data`. */
static void take(const unsigned char *chunk, const char *type, size_t bytes, bool *has,
                 uint8_t *data)
{
    if (*has || memcmp(chunk + 4, type, 4) != 0 || png_get_uint_32(chunk) != bytes) return;
    memcpy(data, chunk + 8, bytes);
    *has = true;
}

/* Ahead of the pixels: how colours are coded, and that there are more pictures. */
static void take_ahead(SlbMeta *m, const unsigned char *chunk)
{
    take(chunk, "cICP", sizeof m->cicp, &m->has_cicp, m->cicp);
    take(chunk, "mDCV", sizeof m->mastering, &m->has_mastering, m->mastering);
    take(chunk, "cLLI", sizeof m->light, &m->has_light, m->light);
    if (memcmp(chunk + 4, "acTL", 4) == 0 && png_get_uint_32(chunk) == 8 &&
        png_get_uint_32(chunk + 8) > 1)
        slb_meta_note(m, "an animation of %u pictures: only one of them is taken",
                      (unsigned)png_get_uint_32(chunk + 8));
}

/* Checksums are for libpng to see, which passes by here too. */
void slb_png_read_unknown(SlbReader *r, off_t start)
{
    SlbMeta *m = &r->meta;
    Names names = {0};
    bool vouched = false, behind = false;
    unsigned char chunk[32] = {0}; /* length, name and up to 24 bytes more */
    for (off_t at = start + 8; pread(fileno(r->file), chunk, sizeof chunk, at) >= 12;) {
        if (memcmp(chunk + 4, "IEND", 4) == 0) break;
        behind = behind || memcmp(chunk + 4, "IDAT", 4) == 0;
        if (!behind) take_ahead(m, chunk);
        vouched = vouched || memcmp(chunk + 4, "caBX", 4) == 0;
        count_left_out(&names, chunk + 4);
        at += 12 + (off_t)png_get_uint_32(chunk);
    }
    if (vouched) slb_meta_note(m, "its content credentials are left out");
    note_left_out(m, &names);
}
