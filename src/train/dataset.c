#include "train/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "img/codec.h"
#include "img/color.h"
#include "img/resize.h"

SlbStatus slb_dataset_files(const char *folder, char ***names, size_t *count, SlbError *err)
{
    static const char *const inside[] = {"", "DIV2K_train_HR", "HR"};
    *names = NULL;
    *count = 0;
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        char path[4096];
        int n = snprintf(path, sizeof path, "%s%s%s", folder, i ? "/" : "", inside[i]);
        if (n < 0 || (size_t)n >= sizeof path) continue;
        SlbStatus s = slb_list_folder(path, slb_read_extensions, names, count, i ? NULL : err);
        if (s != SLB_OK && i == 0) return s;
        if (s == SLB_OK && *count > 0) return SLB_OK;
        if (s == SLB_OK) slb_free_names(*names, *count);
        *names = NULL;
        *count = 0;
    }
    return SLB_OK;
}

/* All files of all folders, in order; packs are left out. */
static SlbStatus list_all(const char *const *folders, int folder_count, char ***names,
                          size_t *count, SlbError *err)
{
    *names = NULL;
    *count = 0;
    for (int f = 0; f < folder_count; f++) {
        if (slb_pack_is(folders[f])) continue;
        char **more;
        size_t n;
        SlbStatus s = slb_dataset_files(folders[f], &more, &n, err);
        char **all = s == SLB_OK ? realloc(*names, (*count + n + 1) * sizeof *all) : NULL;
        if (!all) {
            slb_free_names(*names, *count);
            *names = NULL;
            if (s == SLB_OK) slb_free_names(more, n);
            return s != SLB_OK ? s : slb_fail_memory(err, "the list of training pictures");
        }
        if (n) memcpy(all + *count, more, n * sizeof *all);
        *names = all;
        *count += n;
        free(more);
    }
    return SLB_OK;
}

/* One file as its Y plane; samples stay NULL when it is too small, or cannot be read, which sets
 * *failed. */
static SlbPicture load_plane(const char *path, uint32_t min_side, SlbError *failed)
{
    SlbImage image = {0};
    SlbPicture p = {.channels = 1};
    if (slb_image_load(path, NULL, &image, failed) != SLB_OK) return p;
    p.width = image.info.width;
    p.height = image.info.height;
    if (p.width >= min_side && p.height >= min_side) {
        uint8_t *plane = slb_alloc(p.width, p.height);
        if (plane)
            slb_luma_u8(&image, plane);
        else
            slb_fail_memory(failed, path);
        p.samples = plane;
    }
    slb_image_free(&image);
    return p;
}

/* Makes room for `more` pictures. */
static bool grow(SlbDataset *d, size_t more)
{
    size_t room = d->count + more + 1;
    SlbPicture *picture = slb_calloc(room, sizeof *picture);
    uint64_t *before = slb_calloc(room, sizeof *before);
    if (!picture || !before) {
        slb_free(picture);
        slb_free(before);
        return false;
    }
    if (d->count) {
        memcpy(picture, d->picture, d->count * sizeof *picture);
        memcpy(before, d->area_before, (d->count + 1) * sizeof *before);
    }
    slb_free(d->picture);
    slb_free(d->area_before);
    d->picture = picture;
    d->area_before = before;
    return true;
}

static void append(SlbDataset *d, SlbPicture picture)
{
    size_t at = d->count++;
    d->picture[at] = picture;
    d->area_before[at + 1] = d->area_before[at] + (uint64_t)picture.width * picture.height;
}

/* The files of all folders. */
static SlbStatus load_folders(SlbDataset *d, char *const *names, size_t files, uint32_t min_side,
                              int threads, SlbError *err)
{
    SlbPicture *loaded = slb_calloc(files + 1, sizeof *loaded);
    SlbError *failed = slb_calloc(files + 1, sizeof *failed);
    bool ok = loaded && failed && grow(d, files), memory = true;
    if (ok) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (size_t i = 0; i < files; i++) loaded[i] = load_plane(names[i], min_side, &failed[i]);
    }
    for (size_t i = 0; ok && i < files; i++) {
        if (loaded[i].samples)
            append(d, loaded[i]);
        else if (failed[i].status == SLB_E_MEMORY)
            memory = false; /* not to be taken for a damaged file: the rest is another set */
        else if (failed[i].status == SLB_OK)
            d->too_small++;
        else if (d->unreadable++ == 0)
            d->first_unreadable = failed[i];
    }
    slb_free(loaded);
    slb_free(failed);
    return ok && memory ? SLB_OK : slb_fail_memory(err, "the training pictures");
}

