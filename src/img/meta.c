#include "img/meta.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "img/exif.h"

SlbStatus slb_block_set(SlbBlock *block, const void *data, size_t bytes, SlbError *err)
{
    *block = (SlbBlock){slb_alloc(bytes + 1, 1), bytes};
    if (block->data) {
        memcpy(block->data, data, bytes);
        block->data[bytes] = 0;
        return SLB_OK;
    }
    *block = (SlbBlock){0};
    return slb_fail_memory(err, "the metadata of a picture");
}

void slb_meta_note(SlbMeta *meta, const char *format, ...)
{
    size_t used = strlen(meta->note);
    if (used) used += (size_t)snprintf(meta->note + used, sizeof meta->note - used, "; ");
    if (used >= sizeof meta->note) return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(meta->note + used, sizeof meta->note - used, format, arguments);
    va_end(arguments);
    slb_clean(meta->note + used);
}

enum { BLOCKS = 6 };

/* All blocks of *meta. */
static void list_blocks(SlbMeta *meta, SlbBlock *block[BLOCKS])
{
    SlbBlock *const all[BLOCKS] = {&meta->icc,   &meta->exif, &meta->xmp,
                                   &meta->texts, &meta->iptc, &meta->comment};
    memcpy(block, all, sizeof all);
}

uint64_t slb_meta_bytes(const SlbMeta *meta)
{
    SlbMeta same = *meta;
    SlbBlock *block[BLOCKS];
    uint64_t bytes = 0;
    list_blocks(&same, block);
    for (int i = 0; i < BLOCKS; i++) bytes += block[i]->bytes;
    return bytes;
}

void slb_meta_free(SlbMeta *meta)
{
    SlbBlock *block[BLOCKS];
    list_blocks(meta, block);
    for (int i = 0; i < BLOCKS; i++) slb_free(block[i]->data);
    *meta = (SlbMeta){0};
}

/* ---- Density ---- */

/* The nearest fraction of at most `most`, by continued fractions; ratio >= 1. */
static void nearest_fraction(double ratio, double most, double *n, double *d)
{
    double rest = ratio, n_before = 1, d_before = 0;
    *n = fmin(floor(ratio), most);
    *d = 1;
    while (*n < most && fabs(*n / *d - ratio) > 1e-9 * ratio) {
        rest = 1 / (rest - floor(rest));
        double n_next = floor(rest) * *n + n_before, d_next = floor(rest) * *d + d_before;
        if (!(n_next <= most)) return;
        n_before = *n, d_before = *d;
        *n = n_next, *d = d_next;
    }
}

void slb_density_aspect(const SlbMeta *meta, uint32_t most, uint32_t *x, uint32_t *y)
{
    double dx = meta->density_x, dy = meta->density_y, large = fmax(dx, dy), small = fmin(dx, dy);
    if (!(small > 0)) large = small = 1;
    if (large > most || large != floor(large) || small != floor(small))
        nearest_fraction(large / small, most, &large, &small);
    *x = (uint32_t)(dx >= dy ? large : small);
    *y = (uint32_t)(dx >= dy ? small : large);
}

/* Whether the two factors are the same but for the rounding of the size to whole pixels. */
static bool keeps_shape(const SlbMetaChange *change)
{
    double room = change->scale_x / change->width + change->scale_y / change->height;
    return fabs(change->scale_x - change->scale_y) <= room;
}

/* Of `out`, which has that of before. The shape of pixels is no matter of how many there are. */
static void change_density(SlbMeta *out, const SlbMetaChange *change)
{
    double x = out->density_x, y = out->density_y;
    bool swapped = change->orientation >= 5 && change->orientation <= 8;
    bool stays = out->density_unit == SLB_DENSITY_ASPECT && keeps_shape(change);
    out->density_x = (swapped ? y : x) * (stays ? 1 : change->scale_x);
    out->density_y = (swapped ? x : y) * (stays ? 1 : change->scale_y);
}

