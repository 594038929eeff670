#include "train/validate.h"

#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "img/codec.h"
#include "img/protocol.h"
#include "train/dataset.h"

/* Larger pictures go through the network in windows of this side plus the receptive field around
 * them, which gives the same numbers with less memory. */
enum { WINDOW = 256 };

typedef struct Item {
    int scale; /* index */
    SlbLumaPair pair;
} Item;

struct SlbValidation {
    SlbEngine *engine;
    int *scales, scale_count, threads, radius;
    Item *item; /* pictures x scales */
    size_t item_count;
    double *bicubic;
};

static SlbStatus add_picture(SlbValidation *v, const char *path, SlbError *err)
{
    SlbImage image = {0};
    SlbStatus s = slb_image_load(path, NULL, &image, err);
    for (int i = 0; s == SLB_OK && i < v->scale_count; i++) {
        Item *item = &v->item[v->item_count];
        item->scale = i;
        s = slb_luma_pair(&image, v->scales[i], path, &item->pair, err);
        v->item_count += s == SLB_OK;
        uint32_t shaved = 2 * (uint32_t)v->scales[i]; /* slb_luma_score leaves nothing of less */
        if (s == SLB_OK && (item->pair.width <= shaved || item->pair.height <= shaved))
            s = slb_fail(err, SLB_E_INPUT, "%s: too small to validate on at scale %d", path,
                         v->scales[i]);
    }
    slb_image_free(&image);
    return s;
}

/* Sums by scale in the order of the items, so that threads do not matter. */
static void means(const SlbValidation *v, const double *score, double *psnr)
{
    size_t each = v->item_count / (size_t)v->scale_count;
    for (int i = 0; i < v->scale_count; i++) psnr[i] = 0;
    for (size_t i = 0; i < v->item_count; i++) psnr[v->item[i].scale] += score[i] / (double)each;
}

static SlbStatus score_bicubic(SlbValidation *v, SlbError *err)
{
    double *score = slb_calloc(v->item_count, sizeof *score);
    SlbStatus s = score ? SLB_OK : slb_fail_memory(err, "the validation pictures");
    for (size_t i = 0; s == SLB_OK && i < v->item_count; i++) {
        SlbScore one;
        const Item *item = &v->item[i];
        s = slb_luma_score(&item->pair, item->pair.bicubic, v->scales[item->scale], 0, &one, err);
        score[i] = one.psnr;
    }
    if (s == SLB_OK) means(v, score, v->bicubic);
    slb_free(score);
    return s;
}

static SlbStatus load_pictures(SlbValidation *v, const char *folder, int most, SlbError *err)
{
    char **names;
    size_t count;
    SlbStatus s = slb_dataset_files(folder, &names, &count, err);
    if (s != SLB_OK) return s;
    size_t wanted = most > 0 && (size_t)most < count ? (size_t)most : count;
    v->item = slb_calloc(wanted * (size_t)v->scale_count + 1, sizeof *v->item);
    if (!v->item)
        s = slb_fail_memory(err, "the validation pictures");
    else if (!wanted)
        s = slb_fail(err, SLB_E_INPUT, "%s: no pictures to validate on", folder);
    for (size_t i = 0; s == SLB_OK && i < wanted; i++) s = add_picture(v, names[i], err);
    slb_free_names(names, count);
    return s == SLB_OK ? score_bicubic(v, err) : s;
}

SlbStatus slb_validation_create(const char *folder, int most, const SlbGraph *graph,
                                const int *scales, int scale_count, const SlbCpu *cpu, int threads,
                                SlbValidation **validation, SlbError *err)
{
    SlbValidation *v = slb_calloc(1, sizeof *v);
    if (!v) return slb_fail_memory(err, "the validation");
    *v = (SlbValidation){
        .scale_count = scale_count, .threads = threads, .radius = slb_graph_radius(graph)};
    v->scales = slb_calloc((size_t)scale_count, sizeof *v->scales);
    v->bicubic = slb_calloc((size_t)scale_count, sizeof *v->bicubic);
    SlbStatus s = v->scales && v->bicubic ? SLB_OK : slb_fail_memory(err, "the validation");
    if (s == SLB_OK) {
        memcpy(v->scales, scales, (size_t)scale_count * sizeof *scales);
        s = slb_engine_create(graph, SLB_FLOAT32, cpu, &v->engine, err);
    }
    if (s == SLB_OK) s = load_pictures(v, folder, most, err);
    if (s == SLB_OK)
        *validation = v;
    else
        slb_validation_free(v);
    return s;
}

