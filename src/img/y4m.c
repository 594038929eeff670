#include "img/y4m.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "img/codec.h"

struct SlbVideoReader {
    FILE *file;
    char *path;
    SlbVideoInfo info;
    char header[SLB_Y4M_LINE]; /* words behind the magic but for W and H, a space before each */
    bool has_chroma;           /* a word C told it */
    char old_chroma[16];       /* what XYSCSS= says, in small letters; "": there is none */
    uint64_t frames;           /* given out so far */
};

struct SlbVideoWriter {
    SlbOutput output;
    SlbVideoInfo info;
    unsigned char *row; /* of the widest plane, as it is in the file; above 8 bits */
};

static const char magic[] = "YUV4MPEG2";

bool slb_is_y4m(const unsigned char *head, size_t bytes)
{
    return bytes >= SLB_HEAD_BYTES && memcmp(head, magic, SLB_HEAD_BYTES) == 0;
}

/* ---- Frames ---- */

static size_t sample_bytes(const SlbVideoInfo *info)
{
    return info->depth > 8 ? 2 : 1;
}

uint64_t slb_frame_bytes(const SlbVideoInfo *info)
{
    uint64_t samples = 0;
    for (int p = 0; p < info->planes; p++)
        samples += (uint64_t)slb_plane_width(info, p) * slb_plane_height(info, p);
    return samples * sample_bytes(info);
}

SlbStatus slb_frame_alloc(SlbFrame *frame, const SlbVideoInfo *info, SlbError *err)
{
    *frame = (SlbFrame){0};
    for (int p = 0; p < info->planes; p++) {
        frame->plane[p] = slb_alloc((size_t)slb_plane_width(info, p) * sample_bytes(info),
                                    slb_plane_height(info, p));
        if (!frame->plane[p]) {
            slb_frame_free(frame);
            return slb_fail_memory(err, "a frame of a video");
        }
    }
    return SLB_OK;
}

void slb_frame_free(SlbFrame *frame)
{
    for (int p = 0; p < 3; p++) slb_free(frame->plane[p]);
    *frame = (SlbFrame){0};
}

/* ---- Header ---- */

static SlbStatus damaged(const SlbVideoReader *r, const char *why, SlbError *err)
{
    return slb_fail(err, SLB_E_INPUT, "%s: damaged Y4M file: %s; get a whole copy of it", r->path,
                    why);
}

/* A line without its newline; *end: the file ended before its first byte. */
static SlbStatus read_line(SlbVideoReader *r, char line[SLB_Y4M_LINE], bool *end, SlbError *err)
{
    *end = false;
    for (size_t used = 0; used < SLB_Y4M_LINE; used++) {
        int c = getc(r->file);
        if (c == EOF) {
            if (ferror(r->file))
                return slb_fail(err, SLB_E_INPUT, "%s: cannot be read: %s", r->path,
                                strerror(errno));
            *end = used == 0;
            return *end ? SLB_OK : damaged(r, "it ends in a header", err);
        }
        line[used] = c == '\n' ? 0 : (char)c;
        if (c == '\n') return SLB_OK;
        if (c < 0x20 || c > 0x7e) break;
    }
    return damaged(r, "a header is no line of text", err);
}

/* How a word behind C is called, without the depth that may follow. */
static const struct {
    const char *name;
    int planes, shift_x, shift_y;
    double site_x, site_y;
} chromas[] = {
    {"420jpeg", 3, 1, 1, 0.5, 0.5},    {"420mpeg2", 3, 1, 1, 0.25, 0.5},
    {"420paldv", 3, 1, 1, 0.25, 0.25}, {"420", 3, 1, 1, 0.5, 0.5},
    {"422", 3, 1, 0, 0.25, 0.5},       {"444", 3, 0, 0, 0.5, 0.5},
    {"mono", 1, 0, 0, 0.5, 0.5},
};

/* "420p10", "mono12": 10, 12; 8 when nothing follows; 0 for what is no depth. */
static int depth_of(const char *suffix)
{
    if (!*suffix) return 8;
    if (*suffix == 'p') suffix++;
    char *end;
    long depth = strtol(suffix, &end, 10);
    return *suffix >= '1' && *suffix <= '9' && !*end && depth > 8 && depth <= 16 ? (int)depth : 0;
}

static SlbStatus take_chroma(SlbVideoReader *r, const char *word, SlbError *err)
{
    SlbVideoInfo *info = &r->info;
    for (size_t i = 0; i < sizeof chromas / sizeof *chromas; i++) {
        size_t n = strlen(chromas[i].name);
        info->depth = strncmp(word, chromas[i].name, n) == 0 ? depth_of(word + n) : 0;
        if (!info->depth) continue;
        info->planes = chromas[i].planes;
        info->shift_x = chromas[i].shift_x;
        info->shift_y = chromas[i].shift_y;
        info->site_x = chromas[i].site_x;
        info->site_y = chromas[i].site_y;
        if (info->depth > 8 && info->shift_y) info->site_x = 0.25;
        return SLB_OK;
    }
    return slb_fail(err, SLB_E_INPUT,
                    "%s: video of the kind '%s' is not supported; use 420, 422, 444 or mono of 8 "
                    "to 16 bits (ffmpeg -pix_fmt yuv420p)",
                    r->path, word);
}

