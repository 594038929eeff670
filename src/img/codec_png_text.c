#include "img/codec_png_text.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* What stands in the block ahead of each text; behind it three strings with their zero bytes
 * (keyword, language, the keyword in that language), the text, and a zero byte. */
typedef struct Head {
    int kind;     /* as libpng has it: tEXt, zTXt, iTXt, ... */
    size_t bytes; /* of the text */
} Head;

/* libpng writes no other: 1 to 79 characters of Latin-1, spaces only one by one and inside. */
static bool is_keyword(const char *key)
{
    size_t n = strlen(key);
    if (n < 1 || n > 79 || key[0] == ' ' || key[n - 1] == ' ') return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)key[i];
        if (c < 0x20 || (c > 0x7e && c < 0xa1) || (c == ' ' && key[i + 1] == ' ')) return false;
    }
    return true;
}

static const char raw[] = "Raw profile type ";

/* ImageMagick's copies of EXIF and other profiles, its dates of the file, and what is told of a
 * thumbnail would be those of before. */
static bool is_kept(const png_text *text, const char *xmp_key)
{
    return is_keyword(text->key) && strcmp(text->key, xmp_key) != 0 &&
           strncmp(text->key, raw, sizeof raw - 1) != 0 && strncmp(text->key, "Thumb::", 7) != 0 &&
           strncmp(text->key, "date:", 5) != 0;
}

/* A profile that is nowhere else in the file, so that leaving it out is a loss. */
static bool is_lost(const png_text *text, const SlbMeta *meta)
{
    if (strncmp(text->key, raw, sizeof raw - 1) != 0) return false;
    const char *kind = text->key + sizeof raw - 1;
    bool exif = strcasecmp(kind, "exif") == 0, xmp = strcasecmp(kind, "xmp") == 0,
         icc = strcasecmp(kind, "icc") == 0 || strcasecmp(kind, "icm") == 0;
    if (strcasecmp(kind, "APP1") == 0) return !meta->exif.data && !meta->xmp.data;
    return !((exif && meta->exif.data) || (xmp && meta->xmp.data) || (icc && meta->icc.data));
}

static void note_lost(const png_text *text, int n, SlbMeta *meta)
{
    for (int i = 0; i < n; i++) {
        if (!is_lost(&text[i], meta)) continue;
        slb_meta_note(meta, "a profile that stands in a text is left out: %s", text[i].key);
        return; /* one tells of all */
    }
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static size_t text_bytes(const png_text *text)
{
    return text->compression < PNG_ITXT_COMPRESSION_NONE ? text->text_length : text->itxt_length;
}

static size_t packed_bytes(const png_text *text)
{
    return sizeof(Head) + strlen(text->key) + strlen(or_empty(text->lang)) +
           strlen(or_empty(text->lang_key)) + 3 + text_bytes(text) + 1;
}

static unsigned char *pack(const png_text *text, unsigned char *to)
{
    Head head;
    memset(&head, 0, sizeof head); /* its padding too: equal texts are equal blocks */
    head.kind = text->compression;
    head.bytes = text_bytes(text);
    const char *strings[] = {text->key, or_empty(text->lang), or_empty(text->lang_key)};
    memcpy(to, &head, sizeof head);
    to += sizeof head;
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(strings[i]) + 1;
        memcpy(to, strings[i], n);
        to += n;
    }
    if (head.bytes) memcpy(to, text->text, head.bytes);
    to[head.bytes] = 0;
    return to + head.bytes + 1;
}

SlbStatus slb_png_take_texts(png_structp png, png_infop info, const char *xmp_key, SlbMeta *meta,
                             SlbError *err)
{
    png_textp text;
    int n = png_get_text(png, info, &text, NULL);
    size_t bytes = 0;
    note_lost(text, n, meta);
    for (int i = 0; i < n; i++)
        if (is_kept(&text[i], xmp_key)) bytes += packed_bytes(&text[i]);
    if (!bytes) return SLB_OK;
    if (bytes > SLB_META_LIMIT) {
        slb_meta_note(meta, "more than %d MiB of texts: left out", SLB_META_LIMIT >> 20);
        return SLB_OK;
    }
    unsigned char *to = slb_alloc(bytes, 1);
    if (!to) return slb_fail_memory(err, "the texts of a picture");
    meta->texts = (SlbBlock){to, bytes};
    for (int i = 0; i < n; i++)
        if (is_kept(&text[i], xmp_key)) to = pack(&text[i], to);
    return SLB_OK;
}

void slb_png_put_texts(png_structp png, png_infop info, const SlbBlock *texts)
{
    if (!texts->data) return;
    unsigned char *at = texts->data, *end = at + texts->bytes;
    while (at < end) {
        Head head;
        char *strings[3];
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        for (int i = 0; i < 3; i++) {
            strings[i] = (char *)at;
            at += strlen(strings[i]) + 1;
        }
        png_text entry = {.compression = head.kind,
                          .key = strings[0],
                          .lang = strings[1],
                          .lang_key = strings[2],
                          .text = (char *)at};
        if (head.kind < PNG_ITXT_COMPRESSION_NONE)
            entry.text_length = head.bytes;
        else
            entry.itxt_length = head.bytes;
        png_set_text(png, info, &entry, 1);
        at += head.bytes + 1;
    }
}
