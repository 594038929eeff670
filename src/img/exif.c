#include "img/exif.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

/* A TIFF structure: directories of entries of 12 bytes, each {tag, type, count, value or offset}.
 */
typedef struct Tiff {
    unsigned char *data; /* written by slb_exif_change alone */
    size_t bytes;
    bool little;
} Tiff;

/* Bytes of the block, from the first to the one behind the last; empty: both are 0. */
typedef struct Span {
    uint64_t from, to;
} Span;

enum {
    HEADER = 8,
    ENTRY = 12,
    TYPE_SHORT = 3,
    TYPE_LONG = 4,
    TYPE_RATIONAL = 5,
    TAG_WIDTH = 0x0100,
    TAG_HEIGHT = 0x0101,
    TAG_ORIENTATION = 0x0112,
    TAG_X_RESOLUTION = 0x011a,
    TAG_Y_RESOLUTION = 0x011b,
    TAG_STRIP = 0x0111,
    TAG_STRIP_BYTES = 0x0117,
    TAG_JPEG = 0x0201,
    TAG_JPEG_BYTES = 0x0202,
    TAG_RELATED_WIDTH = 0x1001,
    TAG_RELATED_HEIGHT = 0x1002,
    TAG_EXIF_DIRECTORY = 0x8769,
    TAG_GPS_DIRECTORY = 0x8825,
    TAG_SUBJECT_AREA = 0x9214,
    TAG_PIXEL_WIDTH = 0xa002,
    TAG_PIXEL_HEIGHT = 0xa003,
    TAG_INTEROP_DIRECTORY = 0xa005,
    TAG_FOCAL_X_RESOLUTION = 0xa20e,
    TAG_FOCAL_Y_RESOLUTION = 0xa20f,
    TAG_SUBJECT_LOCATION = 0xa214,
    KEPT = 4,             /* directories that stay when the thumbnail goes */
    THUMBNAIL_VALUES = 32 /* the most that are looked at: a thumbnail has a dozen */
};

/* Where a pixel of the upright picture comes from: swap x and y first, then count from the right
 * (flip_x) or from below (flip_y) of the stored picture. */
typedef struct Turn {
    bool swap, flip_x, flip_y;
} Turn;

static Turn turn_of(int orientation)
{
    static const Turn turns[9] = {
        [2] = {.flip_x = true},
        [3] = {.flip_x = true, .flip_y = true},
        [4] = {.flip_y = true},
        [5] = {.swap = true},
        [6] = {.swap = true, .flip_y = true},
        [7] = {.swap = true, .flip_x = true, .flip_y = true},
        [8] = {.swap = true, .flip_x = true},
    };
    return turns[orientation >= 2 && orientation <= 8 ? orientation : 0];
}

static uint32_t get(const Tiff *t, size_t at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | t->data[at + (size_t)(t->little ? bytes - 1 - i : i)];
    return value;
}

static void put(const Tiff *t, size_t at, int bytes, uint32_t value)
{
    for (int i = 0; i < bytes; i++)
        t->data[at + (size_t)(t->little ? i : bytes - 1 - i)] = (unsigned char)(value >> (8 * i));
}

