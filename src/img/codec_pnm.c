/* PBM, PGM, PPM (P1 to P6) and PAM (P7), of our own: netpbm's manual pages are the standard.
 * Samples of 0..maxval are widened to 0..255 when maxval is under 256, to 0..65535 otherwise. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "img/codec_format.h"

enum { TYPE_BYTES = 128 };

typedef struct PnmHeader {
    uint64_t width, height, channels, maxval;
    char type[TYPE_BYTES]; /* TUPLTYPE of a PAM, cut if it is longer; "": none */
} PnmHeader;

typedef struct PnmState {
    int kind;           /* the digit after P */
    uint32_t maxval;    /* 1..65535 */
    size_t row_bytes;   /* of a row in the file; 0 for text */
    unsigned char *row; /* the row as it is in the file */
} PnmState;

/* ---- Reading the header ---- */

static bool sniff_pnm(const unsigned char *head, size_t bytes)
{
    return bytes >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' &&
           (isspace(head[2]) || head[2] == '#');
}

static SlbStatus damaged(SlbReader *r, const char *why, SlbError *err)
{
    if (ferror(r->file)) why = strerror(errno);
    return slb_read_damaged(r, feof(r->file) ? "it ends too early" : why, err);
}

/* The next character that is neither white space nor within a comment. */
static int skip_space(FILE *file)
{
    int c = getc(file);
    while (isspace(c) || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF) c = getc(file);
        else
            c = getc(file);
    }
    return c;
}

/* A decimal number up to 2^32 and the one character behind it. */
static bool read_number(FILE *file, uint64_t *value)
{
    int c = skip_space(file);
    if (!isdigit(c)) return false;
    for (*value = 0; isdigit(c); c = getc(file)) {
        *value = *value * 10 + (uint64_t)(c - '0');
        if (*value > UINT32_MAX) return false;
    }
    if (c == EOF) return true; /* the last number of a text file; elsewhere the next read fails */
    if (c == '#') ungetc(c, file);
    return isspace(c) || c == '#';
}

static bool read_old_header(FILE *file, int kind, PnmHeader *h)
{
    h->channels = kind == 3 || kind == 6 ? 3 : 1;
    h->maxval = 1;
    return read_number(file, &h->width) && read_number(file, &h->height) &&
           (kind == 1 || kind == 4 || read_number(file, &h->maxval));
}

/* Adds what a line "TUPLTYPE words" says: several of them are one text, with spaces between. */
static void add_type(char type[TYPE_BYTES], char *line)
{
    char *word = strstr(line, "TUPLTYPE") + strlen("TUPLTYPE");
    while (isspace((unsigned char)*word)) word++;
    size_t n = strlen(word), used = strlen(type);
    while (n && isspace((unsigned char)word[n - 1])) word[--n] = 0;
    if (n) snprintf(type + used, TYPE_BYTES - used, "%s%s", used ? " " : "", word);
}

/* Lines "NAME value" up to ENDHDR. */
static bool read_pam_header(FILE *file, PnmHeader *h)
{
    static const char *const names[] = {"WIDTH", "HEIGHT", "DEPTH", "MAXVAL"};
    uint64_t *values[] = {&h->width, &h->height, &h->channels, &h->maxval};
    char line[256];
    for (unsigned seen = 0; fgets(line, sizeof line, file);) {
        char name[16] = "", *end = strchr(line, '\n');
        unsigned long long value = 0;
        if (!end) return false;
        int fields = sscanf(line, "%15s %10llu", name, &value);
        if (fields >= 1 && !strcmp(name, "TUPLTYPE")) add_type(h->type, line);
        if (fields < 1 || name[0] == '#' || !strcmp(name, "TUPLTYPE")) continue;
        if (!strcmp(name, "ENDHDR")) return seen == 15;
        for (unsigned i = 0; i < 4; i++)
            if (!strcmp(name, names[i]) && fields == 2) {
                *values[i] = value;
                seen |= 1u << i;
            }
    }
    return false;
}