void slb_validation_free(SlbValidation *v)
{
    if (!v) return;
    for (size_t i = 0; i < v->item_count; i++) slb_luma_pair_free(&v->item[i].pair);
    slb_engine_free(v->engine);
    slb_free(v->item);
    slb_free(v->scales);
    slb_free(v->bicubic);
    slb_free(v);
}

const double *slb_validation_bicubic(const SlbValidation *validation)
{
    return validation->bicubic;
}

const SlbEngine *slb_validation_engine(const SlbValidation *validation)
{
    return validation->engine;
}

/* A stretch of one axis to compute, and the part of it that counts. */
typedef struct Range {
    uint32_t from, to, first, last;
} Range;

static Range range(uint32_t first, uint32_t size, int radius)
{
    uint32_t r = (uint32_t)radius, last = size - first < WINDOW ? size : first + WINDOW;
    return (Range){first > r ? first - r : 0, size - last < r ? size : last + r, first, last};
}

/* Runs one window; only the pixels that see no border of the window itself are kept. */
static void run_window(const SlbValidation *v, const SlbWeights *weights, SlbSlot *slot,
                       const SlbLumaPair *pair, Range rows, Range cols, float *in, double *out)
{
    uint32_t width = cols.to - cols.from, height = rows.to - rows.from;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            in[(size_t)y * width + x] =
                (float)(pair->bicubic[(size_t)(rows.from + y) * pair->width + cols.from + x] /
                        255.0);
    slb_forward(v->engine, weights, slot, in, width, height);
    SlbView view = slb_slot_output(v->engine, slot);
    for (uint32_t y = rows.first; y < rows.last; y++)
        for (uint32_t x = cols.first; x < cols.last; x++)
            out[(size_t)y * pair->width + x] =
                255.0 *
                (double)view.data[((y - rows.from) * view.row + x - cols.from) * view.stride];
}

static SlbStatus run_item(const SlbValidation *v, const SlbWeights *weights, const Item *item,
                          SlbSlot *slot, double *psnr, SlbError *err)
{
    const SlbLumaPair *pair = &item->pair;
    size_t side = WINDOW + 2 * (size_t)v->radius;
    float *in = slb_alloc(side * side, sizeof *in);
    double *out = slb_alloc((size_t)pair->width * pair->height, sizeof *out);
    SlbScore score = {0};
    SlbStatus s = in && out ? SLB_OK : slb_fail_memory(err, "a validation picture");
    for (uint32_t y = 0; s == SLB_OK && y < pair->height; y += WINDOW)
        for (uint32_t x = 0; x < pair->width; x += WINDOW)
            run_window(v, weights, slot, pair, range(y, pair->height, v->radius),
                       range(x, pair->width, v->radius), in, out);
    if (s == SLB_OK) s = slb_luma_score(pair, out, v->scales[item->scale], 0, &score, err);
    *psnr = score.psnr;
    slb_free(in);
    slb_free(out);
    return s;
}

SlbStatus slb_validation_run(SlbValidation *v, const SlbWeights *weights, double *psnr,
                             SlbError *err)
{
    uint32_t side = WINDOW + 2 * (uint32_t)v->radius;
    double *score = slb_calloc(v->item_count, sizeof *score);
    SlbStatus status = score ? SLB_OK : slb_fail_memory(err, "the validation");
    if (status != SLB_OK) return status;
#pragma omp parallel num_threads(v->threads)
    {
        SlbSlot *slot = NULL;
        SlbError mine;
        SlbStatus s = slb_slot_create(v->engine, side, side, false, &slot, &mine);
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < v->item_count; i++)
            if (s == SLB_OK) s = run_item(v, weights, &v->item[i], slot, &score[i], &mine);
        slb_slot_free(slot);
        if (s != SLB_OK) {
#pragma omp critical
            {
                status = s;
                if (err) *err = mine;
            }
        }
    }
    if (status == SLB_OK) means(v, score, psnr);
    slb_free(score);
    return status;
}
