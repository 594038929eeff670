/* Making pack files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/folder.h"
#include "base/io.h"
#include "base/mem.h"
#include "img/codec.h"
#include "train/dataset.h"
#include "train/pack.h"
#include "train/pack_format.h"

/* A picture of the plan. */
typedef struct Entry {
    char *name; /* in names */
    uint64_t offset, bytes, tiles;
    uint32_t width, height, channels; /* of the upright picture, without alpha */
    uint32_t *crc;                    /* [tiles] in crcs */
    bool damaged;                     /* found while decoding it */
} Entry;

struct SlbPackPlan {
    char *folder;
    char **names;
    size_t name_count;
    Entry *entry; /* [report.pictures] */
    uint64_t tiles;
    uint32_t *crcs; /* [tiles] as planned */
    SlbPackReport report;
};

static void pass_over(SlbPackReport *report, const SlbError *why)
{
    if (report->unreadable++ == 0) report->first_unreadable = *why;
}

/* Alpha is left out. */
static uint32_t packed_channels(const SlbImageInfo *info)
{
    return info->channels >= 3 ? 3 : 1;
}

/* A picture that cannot be read is passed over; but SLB_E_MEMORY is no fault of the picture. */
static SlbStatus plan_picture(SlbPackPlan *plan, char *name, SlbError *err)
{
    SlbReader *reader;
    SlbError failed;
    SlbStatus s = slb_reader_open(name, NULL, &reader, &failed);
    if (s == SLB_E_MEMORY) return slb_fail_memory(err, name);
    if (s != SLB_OK) {
        pass_over(&plan->report, &failed);
        return SLB_OK;
    }
    const SlbImageInfo info = slb_reader_upright(reader);
    Entry *e = &plan->entry[plan->report.pictures++];
    e->name = name;
    e->width = info.width;
    e->height = info.height;
    e->channels = packed_channels(&info);
    e->bytes = (uint64_t)e->width * e->height * e->channels;
    e->tiles = slb_pack_tiles(e->width, e->height);
    slb_reader_close(reader);
    return SLB_OK;
}

static uint64_t index_bytes(const SlbPackPlan *plan)
{
    return SLB_PACK_HEADER + plan->report.pictures * SLB_PACK_ENTRY + plan->tiles * SLB_PACK_CRC;
}

/* Places the pictures that are to be had one behind the other. */
static SlbStatus place(SlbPackPlan *plan, SlbError *err)
{
    SlbPackReport *report = &plan->report;
    plan->tiles = 0;
    for (uint64_t i = 0; i < report->pictures; i++) plan->tiles += plan->entry[i].tiles;
    report->bytes = index_bytes(plan);
    for (uint64_t i = 0; i < report->pictures; i++) {
        plan->entry[i].offset = report->bytes;
        report->bytes += plan->entry[i].bytes;
    }
    if (report->pictures) return SLB_OK;
    if (report->unreadable)
        return slb_fail(err, SLB_E_INPUT, "%s: no readable picture; the first: %.300s",
                        plan->folder, report->first_unreadable.message);
    return slb_fail(err, SLB_E_INPUT, "%s: no pictures in it (%s)", plan->folder,
                    slb_read_extensions);
}

SlbStatus slb_pack_plan(const char *folder, SlbPackPlan **plan, SlbError *err)
{
    SlbPackPlan *p = slb_calloc(1, sizeof *p);
    if (!p) return slb_fail_memory(err, folder);
    SlbStatus s = slb_dataset_files(folder, &p->names, &p->name_count, err);
    if (s == SLB_OK) {
        p->folder = strdup(folder);
        p->entry = slb_calloc(p->name_count + 1, sizeof *p->entry);
        if (!p->folder || !p->entry) s = slb_fail_memory(err, folder);
    }
    for (size_t i = 0; s == SLB_OK && i < p->name_count; i++) s = plan_picture(p, p->names[i], err);
    if (s == SLB_OK) s = place(p, err);
    if (s == SLB_OK)
        *plan = p;
    else
        slb_pack_plan_free(p);
    return s;
}

void slb_pack_plan_free(SlbPackPlan *plan)
{
    if (!plan) return;
    free(plan->folder);
    slb_free(plan->entry);
    slb_free(plan->crcs);
    slb_free_names(plan->names, plan->name_count);
    slb_free(plan);
}

const SlbPackReport *slb_pack_report(const SlbPackPlan *plan)
{
    return &plan->report;
}