static SlbStatus map_pack(SlbDataset *d, const char *path, uint32_t min_side, SlbError *err)
{
    SlbPack *pack;
    SlbStatus s = slb_pack_open(path, &pack, err);
    if (s != SLB_OK) return s;
    d->pack[d->pack_count++] = pack;
    if (!grow(d, slb_pack_count(pack))) return slb_fail_memory(err, "the training pictures");
    for (uint64_t i = 0; i < slb_pack_count(pack); i++) {
        SlbPacked p = slb_pack_at(pack, i);
        if (p.width < min_side || p.height < min_side)
            d->too_small++;
        else
            append(d, (SlbPicture){p.samples, p.width, p.height, p.channels, pack, i});
    }
    return SLB_OK;
}

static SlbStatus none_usable(const SlbDataset *d, const char *source, uint32_t min_side,
                             SlbError *err)
{
    if (d->unreadable)
        return slb_fail(err, SLB_E_INPUT, "%s: no usable picture; the first that failed: %.300s",
                        source, d->first_unreadable.message);
    return slb_fail(err, SLB_E_INPUT,
                    "%s: no usable picture: %zu found, all smaller than %u pixels a side; "
                    "give a folder of larger pictures or a smaller --patch",
                    source, d->too_small, min_side);
}

SlbStatus slb_dataset_load(const char *const *sources, int source_count, uint32_t min_side,
                           int threads, SlbDataset *dataset, SlbError *err)
{
    char **names;
    size_t files;
    SlbDataset d = {0};
    *dataset = d;
    SlbStatus s = list_all(sources, source_count, &names, &files, err);
    if (s != SLB_OK) return s;
    s = load_folders(&d, names, files, min_side, threads, err);
    slb_free_names(names, files);
    d.pack = slb_calloc((size_t)source_count, sizeof(SlbPack *));
    if (s == SLB_OK && !d.pack) s = slb_fail_memory(err, "the training pictures");
    for (int i = 0; s == SLB_OK && i < source_count; i++)
        if (slb_pack_is(sources[i])) s = map_pack(&d, sources[i], min_side, err);
    if (s == SLB_OK && d.count == 0) s = none_usable(&d, sources[0], min_side, err);
    if (s == SLB_OK)
        *dataset = d;
    else
        slb_dataset_free(&d);
    return s;
}

void slb_dataset_free(SlbDataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++)
        if (!dataset->picture[i].pack) slb_free((void *)dataset->picture[i].samples);
    for (int i = 0; i < dataset->pack_count; i++) slb_pack_close(dataset->pack[i]);
    slb_free(dataset->picture);
    slb_free(dataset->area_before);
    slb_free(dataset->pack);
    *dataset = (SlbDataset){0};
}

/* A stretch of one axis: the patch, and the stretch around it that decides its pixels, which begins
 * and ends at multiples of the scale. */
typedef struct Stretch {
    uint32_t patch, from, size;
} Stretch;

static Stretch stretch(SlbRng *rng, uint32_t whole, int scale, int side)
{
    uint32_t s = (uint32_t)scale, usable = whole / s * s, margin = SLB_PATCH_MARGIN * s;
    uint32_t patch = (uint32_t)slb_rng_below(rng, usable - (uint32_t)side + 1);
    uint32_t from = patch > margin ? (patch - margin) / s * s : 0;
    uint32_t to = (patch + (uint32_t)side + margin + s - 1) / s * s;
    if (to > usable) to = usable;
    return (Stretch){patch, from, to - from};
}