/* ---- XMP ---- */

enum { NUMBER = 48 }; /* room for one */

/* What a number in the packet becomes: `value` itself, or with `scales` the old one times it, for
 * which `other` stands in unless it is "". */
typedef struct Property {
    const char *name;
    double value;
    bool scales;
    char other[NUMBER];
} Property;

/* Bytes of the number that property `name` has at `at`: as an attribute (NAME="6") or as an element
 * (<NAME>6</NAME>). 0: there is no such thing here; otherwise *start is where the number begins. */
static size_t number_at(const SlbBlock *xmp, size_t at, const char *name, size_t *start)
{
    size_t n = strlen(name), end = xmp->bytes;
    const unsigned char *p = xmp->data;
    if (end - at < n || memcmp(p + at, name, n) != 0) return 0;
    if (at && (p[at - 1] == '/' || p[at - 1] == ':' || isalnum(p[at - 1]))) return 0;
    at += n;
    bool attribute = at < end && p[at] == '=';
    if (at >= end || (!attribute && p[at] != '>')) return 0;
    at++;
    if (attribute && (at >= end || (p[at] != '"' && p[at] != '\''))) return 0;
    at += attribute;
    *start = at;
    while (at < end && (isdigit(p[at]) || p[at] == '/' || p[at] == '.')) at++;
    return at < end ? at - *start : 0; /* something closes it */
}

int slb_xmp_orientation(const SlbBlock *xmp)
{
    size_t start;
    for (size_t at = 0; at < xmp->bytes; at++) {
        size_t n = number_at(xmp, at, "tiff:Orientation", &start);
        if (n) return n == 1 && strchr("12345678", xmp->data[start]) ? xmp->data[start] - '0' : 0;
    }
    return 0;
}

/* A fraction; where the value is not whole, of a larger divisor. */
static size_t print_fraction(double value, double divisor, char text[NUMBER])
{
    for (int i = 0; i < 4 && fabs(value - round(value)) > 1e-6 * value && value < 1e8; i++) {
        value *= 10;
        divisor *= 10;
    }
    return (size_t)snprintf(text, NUMBER, "%.0f/%.0f", value, divisor);
}

static size_t print_number(const Property *property, const unsigned char *old, size_t bytes,
                           char text[NUMBER])
{
    double value = property->value;
    if (!property->scales) return (size_t)snprintf(text, NUMBER, "%.0f", value);
    char copy[NUMBER] = "", *slash;
    memcpy(copy, old, bytes < sizeof copy ? bytes : sizeof copy - 1);
    value *= strtod(*property->other ? property->other : copy, &slash);
    double divisor = *slash == '/' ? strtod(slash + 1, NULL) : 1;
    if (!(value >= 0 && value < 1e9)) return 0;
    if (divisor == 1 && *slash != '/') return (size_t)snprintf(text, NUMBER, "%.10g", value);
    return print_fraction(value, divisor, text);
}

/* Writes `in` with the property changed to `out`, which has room; returns the bytes. */
static size_t rewrite(const SlbBlock *in, const Property *property, unsigned char *out)
{
    size_t used = 0, start = 0;
    for (size_t at = 0; at < in->bytes;) {
        char text[NUMBER];
        size_t n = number_at(in, at, property->name, &start);
        size_t m = n && n < NUMBER - 8 ? print_number(property, in->data + start, n, text) : 0;
        if (!m) {
            out[used++] = in->data[at++];
            continue;
        }
        memcpy(out + used, in->data + at, start - at);
        memcpy(out + used + (start - at), text, m);
        used += start - at + m;
        at = start + n;
    }
    return used;
}

static SlbStatus change_property(SlbBlock *xmp, const Property *property, SlbError *err)
{
    size_t found = 0, start;
    for (size_t at = 0; at < xmp->bytes; at++)
        found += number_at(xmp, at, property->name, &start) > 0;
    if (!found) return SLB_OK;
    SlbBlock out = {slb_alloc(xmp->bytes + NUMBER * found + 1, 1), 0};
    if (!out.data) return slb_fail_memory(err, "the metadata of a picture");
    out.bytes = rewrite(xmp, property, out.data);
    out.data[out.bytes] = 0;
    slb_free(xmp->data);
    *xmp = out;
    return SLB_OK;
}

