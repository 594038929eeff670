/* Making pack files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/io.h"
#include "base/mem.h"
#include "img/codec.h"
#include "train/dataset.h"
#include "train/pack.h"
#include "train/pack_format.h"

/* A picture of the plan. */
typedef struct Entry {
    char *name; /* in Plan.names */
    uint64_t offset, bytes;
    uint32_t width, height, channels, crc;
} Entry;

typedef struct Plan {
    char **names;
    size_t name_count;
    Entry *entry;
    SlbPackReport report;
} Plan;

/* Width and height may be exchanged by the orientation; that changes nothing about the room. */
static void plan_picture(Plan *plan, char *name)
{
    SlbReader *reader;
    SlbError failed;
    if (slb_reader_open(name, NULL, &reader, &failed) != SLB_OK) {
        if (plan->report.unreadable++ == 0) plan->report.first_unreadable = failed;
        return;
    }
    const SlbImageInfo *info = slb_reader_info(reader);
    Entry *e = &plan->entry[plan->report.pictures++];
    e->name = name;
    e->channels = info->channels >= 3 ? 3 : 1;
    e->bytes = (uint64_t)info->width * info->height * e->channels;
    slb_reader_close(reader);
}

static void plan_free(Plan *plan)
{
    slb_free(plan->entry);
    slb_free_names(plan->names, plan->name_count);
    *plan = (Plan){0};
}

static SlbStatus plan_create(const char *folder, Plan *plan, SlbError *err)
{
    *plan = (Plan){0};
    SlbStatus s = slb_dataset_files(folder, &plan->names, &plan->name_count, err);
    if (s != SLB_OK) return s;
    plan->entry = slb_calloc(plan->name_count + 1, sizeof *plan->entry);
    if (!plan->entry) {
        plan_free(plan);
        return slb_fail_memory(err, folder);
    }
    for (size_t i = 0; i < plan->name_count; i++) plan_picture(plan, plan->names[i]);
    uint64_t at = SLB_PACK_HEADER + plan->report.pictures * SLB_PACK_ENTRY;
    for (uint64_t i = 0; i < plan->report.pictures; i++) {
        plan->entry[i].offset = at;
        at += plan->entry[i].bytes;
    }
    plan->report.bytes = at;
    if (plan->report.pictures) return SLB_OK;
    if (plan->report.unreadable)
        s = slb_fail(err, SLB_E_INPUT, "%s: no readable picture; the first: %.300s", folder,
                     plan->report.first_unreadable.message);
    else
        s = slb_fail(err, SLB_E_INPUT, "%s: no pictures in it (%s)", folder, slb_read_extensions);
    plan_free(plan);
    return s;
}

SlbStatus slb_pack_plan(const char *folder, SlbPackReport *report, SlbError *err)
{
    Plan plan;
    SlbStatus s = plan_create(folder, &plan, err);
    if (s == SLB_OK) *report = plan.report;
    if (s == SLB_OK) plan_free(&plan);
    return s;
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

static SlbStatus write_picture(Entry *e, int fd, const char *path, SlbError *err)
{
    SlbImage image = {0};
    SlbStatus s = slb_image_load(e->name, NULL, &image, err);
    if (s != SLB_OK) return s;
    e->width = image.info.width;
    e->height = image.info.height;
    uint8_t *samples = slb_alloc(e->bytes, 1);
    if (!samples)
        s = slb_fail_memory(err, e->name);
    else if ((uint64_t)e->width * e->height * e->channels != e->bytes)
        s = slb_fail(err, SLB_E_INPUT, "%s: has changed meanwhile", e->name);
    if (s == SLB_OK) {
        flatten(&image, e->channels, samples);
        e->crc = (uint32_t)crc32_z(0, samples, e->bytes);
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

static SlbStatus write_index(const Plan *plan, int fd, const char *path, SlbError *err)
{
    uint64_t bytes = SLB_PACK_HEADER + plan->report.pictures * SLB_PACK_ENTRY;
    uint8_t *head = slb_calloc(bytes, 1);
    if (!head) return slb_fail_memory(err, path);
    for (uint64_t i = 0; i < plan->report.pictures; i++) {
        uint8_t *p = head + SLB_PACK_HEADER + i * SLB_PACK_ENTRY;
        const Entry *e = &plan->entry[i];
        put(p, e->width, 4);
        put(p + 4, e->height, 4);
        put(p + 8, e->channels, 4);
        put(p + 12, e->crc, 4);
        put(p + 16, e->offset, 8);
    }
    memcpy(head, SLB_PACK_MAGIC, 8);
    put(head + 8, plan->report.pictures, 8);
    put(head + 16, crc32_z(0, head + SLB_PACK_HEADER, bytes - SLB_PACK_HEADER), 4);
    SlbStatus s = write_at(fd, head, bytes, 0, path, err);
    slb_free(head);
    return s;
}

/* Decodes and writes all pictures, `threads` at a time; the first error ends it. */
static SlbStatus write_pictures(Plan *plan, int fd, const char *path, int threads,
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
        s = write_picture(&plan->entry[i], fd, path, &mine);
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

SlbStatus slb_pack_write(const char *folder, const char *path, bool overwrite, int threads,
                         int (*progress)(void *user, uint64_t done, uint64_t total), void *user,
                         SlbPackReport *report, SlbError *err)
{
    Plan plan;
    SlbOutput out;
    SlbStatus s = plan_create(folder, &plan, err);
    if (s != SLB_OK) return s;
    *report = plan.report;
    s = slb_output_open(&out, path, overwrite, err);
    if (s == SLB_OK) {
        int fd = fileno(out.file);
        s = write_pictures(&plan, fd, path, threads, progress, user, err);
        if (s == SLB_OK) s = write_index(&plan, fd, path, err);
        if (s == SLB_OK)
            s = slb_output_commit(&out, err);
        else
            slb_output_abort(&out);
    }
    plan_free(&plan);
    return s;
}