/* Digits alone, more than 0. */
static uint32_t size_of(const char *word)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(word, &end, 10);
    return *word >= '0' && *word <= '9' && !*end && !errno && v <= INT32_MAX ? (uint32_t)v : 0;
}

/* Programs from before there was C write XYSCSS=420JPEG, ffmpeg both (XYSCSS=422P10). What is too
 * long is cut, and of no kind that is known. */
static void take_old_chroma(SlbVideoReader *r, const char *word)
{
    snprintf(r->old_chroma, sizeof r->old_chroma, "%s", *word ? word : "?");
    for (char *c = r->old_chroma; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
}

static SlbStatus take_word(SlbVideoReader *r, const char *word, SlbError *err)
{
    static const char old[] = "XYSCSS=";
    switch (word[0]) {
    case 'W': r->info.width = size_of(word + 1); return SLB_OK;
    case 'H': r->info.height = size_of(word + 1); return SLB_OK;
    case 'C': r->has_chroma = true; return take_chroma(r, word + 1, err);
    case 'I':
        if (word[1] == 'p' || word[1] == '?') return SLB_OK;
        return slb_fail(err, SLB_E_INPUT,
                        "%s: interlaced video is not supported; deinterlace it first (ffmpeg -vf "
                        "yadif)",
                        r->path);
    case 'X':
        if (strcmp(word, "XCOLORRANGE=FULL") == 0) r->info.full_range = true;
        if (strncmp(word, old, sizeof old - 1) == 0) take_old_chroma(r, word + sizeof old - 1);
        return SLB_OK;
    default: return SLB_OK;
    }
}

/* `limit` in pixels; 0: the usual one. */
static SlbStatus read_header(SlbVideoReader *r, uint64_t limit, SlbError *err)
{
    bool given = limit > 0;
    uint64_t max_pixels = given ? limit : (uint64_t)1 << 30;
    char line[SLB_Y4M_LINE], *at = line, *save = NULL;
    bool end;
    SlbStatus s = read_line(r, line, &end, err);
    if (s == SLB_OK && (end || strncmp(line, magic, sizeof magic - 1) != 0))
        s = slb_fail(err, SLB_E_INPUT, "%s: is no Y4M video", r->path);
    if (s == SLB_OK) s = take_chroma(r, "420jpeg", err);
    at += sizeof magic - 1;
    for (char *word; s == SLB_OK && (word = strtok_r(at, " ", &save)); at = NULL) {
        size_t used = strlen(r->header);
        s = take_word(r, word, err);
        if (word[0] != 'W' && word[0] != 'H')
            snprintf(r->header + used, sizeof r->header - used, " %s", word);
    }
    if (s == SLB_OK && !r->has_chroma && r->old_chroma[0]) s = take_chroma(r, r->old_chroma, err);
    if (s != SLB_OK) return s;
    const SlbVideoInfo *info = &r->info;
    if (!info->width || !info->height) return damaged(r, "its header tells no size", err);
    if (info->width > max_pixels / info->height)
        return slb_fail(err, SLB_E_INPUT,
                        "%s: frames of %u x %u pixels are over the limit of %" PRIu64
                        "; cut them into parts first%s",
                        r->path, info->width, info->height, max_pixels,
                        given ? " or raise --max-pixels" : "");
    return SLB_OK;
}

SlbStatus slb_video_open(FILE *file, const char *path, uint64_t max_pixels, SlbVideoReader **reader,
                         SlbError *err)
{
    *reader = NULL;
    SlbVideoReader *r = slb_calloc(1, sizeof *r);
    if (!r) {
        fclose(file);
        return slb_fail_memory(err, path);
    }
    r->file = file;
    r->path = strdup(slb_input_name(path));
    SlbStatus s = r->path ? SLB_OK : slb_fail_memory(err, path);
    if (s == SLB_OK) s = read_header(r, max_pixels, err);
    if (s != SLB_OK)
        slb_video_close(r);
    else
        *reader = r;
    return s;
}

const SlbVideoInfo *slb_video_info(const SlbVideoReader *reader)
{
    return &reader->info;
}

void slb_video_close(SlbVideoReader *reader)
{
    if (!reader) return;
    fclose(reader->file);
    free(reader->path);
    slb_free(reader);
}

/* ---- Samples ---- */

/* From little endian, in place. */
static void take_samples(unsigned char *data, size_t count, int depth)
{
    unsigned largest = (1u << depth) - 1;
    for (size_t i = 0; i < count; i++) {
        unsigned v = data[2 * i] | (unsigned)data[2 * i + 1] << 8;
        uint16_t sample = (uint16_t)(v < largest ? v : largest);
        memcpy(data + 2 * i, &sample, sizeof sample);
    }
}

static void give_samples(const unsigned char *data, size_t count, unsigned char *out)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t sample;
        memcpy(&sample, data + 2 * i, sizeof sample);
        out[2 * i] = (unsigned char)(sample & 255);
        out[2 * i + 1] = (unsigned char)(sample >> 8);
    }
}

