/* make_set SOURCE OUT COUNT WIDTH HEIGHT: a set of pictures of any size, for measuring. Each
 * picture is a mosaic of windows of the pictures in the folder SOURCE, at random places and
 * mirrored at random, and the same for the same arguments. It goes to OUT/0001.png and so on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/mem.h"
#include "base/rng.h"
#include "img/codec.h"

enum { TILE_WIDTH = 340, TILE_HEIGHT = 226, MOST_SOURCES = 64 };

typedef struct Sources {
    SlbImage image[MOST_SOURCES];
    int count;
} Sources;

/* RGB of 8 bits, a tile or larger; others are passed over. */
static SlbStatus load_sources(const char *folder, Sources *sources, SlbError *err)
{
    char **names;
    size_t count;
    SlbStatus s = slb_list_folder(folder, slb_read_extensions, &names, &count, err);
    if (s != SLB_OK) return s;
    for (size_t i = 0; i < count && sources->count < MOST_SOURCES; i++) {
        SlbImage *image = &sources->image[sources->count];
        *image = (SlbImage){0};
        if (slb_image_load(names[i], NULL, image, err) != SLB_OK) continue;
        bool fits = image->info.channels == 3 && image->info.depth == 8 &&
                    image->info.width >= TILE_WIDTH && image->info.height >= TILE_HEIGHT;
        if (fits)
            sources->count++;
        else
            slb_image_free(image);
    }
    slb_free_names(names, count);
    if (sources->count) return SLB_OK;
    return slb_fail(err, SLB_E_INPUT, "%s: no RGB picture of %d x %d pixels in it", folder,
                    TILE_WIDTH, TILE_HEIGHT);
}

/* One window of one source to the tile with its corner at (left, top). */
static void fill_tile(const Sources *sources, SlbRng *rng, uint32_t left, uint32_t top,
                      SlbImage *out)
{
    const SlbImage *from = &sources->image[slb_rng_below(rng, (uint64_t)sources->count)];
    size_t x0 = slb_rng_below(rng, from->info.width - TILE_WIDTH + 1);
    size_t y0 = slb_rng_below(rng, from->info.height - TILE_HEIGHT + 1);
    bool across = slb_rng_below(rng, 2), down = slb_rng_below(rng, 2);
    for (size_t y = 0; y < TILE_HEIGHT && top + y < out->info.height; y++) {
        size_t row = y0 + (down ? TILE_HEIGHT - 1 - y : y);
        const unsigned char *in = from->data + row * from->stride_bytes + 3 * x0;
        unsigned char *to = out->data + (top + y) * out->stride_bytes + 3 * (size_t)left;
        for (size_t x = 0; x < TILE_WIDTH && left + x < out->info.width; x++)
            memcpy(to + 3 * x, in + 3 * (across ? TILE_WIDTH - 1 - x : x), 3);
    }
}

static SlbStatus make_picture(const Sources *sources, int number, uint32_t width, uint32_t height,
                              const char *folder, SlbError *err)
{
    const SlbWriteOptions fast = {.overwrite = true, .png_level = 2};
    SlbImage image = {0};
    SlbRng rng = slb_rng(1, 0, (uint64_t)number);
    char path[4096];
    snprintf(path, sizeof path, "%s/%04d.png", folder, number);
    SlbStatus s = slb_image_alloc(&image, (SlbImageInfo){width, height, 3, 8}, err);
    if (s != SLB_OK) return s;
    for (uint32_t top = 0; top < height; top += TILE_HEIGHT)
        for (uint32_t left = 0; left < width; left += TILE_WIDTH)
            fill_tile(sources, &rng, left, top, &image);
    s = slb_image_save(path, &image, &fast, err);
    slb_image_free(&image);
    return s;
}

int main(int argc, char **argv)
{
    static Sources sources;
    SlbError err;
    SlbStatus status = SLB_OK;
    int count = argc == 6 ? atoi(argv[3]) : 0;
    uint32_t width = argc == 6 ? (uint32_t)atoi(argv[4]) : 0;
    uint32_t height = argc == 6 ? (uint32_t)atoi(argv[5]) : 0;
    if (count < 1 || width < 1 || height < 1) {
        fprintf(stderr, "usage: make_set SOURCE OUT COUNT WIDTH HEIGHT\n");
        return SLB_E_USAGE;
    }
    status = load_sources(argv[1], &sources, &err);
#pragma omp parallel for schedule(dynamic)
    for (int i = 1; i <= count; i++) {
        SlbError mine;
        SlbStatus before, s;
#pragma omp atomic read
        before = status;
        if (before != SLB_OK) continue;
        s = make_picture(&sources, i, width, height, argv[2], &mine);
        if (s == SLB_OK) continue;
#pragma omp critical
        {
            err = mine;
#pragma omp atomic write
            status = s;
        }
    }
    if (status != SLB_OK) fprintf(stderr, "make_set: %s\n", err.message);
    for (int i = 0; i < sources.count; i++) slb_image_free(&sources.image[i]);
    return (int)status;
}