/* Bicubic down and up again, in doubles, as the evaluation does it (img/protocol.h). */
static SlbStatus degrade(const double *in, uint32_t width, uint32_t height, int scale, double *low,
                         double *out, SlbError *err)
{
    uint32_t s = (uint32_t)scale;
    SlbAxis axis[4] = {{0}};
    SlbStatus status = slb_axis_bicubic(height, 1, s, SLB_EDGE_MIRROR, &axis[0], err);
    if (status == SLB_OK) status = slb_axis_bicubic(width, 1, s, SLB_EDGE_MIRROR, &axis[1], err);
    if (status == SLB_OK)
        status = slb_axis_bicubic(height / s, s, 1, SLB_EDGE_MIRROR, &axis[2], err);
    if (status == SLB_OK)
        status = slb_axis_bicubic(width / s, s, 1, SLB_EDGE_MIRROR, &axis[3], err);
    if (status == SLB_OK) status = slb_resize_f64(in, &axis[0], &axis[1], low, err);
    if (status == SLB_OK) status = slb_resize_f64(low, &axis[2], &axis[3], out, err);
    for (int i = 0; i < 4; i++) slb_axis_free(&axis[i]);
    return status;
}

/* Copies a window to a patch in one of eight orientations: transposed, then mirrored. */
static void cut(const double *window, size_t row, int side, unsigned orientation, float *out)
{
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            int a = orientation & 1 ? x : y, b = orientation & 1 ? y : x;
            if (orientation & 2) a = side - 1 - a;
            if (orientation & 4) b = side - 1 - b;
            *out++ = (float)(window[(size_t)a * row + (size_t)b] / 255.0);
        }
}

static size_t pick_picture(const SlbDataset *d, SlbRng *rng)
{
    uint64_t at = slb_rng_below(rng, d->area_before[d->count]);
    size_t low = 0, high = d->count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (d->area_before[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The Y values of a part of a picture, as 8-bit numbers. `bytes` has room for them. */
static SlbStatus window_luma(const SlbPicture *p, Stretch v, Stretch h, uint8_t *bytes, double *out,
                             SlbError *err)
{
    size_t row = (size_t)p->width * p->channels, count = (size_t)v.size * h.size;
    const uint8_t *first = p->samples + v.from * row + (size_t)h.from * p->channels;
    if (p->pack) {
        SlbStatus s = slb_pack_check(p->pack, p->index, err);
        if (s != SLB_OK) return s;
        slb_pack_touched(p->pack, v.size * row); /* whole pages: at least the rows' */
    }
    const SlbImage view = {.info = {h.size, v.size, (int)p->channels, 8},
                           .stride_bytes = row,
                           .data = (unsigned char *)first};
    slb_luma_u8(&view, bytes);
    for (size_t i = 0; i < count; i++) out[i] = bytes[i];
    return SLB_OK;
}

SlbStatus slb_dataset_patch(const SlbDataset *dataset, const SlbPatchKey *key, float *input,
                            float *target, SlbError *err)
{
    SlbRng rng = slb_rng(key->seed, key->stream, key->index);
    const SlbPicture *picture = &dataset->picture[pick_picture(dataset, &rng)];
    Stretch v = stretch(&rng, picture->height, key->scale, key->side);
    Stretch h = stretch(&rng, picture->width, key->scale, key->side);
    unsigned orientation = (unsigned)slb_rng_below(&rng, 8);
    size_t pixels = (size_t)v.size * h.size;
    double *window = slb_alloc(pixels, 4 * sizeof *window);
    if (!window) return slb_fail_memory(err, "a training patch");
    double *low = window + pixels, *degraded = window + 2 * pixels;
    SlbStatus s = window_luma(picture, v, h, (uint8_t *)(window + 3 * pixels), window, err);
    if (s == SLB_OK) s = degrade(window, h.size, v.size, key->scale, low, degraded, err);
    if (s == SLB_OK) {
        size_t at = (size_t)(v.patch - v.from) * h.size + (h.patch - h.from);
        cut(window + at, h.size, key->side, orientation, target);
        cut(degraded + at, h.size, key->side, orientation, input);
    }
    slb_free(window);
    return s;
}