/* All samples, 8 bits, without alpha, rows close together. */
static void flatten(const SlbImage *image, uint32_t channels, uint8_t *out)
{
    size_t from = (size_t)image->info.channels, n = image->info.width;
    for (uint32_t y = 0; y < image->info.height; y++) {
        const unsigned char *row = image->data + (size_t)y * image->stride_bytes;
        const uint16_t *wide = (const uint16_t *)(const void *)row;
        for (size_t x = 0; x < n; x++)
            for (size_t c = 0; c < channels; c++)
                *out++ = image->info.depth == 16 ? (uint8_t)((wide[x * from + c] + 128u) / 257u)
                                                 : row[x * from + c];
    }
}

static SlbStatus write_at(int fd, const uint8_t *data, uint64_t bytes, uint64_t offset,
                          const char *path, SlbError *err)
{
    while (bytes > 0) {
        ssize_t n = pwrite(fd, data, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return slb_fail(err, SLB_E_OUTPUT, "%s: cannot be written: %s", path,
                            n < 0 ? strerror(errno) : "no progress");
        data += n;
        bytes -= (uint64_t)n;
        offset += (uint64_t)n;
    }
    return SLB_OK;
}

/* The file may be another one by now than the one that was planned. */
static SlbStatus check_planned(const Entry *e, const SlbImageInfo *info, SlbError *err)
{
    if (info->width == e->width && info->height == e->height &&
        packed_channels(info) == e->channels)
        return SLB_OK;
    return slb_fail(err, SLB_E_INPUT, "%s: has changed meanwhile; pack again when it is at rest",
                    e->name);
}

static SlbStatus write_picture(const Entry *e, int fd, const char *path, SlbError *err)
{
    SlbImage image = {0};
    SlbStatus s = slb_image_load(e->name, NULL, &image, err);
    if (s != SLB_OK) return s;
    s = check_planned(e, &image.info, err);
    uint8_t *samples = s == SLB_OK ? slb_alloc(e->bytes, 1) : NULL;
    if (s == SLB_OK && !samples) s = slb_fail_memory(err, e->name);
    if (s == SLB_OK) {
        flatten(&image, e->channels, samples);
        for (uint64_t t = 0; t < e->tiles; t++)
            e->crc[t] = slb_pack_crc(samples, e->width, e->height, e->channels, t);
        s = write_at(fd, samples, e->bytes, e->offset, path, err);
    }
    slb_free(samples);
    slb_image_free(&image);
    return s;
}

static void put(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static SlbStatus write_index(const SlbPackPlan *plan, int fd, const char *path, SlbError *err)
{
    uint64_t bytes = index_bytes(plan);
    uint8_t *head = slb_calloc(bytes, 1);
    if (!head) return slb_fail_memory(err, path);
    uint8_t *sum = head + SLB_PACK_HEADER + plan->report.pictures * SLB_PACK_ENTRY;
    for (uint64_t i = 0; i < plan->report.pictures; i++) {
        uint8_t *p = head + SLB_PACK_HEADER + i * SLB_PACK_ENTRY;
        const Entry *e = &plan->entry[i];
        put(p, e->width, 4);
        put(p + 4, e->height, 4);
        put(p + 8, e->channels, 4);
        put(p + 16, e->offset, 8);
        for (uint64_t t = 0; t < e->tiles; t++, sum += SLB_PACK_CRC)
            put(sum, e->crc[t], SLB_PACK_CRC);
    }
    memcpy(head, SLB_PACK_MAGIC, 8);
    put(head + 8, plan->report.pictures, 8);
    put(head + 16, crc32_z(0, head + SLB_PACK_HEADER, bytes - SLB_PACK_HEADER), 4);
    SlbStatus s = write_at(fd, head, bytes, 0, path, err);
    slb_free(head);
    return s;
}

/* Copies `bytes` from offset `from` of `in` to the smaller offset `to` of `out`, the same file. */
static SlbStatus move_down(int in, int out, uint64_t bytes, uint64_t from, uint64_t to,
                           const char *path, SlbError *err)
{
    enum { CHUNK = 1 << 20 };
    uint8_t *chunk = slb_alloc(CHUNK, 1);
    SlbStatus s = chunk ? SLB_OK : slb_fail_memory(err, path);
    while (s == SLB_OK && bytes > 0) {
        ssize_t n = pread(in, chunk, bytes < CHUNK ? bytes : CHUNK, (off_t)from);
        if (n < 0 && errno == EINTR) continue;
        s = n > 0 ? write_at(out, chunk, (uint64_t)n, to, path, err)
                  : slb_fail(err, SLB_E_OUTPUT, "%s: cannot be read back: %s", path,
                             n < 0 ? strerror(errno) : "it is cut short");
        if (s != SLB_OK) break;
        bytes -= (uint64_t)n;
        from += (uint64_t)n;
        to += (uint64_t)n;
    }
    slb_free(chunk);
    return s;
}

/* Moves the samples together: those of picture i are at from[i] still. */
static SlbStatus move_all(const SlbPackPlan *plan, const uint64_t *from, const SlbOutput *file,
                          SlbError *err)
{
    int out = fileno(file->file), in = open(file->temporary, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return slb_fail(err, SLB_E_OUTPUT, "%s: cannot be read back: %s", file->path,
                        strerror(errno));
    SlbStatus s = SLB_OK;
    for (uint64_t i = 0; s == SLB_OK && i < plan->report.pictures; i++) {
        const Entry *e = &plan->entry[i];
        if (from[i] > e->offset)
            s = move_down(in, out, e->bytes, from[i], e->offset, file->path, err);
    }
    close(in);
    if (s == SLB_OK && ftruncate(out, (off_t)plan->report.bytes) != 0)
        s = slb_fail(err, SLB_E_OUTPUT, "%s: cannot be written: %s", file->path, strerror(errno));
    return s;
}

/* Leaves out what turned out damaged: a smaller index, and samples without the gaps. */
static SlbStatus close_gaps(SlbPackPlan *plan, const SlbOutput *file, SlbError *err)
{
    uint64_t planned = plan->report.pictures, kept = 0;
    uint64_t *from = slb_calloc(planned, sizeof *from);
    if (!from) return slb_fail_memory(err, file->path);
    for (uint64_t i = 0; i < planned; i++) {
        if (plan->entry[i].damaged) continue;
        from[kept] = plan->entry[i].offset;
        plan->entry[kept++] = plan->entry[i];
    }
    plan->report.pictures = kept;
    SlbStatus s = place(plan, err);
    if (s == SLB_OK && kept < planned) s = move_all(plan, from, file, err);
    slb_free(from);
    return s;
}

/* What one thread does; the first error that is not the picture's ends all. */
static SlbStatus pack_picture(SlbPackPlan *plan, Entry *e, int fd, const char *path, SlbError *err)
{
    SlbStatus s = write_picture(e, fd, path, err);
    if (s != SLB_E_INPUT) return s;
    e->damaged = true;
#pragma omp critical(slb_pack_report)
    pass_over(&plan->report, err);
    return SLB_OK;
}

/* Decodes and writes all pictures, `threads` at a time. */
static SlbStatus write_pictures(SlbPackPlan *plan, int fd, const char *path, int threads,
                                int (*progress)(void *, uint64_t, uint64_t), void *user,
                                SlbError *err)
{
    SlbStatus status = SLB_OK;
    uint64_t done = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (uint64_t i = 0; i < plan->report.pictures; i++) {
        SlbStatus before, s;
        SlbError mine;
#pragma omp atomic read
        before = status;
        if (before != SLB_OK) continue;
        s = pack_picture(plan, &plan->entry[i], fd, path, &mine);
#pragma omp critical
        {
            done++;
            if (s == SLB_OK && progress && progress(user, done, plan->report.pictures))
                s = slb_fail(&mine, SLB_PARTIAL, "%s: cancelled", path);
            if (s != SLB_OK) {
#pragma omp atomic write
                status = s;
                if (err) *err = mine;
            }
        }
    }
    return status;
}

static SlbStatus create_crcs(SlbPackPlan *plan, SlbError *err)
{
    plan->crcs = slb_calloc(plan->tiles, sizeof *plan->crcs);
    if (!plan->crcs) return slb_fail_memory(err, plan->folder);
    for (uint64_t i = 0, at = 0; i < plan->report.pictures; at += plan->entry[i++].tiles)
        plan->entry[i].crc = plan->crcs + at;
    return SLB_OK;
}

SlbStatus slb_pack_write(SlbPackPlan *plan, const char *path, bool overwrite, int threads,
                         int (*progress)(void *user, uint64_t done, uint64_t total), void *user,
                         SlbError *err)
{
    SlbOutput out;
    SlbStatus s = create_crcs(plan, err);
    if (s == SLB_OK) s = slb_output_open(&out, path, overwrite, err);
    if (s != SLB_OK) return s;
    int fd = fileno(out.file);
    s = write_pictures(plan, fd, path, threads, progress, user, err);
    if (s == SLB_OK) s = close_gaps(plan, &out, err);
    if (s == SLB_OK) s = write_index(plan, fd, path, err);
    if (s == SLB_OK) return slb_output_commit(&out, err);
    slb_output_abort(&out);
    return s;
}