/* What the samples of a PAM mean is its TUPLTYPE; where that is silent, their number says it. */
static SlbStatus check_type(const SlbReader *r, const PnmHeader *h, SlbError *err)
{
    static const struct {
        const char *type;
        uint64_t channels;
    } known[] = {
        {"BLACKANDWHITE", 1},   {"GRAYSCALE", 1}, {"BLACKANDWHITE_ALPHA", 2},
        {"GRAYSCALE_ALPHA", 2}, {"RGB", 3},       {"RGB_ALPHA", 4},
    };
    bool is_known = !h->type[0];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(h->type, known[i].type) != 0) continue;
        is_known = true;
        if (h->channels != known[i].channels)
            return slb_fail(
                err, SLB_E_INPUT,
                "%s: its TUPLTYPE %s has %d samples a pixel, its DEPTH is %d; correct its "
                "header",
                r->path, known[i].type, (int)known[i].channels, (int)h->channels);
    }
    if (is_known) return SLB_OK;
    return slb_fail(
        err, SLB_E_INPUT,
        "%s: a PAM of TUPLTYPE %s is not supported; convert it to GRAYSCALE or RGB, with "
        "_ALPHA or without",
        r->path, h->type);
}

static SlbStatus read_header(SlbReader *r, PnmState *s, SlbError *err)
{
    PnmHeader h = {0};
    (void)!getc(r->file); /* sniff_pnm has seen these two */
    s->kind = getc(r->file) - '0';
    if (!(s->kind == 7 ? read_pam_header(r->file, &h) : read_old_header(r->file, s->kind, &h)))
        return damaged(r, "its header is no PNM header", err);
    if (!h.maxval || h.maxval > 65535) return damaged(r, "its maxval is not in 1..65535", err);
    if (!h.channels || h.channels > 4) return damaged(r, "its depth is not in 1..4", err);
    SlbStatus status = check_type(r, &h, err);
    if (status != SLB_OK) return status;
    s->maxval = (uint32_t)h.maxval;
    int depth = h.maxval < 256 ? 8 : 16;
    return slb_read_size(r, h.width, h.height, (int)h.channels, depth, err);
}

static SlbStatus read_open(SlbReader *r, SlbError *err)
{
    PnmState *s = r->state = slb_calloc(1, sizeof *s);
    if (!s) return slb_fail_memory(err, r->path);
    SlbStatus status = read_header(r, s, err);
    if (status != SLB_OK || s->kind <= 3) return status;
    s->row_bytes = s->kind == 4 ? ((size_t)r->info.width + 7) / 8 : slb_row_bytes(&r->info);
    s->row = slb_alloc(s->row_bytes, 1);
    return s->row ? SLB_OK : slb_fail_memory(err, r->path);
}

/* ---- Reading samples ---- */

static bool store(unsigned char *out, size_t i, uint64_t v, const PnmState *s)
{
    uint64_t full = s->maxval < 256 ? 255 : 65535, wide = (v * full + s->maxval / 2) / s->maxval;
    if (v > s->maxval) return false;
    if (full == 255)
        out[i] = (uint8_t)wide;
    else
        ((uint16_t *)(void *)out)[i] = (uint16_t)wide;
    return true;
}

static bool read_text_row(SlbReader *r, PnmState *s, unsigned char *out)
{
    size_t n = (size_t)r->info.width * (size_t)r->info.channels;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = 0;
        if (s->kind == 1) { /* bits need no space between them; 1 is black */
            int c = skip_space(r->file);
            if (c != '0' && c != '1') return false;
            v = c == '0';
        } else if (!read_number(r->file, &v)) {
            return false;
        }
        if (!store(out, i, v, s)) return false;
    }
    return true;
}

static bool widen_row(const SlbReader *r, const PnmState *s, unsigned char *out)
{
    const unsigned char *in = s->row;
    size_t n = (size_t)r->info.width * (size_t)r->info.channels;
    if (s->kind == 4)
        for (size_t i = 0; i < n; i++) (void)store(out, i, !(in[i / 8] >> (7 - i % 8) & 1), s);
    else if (s->maxval == 255)
        memcpy(out, in, n);
    else
        for (size_t i = 0; i < n; i++) {
            unsigned v = s->maxval < 256 ? in[i] : (unsigned)in[2 * i] << 8 | in[2 * i + 1];
            if (!store(out, i, v, s)) return false;
        }
    return true;
}

/* Whether anything but white space and comments stands behind the picture: a stream may hold more
 * of them. */
static bool has_more(FILE *file)
{
    for (int i = 0; i < 8; i++) {
        int c = slb_read_behind(file);
        if (!isspace(c)) return c != EOF && c != '#';
    }
    return false;
}

static SlbStatus read_rows(SlbReader *r, unsigned char *out, size_t stride_bytes, uint32_t rows,
                           SlbError *err)
{
    PnmState *s = r->state;
    errno = 0;
    for (size_t i = 0; i < rows; i++, out += stride_bytes) {
        if (s->kind <= 3) {
            if (!read_text_row(r, s, out))
                return damaged(r, "it holds something that is no sample of 0..maxval", err);
        } else if (fread(s->row, 1, s->row_bytes, r->file) != s->row_bytes) {
            return damaged(r, "it cannot be read", err);
        } else if (!widen_row(r, s, out)) {
            return damaged(r, "a sample is over its maxval", err);
        }
    }
    if (r->row + rows == r->info.height && has_more(r->file))
        slb_meta_note(&r->meta, "more follows behind the picture: only this one is taken");
    return SLB_OK;
}