static SlbStatus cut_short(const SlbVideoReader *r, SlbError *err)
{
    if (ferror(r->file))
        return slb_fail(err, SLB_E_INPUT, "%s: cannot be read: %s", r->path, strerror(errno));
    return slb_fail(err, SLB_E_INPUT, "%s: damaged Y4M file: it ends in frame %" PRIu64, r->path,
                    r->frames + 1);
}

SlbStatus slb_video_read(SlbVideoReader *reader, SlbFrame *frame, bool *end, SlbError *err)
{
    static const char mark[] = "FRAME";
    char line[SLB_Y4M_LINE];
    const SlbVideoInfo *info = &reader->info;
    SlbStatus s = read_line(reader, line, end, err);
    if (s != SLB_OK || *end) return s;
    if (strncmp(line, mark, sizeof mark - 1) != 0 || (line[5] && line[5] != ' '))
        return damaged(reader, "what should be a frame is none", err);
    snprintf(frame->parameters, sizeof frame->parameters, "%s", line + 5);
    for (int p = 0; p < info->planes; p++) {
        size_t count = (size_t)slb_plane_width(info, p) * slb_plane_height(info, p);
        if (fread(frame->plane[p], sample_bytes(info), count, reader->file) != count)
            return cut_short(reader, err);
        if (info->depth > 8) take_samples(frame->plane[p], count, info->depth);
    }
    reader->frames++;
    return SLB_OK;
}

/* ---- Writing ---- */

static SlbStatus write_failed(const SlbVideoWriter *w, SlbError *err)
{
    return slb_fail(err, SLB_E_OUTPUT, "%s: cannot be written: %s", w->output.path,
                    strerror(errno));
}

SlbStatus slb_video_create(const char *path, bool overwrite, const SlbVideoReader *like,
                           uint32_t width, uint32_t height, SlbVideoWriter **writer, SlbError *err)
{
    *writer = NULL;
    SlbVideoWriter *w = slb_calloc(1, sizeof *w);
    if (!w) return slb_fail_memory(err, path);
    w->info = like->info;
    w->info.width = width;
    w->info.height = height;
    w->row = slb_alloc(width, sample_bytes(&w->info));
    SlbStatus s = w->row ? SLB_OK : slb_fail_memory(err, path);
    char line[SLB_Y4M_LINE]; /* its zero byte will be the newline */
    int length = snprintf(line, sizeof line, "%s W%u H%u%s", magic, width, height, like->header);
    if (s == SLB_OK && length >= SLB_Y4M_LINE)
        s = slb_fail(err, SLB_E_INPUT,
                     "%s: its header has no room for a larger size; take comments (X) out of it",
                     like->path);
    if (s == SLB_OK)
        s = strcmp(path, "-") == 0 ? slb_output_stdout(&w->output, err)
                                   : slb_output_open(&w->output, path, overwrite, err);
    if (s == SLB_OK && fprintf(w->output.file, "%s\n", line) < 0) s = write_failed(w, err);
    if (s != SLB_OK)
        slb_video_abort(w);
    else
        *writer = w;
    return s;
}

const SlbVideoInfo *slb_video_writer_info(const SlbVideoWriter *writer)
{
    return &writer->info;
}

static bool write_plane(SlbVideoWriter *w, const unsigned char *plane, int p)
{
    size_t width = slb_plane_width(&w->info, p), height = slb_plane_height(&w->info, p);
    size_t bytes = width * sample_bytes(&w->info);
    if (w->info.depth == 8) return fwrite(plane, bytes, height, w->output.file) == height;
    for (size_t y = 0; y < height; y++) {
        give_samples(plane + y * bytes, width, w->row);
        if (fwrite(w->row, 1, bytes, w->output.file) != bytes) return false;
    }
    return true;
}

SlbStatus slb_video_write(SlbVideoWriter *writer, const SlbFrame *frame, SlbError *err)
{
    bool ok = fprintf(writer->output.file, "FRAME%s\n", frame->parameters) >= 0;
    for (int p = 0; ok && p < writer->info.planes; p++)
        ok = write_plane(writer, frame->plane[p], p);
    if (ok && fflush(writer->output.file) == 0) return SLB_OK; /* someone may watch */
    return write_failed(writer, err);
}

SlbStatus slb_video_finish(SlbVideoWriter *writer, SlbError *err)
{
    SlbStatus s = slb_output_commit(&writer->output, err);
    slb_video_abort(writer);
    return s;
}

void slb_video_abort(SlbVideoWriter *writer)
{
    if (!writer) return;
    slb_output_abort(&writer->output);
    slb_free(writer->row);
    slb_free(writer);
}
