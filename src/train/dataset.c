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

/* All files of all folders, in order. */
static SlbStatus list_all(const char *const *folders, int folder_count, char ***names,
                          size_t *count, SlbError *err)
{
    *names = NULL;
    *count = 0;
    for (int f = 0; f < folder_count; f++) {
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

/* One file: its plane, or NULL with *failed set when it cannot be read. */
static uint8_t *load_plane(const char *path, uint32_t min_side, uint32_t *width, uint32_t *height,
                           SlbError *failed)
{
    SlbImage image = {0};
    if (slb_image_load(path, NULL, &image, failed) != SLB_OK) return NULL;
    uint8_t *plane = NULL;
    if (image.info.width >= min_side && image.info.height >= min_side) {
        plane = slb_alloc(image.info.width, image.info.height);
        if (plane)
            slb_luma_u8(&image, plane);
        else
            slb_fail_memory(failed, path);
    }
    *width = image.info.width;
    *height = image.info.height;
    slb_image_free(&image);
    return plane;
}

/* Closes the gaps that unusable files left and counts them. */
static void compact(SlbDataset *d, size_t files, const SlbError *failed)
{
    for (size_t i = 0; i < files; i++) {
        if (!d->plane[i]) {
            if (failed[i].status != SLB_OK && d->unreadable++ == 0) d->first_unreadable = failed[i];
            d->too_small += failed[i].status == SLB_OK;
            continue;
        }
        size_t at = d->count++;
        d->plane[at] = d->plane[i];
        d->width[at] = d->width[i];
        d->height[at] = d->height[i];
        d->area_before[at + 1] =
            d->area_before[at] + (uint64_t)d->width[at] * (uint64_t)d->height[at];
    }
    for (size_t i = d->count; i < files; i++) d->plane[i] = NULL;
}

static SlbStatus none_usable(const SlbDataset *d, const char *folder, uint32_t min_side,
                             SlbError *err)
{
    if (d->unreadable)
        return slb_fail(err, SLB_E_INPUT, "%s: no usable picture; the first that failed: %.300s",
                        folder, d->first_unreadable.message);
    return slb_fail(err, SLB_E_INPUT,
                    "%s: no usable picture: %zu found, all smaller than %u pixels a side; "
                    "give a folder of larger pictures or a smaller --patch",
                    folder, d->too_small, min_side);
}

SlbStatus slb_dataset_load(const char *const *folders, int folder_count, uint32_t min_side,
                           int threads, SlbDataset *dataset, SlbError *err)
{
    char **names;
    size_t files;
    *dataset = (SlbDataset){0};
    SlbStatus s = list_all(folders, folder_count, &names, &files, err);
    if (s != SLB_OK) return s;
    SlbDataset d = {.plane = slb_calloc(files + 1, sizeof *d.plane),
                    .width = slb_calloc(files + 1, sizeof *d.width),
                    .height = slb_calloc(files + 1, sizeof *d.height),
                    .area_before = slb_calloc(files + 1, sizeof *d.area_before)};
    SlbError *failed = slb_calloc(files + 1, sizeof *failed);
    if (d.plane && d.width && d.height && d.area_before && failed) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (size_t i = 0; i < files; i++)
            d.plane[i] = load_plane(names[i], min_side, &d.width[i], &d.height[i], &failed[i]);
        compact(&d, files, failed);
        s = d.count ? SLB_OK : none_usable(&d, folders[0], min_side, err);
    } else {
        s = slb_fail_memory(err, "the training pictures");
    }
    slb_free(failed);
    slb_free_names(names, files);
    if (s == SLB_OK)
        *dataset = d;
    else
        slb_dataset_free(&d);
    return s;
}

void slb_dataset_free(SlbDataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) slb_free(dataset->plane[i]);
    slb_free(dataset->plane);
    slb_free(dataset->width);
    slb_free(dataset->height);
    slb_free(dataset->area_before);
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

SlbStatus slb_dataset_patch(const SlbDataset *dataset, const SlbPatchKey *key, float *input,
                            float *target, SlbError *err)
{
    SlbRng rng = slb_rng(key->seed, key->stream, key->index);
    size_t picture = pick_picture(dataset, &rng);
    Stretch v = stretch(&rng, dataset->height[picture], key->scale, key->side);
    Stretch h = stretch(&rng, dataset->width[picture], key->scale, key->side);
    unsigned orientation = (unsigned)slb_rng_below(&rng, 8);
    size_t pixels = (size_t)v.size * h.size;
    double *window = slb_alloc(pixels, 3 * sizeof *window);
    if (!window) return slb_fail_memory(err, "a training patch");
    const uint8_t *plane = dataset->plane[picture];
    for (uint32_t y = 0; y < v.size; y++)
        for (uint32_t x = 0; x < h.size; x++)
            window[(size_t)y * h.size + x] =
                plane[(size_t)(v.from + y) * dataset->width[picture] + h.from + x];
    double *low = window + pixels, *degraded = window + 2 * pixels;
    SlbStatus s = degrade(window, h.size, v.size, key->scale, low, degraded, err);
    if (s == SLB_OK) {
        size_t at = (size_t)(v.patch - v.from) * h.size + (h.patch - h.from);
        cut(window + at, h.size, key->side, orientation, target);
        cut(degraded + at, h.size, key->side, orientation, input);
    }
    slb_free(window);
    return s;
}