static void read_close(SlbReader *r)
{
    PnmState *s = r->state;
    if (s) slb_free(s->row);
    slb_free(s);
    r->state = NULL;
}

/* ---- Writing ---- */

typedef struct PnmOut {
    unsigned char *row; /* as it goes into the file */
    size_t bytes;
    int channels; /* in the file: PPM has three of a grey picture too */
} PnmOut;

static SlbStatus failed(const SlbWriter *w, SlbError *err)
{
    return slb_write_failed(w, errno, "write error", err);
}

static void put_header(const SlbWriter *w, int channels)
{
    static const char *const tuple[] = {"", "GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"};
    unsigned width = w->info.width, height = w->info.height;
    unsigned maxval = w->info.depth == 8 ? 255 : 65535;
    if (w->format == &slb_format_pam)
        fprintf(w->output.file,
                "P7\nWIDTH %u\nHEIGHT %u\nDEPTH %d\nMAXVAL %u\nTUPLTYPE %s\nENDHDR\n", width,
                height, channels, maxval, tuple[channels]);
    else
        fprintf(w->output.file, "P%d\n%u %u\n%u\n", channels == 1 ? 5 : 6, width, height, maxval);
}

static SlbStatus write_open(SlbWriter *w, SlbError *err)
{
    PnmOut *s = w->state = slb_calloc(1, sizeof *s);
    if (!s) return slb_fail_memory(err, w->output.path);
    SlbImageInfo stored = w->info;
    if (w->format == &slb_format_ppm) stored.channels = 3;
    s->channels = stored.channels;
    s->bytes = slb_row_bytes(&stored);
    s->row = slb_alloc(s->bytes, 1);
    if (!s->row) return slb_fail_memory(err, w->output.path);
    errno = 0;
    put_header(w, s->channels);
    return ferror(w->output.file) ? failed(w, err) : SLB_OK;
}

/* Big-endian samples; a grey one thrice where the file has colours. */
static void pack_row(const SlbWriter *w, const PnmOut *s, const unsigned char *in)
{
    size_t repeat = (size_t)(s->channels / w->info.channels), k = 0;
    size_t n = (size_t)w->info.width * (size_t)w->info.channels;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < repeat; j++) {
            if (w->info.depth == 8) {
                s->row[k++] = in[i];
            } else {
                unsigned v = ((const uint16_t *)(const void *)in)[i];
                s->row[k++] = (unsigned char)(v >> 8);
                s->row[k++] = (unsigned char)v;
            }
        }
}

static SlbStatus write_rows(SlbWriter *w, const unsigned char *in, size_t stride_bytes,
                            uint32_t rows, SlbError *err)
{
    PnmOut *s = w->state;
    errno = 0;
    for (size_t i = 0; i < rows; i++) {
        pack_row(w, s, in + i * stride_bytes);
        if (fwrite(s->row, 1, s->bytes, w->output.file) != s->bytes) return failed(w, err);
    }
    return SLB_OK;
}

static SlbStatus write_end(SlbWriter *w, SlbError *err)
{
    (void)w;
    (void)err;
    return SLB_OK;
}

static void write_close(SlbWriter *w)
{
    PnmOut *s = w->state;
    if (s) slb_free(s->row);
    slb_free(s);
    w->state = NULL;
}

#define PNM_WRITER(names, channels_, label)                                                        \
    .name = label, .extensions = names, .channels = channels_, .depth = 16, .max_side = INT32_MAX, \
    .write_open = write_open, .write_rows = write_rows, .write_end = write_end,                    \
    .write_close = write_close

/* The first row reads for all of them. PNM is written as PGM or PPM, as the picture is. */
const SlbFormat slb_format_pnm = {
    PNM_WRITER("pnm", 3, "PNM"), .sniff = sniff_pnm,       .read_open = read_open,
    .read_rows = read_rows,      .read_close = read_close,
};
const SlbFormat slb_format_pgm = {PNM_WRITER("pgm", 1, "PGM")};
const SlbFormat slb_format_ppm = {PNM_WRITER("ppm", 3, "PPM")};
const SlbFormat slb_format_pam = {PNM_WRITER("pam", 4, "PAM")};