static bool open_tiff(Tiff *t, const unsigned char *exif, size_t bytes)
{
    if (bytes < HEADER || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M')) return false;
    *t = (Tiff){(unsigned char *)(uintptr_t)exif, bytes, exif[0] == 'I'};
    return get(t, 2, 2) == 42;
}

/* Where the entry of `tag` stands in the directory at `at`; 0: nowhere. */
static size_t find(const Tiff *t, size_t at, uint32_t tag)
{
    if (at < HEADER || at > t->bytes - 2) return 0;
    uint32_t entries = get(t, at, 2);
    for (at += 2; entries > 0 && at + ENTRY <= t->bytes; entries--, at += ENTRY)
        if (get(t, at, 2) == tag) return at;
    return 0;
}

int slb_exif_told_orientation(const unsigned char *exif, size_t bytes)
{
    Tiff t;
    if (!open_tiff(&t, exif, bytes)) return 0;
    size_t at = find(&t, get(&t, 4, 4), TAG_ORIENTATION);
    if (!at || get(&t, at + 4, 4) != 1) return 0;
    uint32_t type = get(&t, at + 2, 2);
    if (type != TYPE_SHORT && type != TYPE_LONG) return 0;
    uint32_t value = get(&t, at + 8, type == TYPE_SHORT ? 2 : 4);
    return value >= 1 && value <= 8 ? (int)value : 0;
}

int slb_exif_orientation(const unsigned char *exif, size_t bytes)
{
    int told = slb_exif_told_orientation(exif, bytes);
    return told ? told : 1;
}

/* Sets a number that is there already; a short one becomes long where that is needed. */
static void set(const Tiff *t, size_t directory, uint32_t tag, uint32_t value)
{
    size_t at = find(t, directory, tag);
    if (!at || get(t, at + 4, 4) != 1) return;
    uint32_t type = get(t, at + 2, 2);
    if (type != TYPE_SHORT && type != TYPE_LONG) return;
    if (type == TYPE_SHORT && value > UINT16_MAX) put(t, at + 2, 2, type = TYPE_LONG);
    put(t, at + 8, type == TYPE_SHORT ? 2 : 4, value);
}

/* Where the two numbers of a rational stand; 0: nowhere. */
static size_t rational(const Tiff *t, size_t directory, uint32_t tag)
{
    size_t at = find(t, directory, tag);
    if (!at || get(t, at + 2, 2) != TYPE_RATIONAL || get(t, at + 4, 4) != 1) return 0;
    size_t value = get(t, at + 8, 4);
    return value >= HEADER && value <= t->bytes && t->bytes - value >= 8 ? value : 0;
}

static void multiply(const Tiff *t, size_t at, double factor)
{
    if (!at || !get(t, at + 4, 4)) return;
    double n = get(t, at, 4) * factor, d = get(t, at + 4, 4);
    if (n != floor(n)) { /* no whole multiple: to a millionth of its value */
        n = round(n / d * 1e4);
        d = 1e4;
    }
    if (n > UINT32_MAX) {
        n = round(n / d);
        d = 1;
    }
    if (!(n <= UINT32_MAX)) return;
    put(t, at, 4, (uint32_t)n);
    put(t, at + 4, 4, (uint32_t)d);
}

/* A pair of densities: exchanged if the axes were, then multiplied. Both may stand in one place. */
static void scale_densities(const Tiff *t, size_t directory, uint32_t x_tag, uint32_t y_tag,
                            const SlbMetaChange *change)
{
    size_t x = rational(t, directory, x_tag), y = rational(t, directory, y_tag);
    if (x && y && x != y && change->orientation >= 5) {
        unsigned char kept[8];
        memcpy(kept, t->data + x, 8);
        memmove(t->data + x, t->data + y, 8);
        memcpy(t->data + y, kept, 8);
    }
    multiply(t, x, change->scale_x);
    if (y != x) multiply(t, y, change->scale_y);
}

static size_t directory_of(const Tiff *t, size_t directory, uint32_t tag)
{
    size_t at = find(t, directory, tag);
    return at ? get(t, at + 8, 4) : 0;
}

/* What of `bytes` bytes at `from` lies within the block behind its header. */
static Span span(const Tiff *t, uint64_t from, uint64_t bytes)
{
    if (from < HEADER || from >= t->bytes || !bytes) return (Span){0, 0};
    return (Span){from, bytes < t->bytes - from ? from + bytes : t->bytes};
}

static Span directory_span(const Tiff *t, size_t at)
{
    if (at < HEADER || at > t->bytes - 2) return (Span){0, 0};
    return span(t, at, 2 + (uint64_t)get(t, at, 2) * ENTRY + 4);
}

/* The values of the entry at `at` that do not stand in it. */
static Span values_span(const Tiff *t, size_t at)
{
    static const unsigned char sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    uint32_t type = get(t, at + 2, 2);
    uint64_t bytes = type < sizeof sizes ? (uint64_t)sizes[type] * get(t, at + 4, 4) : 0;
    return bytes > 4 ? span(t, get(t, at + 8, 4), bytes) : (Span){0, 0};
}

/* A point of the stored picture, or with a diameter or a width and a height the middle of an area,
 * becomes one of the result. */
static void change_subject(const Tiff *t, size_t directory, uint32_t tag,
                           const SlbMetaChange *change)
{
    size_t at = find(t, directory, tag);
    if (!at || get(t, at + 2, 2) != TYPE_SHORT) return;
    size_t count = get(t, at + 4, 4);
    Span s = count > 2 ? values_span(t, at) : (Span){at + 8, at + 12};
    if (count < 2 || count > 4 || s.to - s.from != 2 * count) return;
    Turn turn = turn_of(change->orientation);
    double width = round(change->width / change->scale_x); /* upright, before it was enlarged */
    double height = round(change->height / change->scale_y);
    const double scale[] = {change->scale_x, change->scale_y};
    double old[4] = {0};
    for (size_t i = 0; i < count; i++) old[i] = get(t, (size_t)s.from + 2 * i, 2);
    if (turn.flip_x) old[0] = (turn.swap ? height : width) - 1 - old[0];
    if (turn.flip_y) old[1] = (turn.swap ? width : height) - 1 - old[1];
    for (size_t i = 0; i < count; i++) {
        double value = old[turn.swap ? i ^ 1 : i] * scale[i % 2];
        if (count == 3 && i == 2) value = old[i] * sqrt(scale[0] * scale[1]);
        value = fmin(fmax(round(value), 0), UINT16_MAX);
        put(t, (size_t)s.from + 2 * i, 2, (uint32_t)value);
    }
}

/* ---- The thumbnail ---- */

static void note_end(Span kept, Span s, bool *touches, size_t *end)
{
    *touches = *touches || (kept.from < s.to && s.from < kept.to);
    if (kept.to > *end) *end = (size_t)kept.to;
}

/* Whether some of `s` belongs to these directories; *end becomes where the last of them ends. */
static bool is_kept(const Tiff *t, const size_t directories[KEPT], Span s, size_t *end)
{
    bool touches = false;
    *end = HEADER;
    for (int i = 0; i < KEPT; i++) {
        Span d = directory_span(t, directories[i]);
        note_end(d, s, &touches, end);
        for (uint64_t at = d.from + 2; at + ENTRY <= d.to; at += ENTRY)
            note_end(values_span(t, (size_t)at), s, &touches, end);
    }
    return touches;
}

static void clear(const Tiff *t, const size_t directories[KEPT], Span s)
{
    size_t end;
    if (s.from < s.to && !is_kept(t, directories, s, &end))
        memset(t->data + s.from, 0, (size_t)(s.to - s.from));
}

/* The pixels that two numbers, a place and a length, tell of. */
static Span pixels_span(const Tiff *t, size_t directory, uint32_t tag, uint32_t bytes_tag)
{
    size_t at = find(t, directory, tag), bytes = find(t, directory, bytes_tag);
    if (!at || !bytes || get(t, at + 4, 4) != 1 || get(t, bytes + 4, 4) != 1) return (Span){0, 0};
    bool is_short = get(t, bytes + 2, 2) == TYPE_SHORT;
    return span(t, get(t, at + 8, 4), get(t, bytes + 8, is_short ? 2 : 4));
}

/* The second directory is that of the thumbnail: its link, and what it alone refers to, become
 * zeros, and those at the end of the block go. */
static void drop_thumbnail(Tiff *t, size_t first, size_t inner)
{
    const size_t kept[KEPT] = {first, inner, directory_of(t, first, TAG_GPS_DIRECTORY),
                               directory_of(t, inner, TAG_INTEROP_DIRECTORY)};
    size_t end;
    if (first < HEADER || first > t->bytes - 2) return;
    size_t link = first + 2 + (size_t)get(t, first, 2) * ENTRY;
    if (link > t->bytes || t->bytes - link < 4) return;
    size_t second = get(t, link, 4);
    Span d = directory_span(t, second);
    put(t, link, 4, 0);
    if (is_kept(t, kept, d, &end) || d.from == d.to) return;
    clear(t, kept, pixels_span(t, second, TAG_JPEG, TAG_JPEG_BYTES));
    clear(t, kept, pixels_span(t, second, TAG_STRIP, TAG_STRIP_BYTES));
    uint64_t at = d.from + 2;
    for (int i = 0; i < THUMBNAIL_VALUES && at + ENTRY <= d.to; i++, at += ENTRY)
        clear(t, kept, values_span(t, (size_t)at));
    clear(t, kept, d);
    while (t->bytes > end && !t->data[t->bytes - 1]) t->bytes--;
}

size_t slb_exif_change(unsigned char *exif, size_t bytes, const SlbMetaChange *change)
{
    Tiff t;
    if (!exif || !open_tiff(&t, exif, bytes)) return bytes;
    size_t first = get(&t, 4, 4), inner = directory_of(&t, first, TAG_EXIF_DIRECTORY);
    bool upright = change->orientation > 1 || slb_exif_orientation(exif, bytes) == 1;
    set(&t, first, TAG_WIDTH, change->width);
    set(&t, first, TAG_HEIGHT, change->height);
    scale_densities(&t, first, TAG_X_RESOLUTION, TAG_Y_RESOLUTION, change);
    if (inner && inner != first) {
        size_t interop = directory_of(&t, inner, TAG_INTEROP_DIRECTORY);
        set(&t, inner, TAG_PIXEL_WIDTH, change->width);
        set(&t, inner, TAG_PIXEL_HEIGHT, change->height);
        scale_densities(&t, inner, TAG_FOCAL_X_RESOLUTION, TAG_FOCAL_Y_RESOLUTION, change);
        change_subject(&t, inner, TAG_SUBJECT_AREA, change);
        change_subject(&t, inner, TAG_SUBJECT_LOCATION, change);
        set(&t, interop, TAG_RELATED_WIDTH, change->width);
        set(&t, interop, TAG_RELATED_HEIGHT, change->height);
    }
    if (change->orientation > 1) drop_thumbnail(&t, first, inner);
    /* Last: in a faulty block, what was changed above may lie within this directory. */
    if (upright && slb_exif_orientation(exif, bytes) != 1) set(&t, first, TAG_ORIENTATION, 1);
    return t.bytes;
}

static void fill_row(const SlbImage *in, Turn turn, uint32_t y, unsigned char *out)
{
    size_t pixel = (size_t)in->info.channels * (size_t)(in->info.depth / 8);
    uint32_t width = turn.swap ? in->info.height : in->info.width;
    for (uint32_t x = 0; x < width; x++, out += pixel) {
        size_t from_x = turn.swap ? y : x, from_y = turn.swap ? x : y;
        if (turn.flip_x) from_x = in->info.width - 1 - from_x;
        if (turn.flip_y) from_y = in->info.height - 1 - from_y;
        memcpy(out, in->data + from_y * in->stride_bytes + from_x * pixel, pixel);
    }
}

SlbStatus slb_image_orient(SlbImage *image, int orientation, SlbError *err)
{
    if (orientation < 2 || orientation > 8) return SLB_OK;
    Turn turn = turn_of(orientation);
    SlbImage upright = {0};
    SlbImageInfo info = image->info;
    if (turn.swap) {
        info.width = image->info.height;
        info.height = image->info.width;
    }
    SlbStatus status = slb_image_alloc(&upright, info, err);
    if (status != SLB_OK) return status;
    for (uint32_t y = 0; y < info.height; y++)
        fill_row(image, turn, y, upright.data + y * upright.stride_bytes);
    slb_free(image->data);
    image->data = upright.data;
    image->info = upright.info;
    image->stride_bytes = upright.stride_bytes;
    return SLB_OK;
}