/* The first number that a property has, "" where there is none. */
static void copy_number(const SlbBlock *xmp, const char *name, char number[NUMBER])
{
    size_t start, n = 0;
    for (size_t at = 0; at < xmp->bytes && !n; at++) n = number_at(xmp, at, name, &start);
    if (n >= NUMBER - 8) n = 0;
    if (n) memcpy(number, xmp->data + start, n);
    number[n] = 0;
}

/* Two numbers, as slb_exif_change has them: exchanged if there are both and the axes were. */
static SlbStatus change_densities(SlbBlock *xmp, const SlbMetaChange *change, SlbError *err)
{
    Property x = {"tiff:XResolution", change->scale_x, true, ""},
             y = {"tiff:YResolution", change->scale_y, true, ""};
    if (change->orientation >= 5) {
        copy_number(xmp, x.name, y.other);
        copy_number(xmp, y.name, x.other);
        if (!*x.other || !*y.other) *x.other = *y.other = 0;
    }
    SlbStatus s = change_property(xmp, &x, err);
    return s == SLB_OK ? change_property(xmp, &y, err) : s;
}

static SlbStatus change_xmp(SlbBlock *xmp, const SlbMetaChange *change, SlbError *err)
{
    /* From "Camera" on: films and gain maps, which stand behind the main picture of a JPEG and are
     * not taken over. A reader that is told of them would look for them in vain. Numbers, which
     * these have to be, stay there: no film, no bytes, and a version that there has never been. */
    const Property properties[] = {
        {"tiff:Orientation", 1, false, ""}, /* left out where nothing was turned */
        {"tiff:ImageWidth", change->width, false, ""},
        {"tiff:ImageLength", change->height, false, ""},
        {"exif:PixelXDimension", change->width, false, ""},
        {"exif:PixelYDimension", change->height, false, ""},
        {"GCamera:MotionPhoto", 0, false, ""},
        {"Camera:MotionPhoto", 0, false, ""},
        {"GCamera:MicroVideo", 0, false, ""},
        {"GCamera:MicroVideoOffset", 0, false, ""},
        {"Item:Length", 0, false, ""},
        {"hdrgm:Version", 0, false, ""},
    };
    SlbStatus s = SLB_OK;
    size_t first = change->orientation > 1 ? 0 : 1;
    for (size_t i = first; s == SLB_OK && i < sizeof properties / sizeof *properties; i++)
        s = change_property(xmp, &properties[i], err);
    return s == SLB_OK ? change_densities(xmp, change, err) : s;
}

/* ---- All of it ---- */

/* The blocks of *meta, which are another's, become copies. */
static SlbStatus copy_blocks(SlbMeta *meta, SlbError *err)
{
    SlbBlock *block[BLOCKS];
    SlbStatus s = SLB_OK;
    list_blocks(meta, block);
    for (int i = 0; i < BLOCKS; i++) {
        SlbBlock other = *block[i];
        *block[i] = (SlbBlock){0};
        if (s == SLB_OK && other.data) s = slb_block_set(block[i], other.data, other.bytes, err);
    }
    return s;
}

SlbStatus slb_meta_derive(const SlbMeta *in, const SlbMetaChange *change, SlbMeta *out,
                          SlbError *err)
{
    *out = *in;
    out->note[0] = 0;
    change_density(out, change);
    SlbStatus s = copy_blocks(out, err);
    if (s == SLB_OK) out->exif.bytes = slb_exif_change(out->exif.data, out->exif.bytes, change);
    if (s == SLB_OK) s = change_xmp(&out->xmp, change, err);
    if (s != SLB_OK) slb_meta_free(out);
    return s;
}
