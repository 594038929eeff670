#include "train/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
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

/* 8-bit RGB of a picture that has colours, without its alpha. */
static void copy_rgb(const SlbImage *image, uint8_t *out)
{
    size_t channels = (size_t)image->info.channels;
    for (size_t y = 0; y < image->info.height; y++) {
        const unsigned char *row = image->data + y * image->stride_bytes;
        for (size_t x = 0; x < image->info.width; x++)
            for (size_t c = 0; c < 3; c++) {
                size_t i = x * channels + c;
                uint16_t wide = 0;
                if (image->info.depth == 16) memcpy(&wide, row + i * sizeof wide, sizeof wide);
                *out++ = image->info.depth == 16 ? (uint8_t)((wide + 128) / 257) : row[i];
            }
    }
}

/* One file; samples stay NULL when it is too small, or cannot be read, which sets *failed. */
static SlbPicture load_picture(const char *path, int channels, uint32_t min_side, SlbError *failed)
{
    SlbImage image = {0};
    SlbPicture p = {.channels = 1};
    if (slb_image_load(path, NULL, &image, failed) != SLB_OK) return p;
    p.width = image.info.width;
    p.height = image.info.height;
    if (channels == 3 && image.info.channels >= 3) p.channels = 3;
    if (p.width >= min_side && p.height >= min_side) {
        uint8_t *samples = slb_alloc((size_t)p.width * p.channels, p.height);
        if (!samples)
            slb_fail_memory(failed, path);
        else if (p.channels == 3)
            copy_rgb(&image, samples);
        else
            slb_luma_u8(&image, samples);
        p.samples = samples;
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
static SlbStatus load_folders(SlbDataset *d, char *const *names, size_t files, int channels,
                              uint32_t min_side, int threads, SlbError *err)
{
    SlbPicture *loaded = slb_calloc(files + 1, sizeof *loaded);
    SlbError *failed = slb_calloc(files + 1, sizeof *failed);
    bool ok = loaded && failed && grow(d, files), memory = true;
    if (ok) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (size_t i = 0; i < files; i++)
            loaded[i] = load_picture(names[i], channels, min_side, &failed[i]);
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
    if (!d->too_small)
        return slb_fail(err, SLB_E_INPUT, "%s: no pictures in it (%s)", source,
                        slb_read_extensions);
    return slb_fail(err, SLB_E_INPUT,
                    "%s: no usable picture: %zu found, all smaller than %u pixels a side; "
                    "give a folder of larger pictures or a smaller --patch",
                    source, d->too_small, min_side);
}

SlbStatus slb_dataset_load(const char *const *sources, int source_count, int channels,
                           uint32_t min_side, int threads, SlbDataset *dataset, SlbError *err)
{
    char **names;
    size_t files;
    SlbDataset d = {0};
    *dataset = d;
    SlbStatus s = list_all(sources, source_count, &names, &files, err);
    if (s != SLB_OK) return s;
    s = load_folders(&d, names, files, channels, min_side, threads, err);
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

uint32_t slb_dataset_least_side(int side, const int *scales, int scale_count)
{
    int largest = 0;
    for (int i = 0; i < scale_count; i++)
        if (scales[i] > largest) largest = scales[i];
    return (uint32_t)(side + largest);
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

/* `step`: the patch begins at a multiple of it. */
static Stretch stretch(SlbRng *rng, uint32_t whole, int scale, int side, uint32_t step)
{
    uint32_t s = (uint32_t)scale, usable = whole / s * s, margin = SLB_PATCH_MARGIN * s;
    uint32_t places = (usable - (uint32_t)side) / step + 1;
    uint32_t patch = (uint32_t)slb_rng_below(rng, places) * step;
    uint32_t from = patch > margin ? (patch - margin) / s * s : 0;
    uint32_t to = (patch + (uint32_t)side + margin + s - 1) / s * s;
    if (to > usable) to = usable;
    return (Stretch){patch, from, to - from};
}

/* Bicubic down, in doubles, and up again when `out` is wanted, as the evaluation does it
 * (img/protocol.h). */
static SlbStatus degrade(const double *in, uint32_t width, uint32_t height, int scale, double *low,
                         double *out, SlbError *err)
{
    uint32_t s = (uint32_t)scale;
    SlbAxis axis[4] = {{0}};
    SlbStatus status = slb_axis_bicubic(height, 1, s, SLB_EDGE_MIRROR, &axis[0], err);
    if (status == SLB_OK) status = slb_axis_bicubic(width, 1, s, SLB_EDGE_MIRROR, &axis[1], err);
    if (status == SLB_OK && out)
        status = slb_axis_bicubic(height / s, s, 1, SLB_EDGE_MIRROR, &axis[2], err);
    if (status == SLB_OK && out)
        status = slb_axis_bicubic(width / s, s, 1, SLB_EDGE_MIRROR, &axis[3], err);
    if (status == SLB_OK) status = slb_resize_f64(in, &axis[0], &axis[1], low, err);
    if (status == SLB_OK && out) status = slb_resize_f64(low, &axis[2], &axis[3], out, err);
    for (int i = 0; i < 4; i++) slb_axis_free(&axis[i]);
    return status;
}

/* Rounds and clips to 8 bits, as a file would hold it. */
static void round_samples(double *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) samples[i] = fmin(fmax(rint(samples[i]), 0.0), 255.0);
}

/* Copies a window to a patch in one of eight orientations: transposed, then mirrored; to every
 * `channels`th float of `out`. */
static void cut(const double *window, size_t row, size_t side, unsigned orientation,
                size_t channels, float *out)
{
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++, out += channels) {
            size_t a = orientation & 1 ? x : y, b = orientation & 1 ? y : x;
            if (orientation & 2) a = side - 1 - a;
            if (orientation & 4) b = side - 1 - b;
            *out = (float)(window[a * row + b] / 255.0);
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

/* The window of a picture that a patch is made from. */
typedef struct Window {
    const SlbPicture *picture;
    Stretch v, h;
} Window;

/* Channel `channel` of `channels` of a window, as 8-bit numbers. `bytes` has room for them. */
static void window_channel(const Window *w, int channel, int channels, uint8_t *bytes, double *out)
{
    const SlbPicture *p = w->picture;
    size_t row = (size_t)p->width * p->channels, width = w->h.size;
    const uint8_t *first = p->samples + w->v.from * row + (size_t)w->h.from * p->channels;
    if (channels == 3) {
        size_t at = p->channels == 3 ? (size_t)channel : 0;
        for (size_t y = 0; y < w->v.size; y++)
            for (size_t x = 0; x < width; x++) *out++ = first[y * row + x * p->channels + at];
        return;
    }
    const SlbImage view = {.info = {w->h.size, w->v.size, (int)p->channels, 8},
                           .stride_bytes = row,
                           .data = (unsigned char *)first};
    slb_luma_u8(&view, bytes);
    for (size_t i = 0; i < width * w->v.size; i++) out[i] = bytes[i];
}

/* One channel of input and target. `room`: four times the window's pixels. */
static SlbStatus patch_channel(const Window *w, const SlbPatchKey *key, int channel,
                               unsigned orientation, double *room, float *input, float *target,
                               SlbError *err)
{
    size_t pixels = (size_t)w->v.size * w->h.size, channels = (size_t)key->channels;
    size_t top = w->v.patch - w->v.from, left = w->h.patch - w->h.from, s = (size_t)key->scale;
    double *high = room, *low = room + pixels, *again = room + 2 * pixels;
    window_channel(w, channel, key->channels, (uint8_t *)(room + 3 * pixels), high);
    SlbStatus status =
        degrade(high, w->h.size, w->v.size, key->scale, low, key->enlarged ? again : NULL, err);
    if (status != SLB_OK) return status;
    cut(high + top * w->h.size + left, w->h.size, (size_t)key->side, orientation, channels,
        target + channel);
    if (key->enlarged) {
        cut(again + top * w->h.size + left, w->h.size, (size_t)key->side, orientation, channels,
            input + channel);
        return SLB_OK;
    }
    round_samples(low, pixels / (s * s));
    cut(low + top / s * (w->h.size / s) + left / s, w->h.size / s, slb_patch_input_side(key),
        orientation, channels, input + channel);
    return SLB_OK;
}

/* Where the patch of a key is, and its orientation. */
static unsigned place_window(const SlbDataset *dataset, const SlbPatchKey *key, Window *w)
{
    SlbRng rng = slb_rng(key->seed, key->stream, key->index);
    uint32_t step = key->enlarged ? 1 : (uint32_t)key->scale;
    w->picture = &dataset->picture[pick_picture(dataset, &rng)];
    w->v = stretch(&rng, w->picture->height, key->scale, key->side, step);
    w->h = stretch(&rng, w->picture->width, key->scale, key->side, step);
    return (unsigned)slb_rng_below(&rng, 8);
}

static SlbPackWindow packed(const Window *w)
{
    return (SlbPackWindow){w->picture->index, w->h.from, w->v.from, w->h.size, w->v.size};
}

void slb_dataset_expect(const SlbDataset *dataset, const SlbPatchKey *key)
{
    Window w;
    (void)place_window(dataset, key, &w);
    SlbPackWindow window = packed(&w);
    if (w.picture->pack) slb_pack_expect(w.picture->pack, &window);
}

SlbStatus slb_dataset_patch(const SlbDataset *dataset, const SlbPatchKey *key, float *input,
                            float *target, SlbError *err)
{
    Window w;
    unsigned orientation = place_window(dataset, key, &w);
    const SlbPicture *p = w.picture;
    SlbPackWindow window = packed(&w);
    SlbStatus s = p->pack ? slb_pack_check(p->pack, &window, err) : SLB_OK;
    if (s != SLB_OK) return s;
    double *room = slb_alloc((size_t)w.v.size * w.h.size, 4 * sizeof *room);
    if (!room) return slb_fail_memory(err, "a training patch");
    for (int c = 0; s == SLB_OK && c < key->channels; c++)
        s = patch_channel(&w, key, c, orientation, room, input, target, err);
    if (p->pack) /* whole pages: at least the rows' */
        slb_pack_touched(p->pack, w.v.size * (size_t)p->width * p->channels);
    slb_free(room);
    return s;
}
