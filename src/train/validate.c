#include "train/validate.h"

#include <math.h>
#include <string.h>

#include "base/folder.h"
#include "base/mem.h"
#include "img/codec.h"
#include "img/color.h"
#include "img/metric.h"
#include "img/protocol.h"
#include "img/resize.h"
#include "train/dataset.h"

/* Larger pictures go through the network in windows of this side (of the result) plus the receptive
 * field around them, which gives the same numbers with less memory. */
enum { WINDOW = 256 };

typedef struct Item {
    int scale;              /* index */
    uint32_t width, height; /* of the input, pixels */
    bool grey;              /* Y is the sample then */
    float *input;           /* [height][width][channels], 0..1 */
    SlbLumaPair pair; /* with `enlarged` networks both planes, else the truth alone, as it is */
    double bicubic;   /* PSNR */
} Item;

struct SlbValidation {
    SlbEngine *engine;
    const SlbGraph *graph;
    int *scales, scale_count, threads;
    SlbComm *comm;
    Item *item; /* pictures x scales */
    size_t item_count;
    double *bicubic;
};

/* The VDSR protocol: Y, bicubically down and up. */
static SlbStatus prepare_enlarged(Item *item, const SlbImage *image, int scale, const char *path,
                                  SlbError *err)
{
    SlbLumaPair *pair = &item->pair;
    SlbStatus s = slb_luma_pair(image, scale, path, pair, err);
    if (s != SLB_OK) return s;
    size_t count = (size_t)pair->width * pair->height;
    item->width = pair->width;
    item->height = pair->height;
    item->input = slb_alloc(count, sizeof *item->input);
    if (!item->input) return slb_fail_memory(err, path);
    for (size_t i = 0; i < count; i++) item->input[i] = (float)(pair->bicubic[i] / 255.0);
    SlbScore score = {0};
    s = slb_luma_score(pair, pair->bicubic, scale, 0, &score, err);
    item->bicubic = score.psnr;
    return s;
}

/* Y or RGB of an 8-bit picture as network input. */
static void fill_input(const SlbImage *low, const double *luma, size_t channels, float *out)
{
    size_t given = (size_t)low->info.channels;
    for (size_t y = 0; y < low->info.height; y++)
        for (size_t x = 0; x < low->info.width; x++)
            for (size_t c = 0; c < channels; c++) {
                const unsigned char *row = low->data + y * low->stride_bytes;
                double v = channels == 1 ? luma[y * low->info.width + x]
                                         : (double)row[x * given + (given < 3 ? 0 : c)];
                *out++ = (float)(v / 255.0);
            }
}

static double score_luma(const Item *item, const double *luma, int scale)
{
    return slb_psnr(item->pair.truth, luma, item->pair.width, item->pair.height, (uint32_t)scale);
}

/* The RGB protocol: an 8-bit picture made smaller; what comes out is compared in Y, not rounded. */
static SlbStatus prepare_small(Item *item, const SlbImage *image, int scale, int channels,
                               const char *path, SlbError *err)
{
    SlbImage crop = *image, low = {0}, again = {0}; /* crop is a view */
    crop.info.width -= crop.info.width % (uint32_t)scale;
    crop.info.height -= crop.info.height % (uint32_t)scale;
    if (image->info.depth != 8)
        return slb_fail(err, SLB_E_INPUT, "%s: validation pictures must have 8 bits a sample",
                        path);
    size_t count = (size_t)crop.info.width * crop.info.height;
    SlbStatus s = slb_resize_image(&crop, 1, (uint32_t)scale, SLB_EDGE_MIRROR, &low, err);
    if (s == SLB_OK) s = slb_resize_image(&low, (uint32_t)scale, 1, SLB_EDGE_MIRROR, &again, err);
    double *luma = slb_alloc(count, sizeof *luma);
    item->pair = (SlbLumaPair){.width = crop.info.width, .height = crop.info.height};
    item->pair.truth = slb_alloc(count, sizeof(double));
    item->width = low.info.width;
    item->height = low.info.height;
    item->grey = low.info.channels < 3;
    item->input = slb_alloc((size_t)item->width * item->height, (size_t)channels * sizeof(float));
    if (s == SLB_OK && (!luma || !item->pair.truth || !item->input)) s = slb_fail_memory(err, path);
    if (s == SLB_OK) {
        slb_luma(&crop, item->pair.truth);
        slb_luma(&again, luma);
        item->bicubic = score_luma(item, luma, scale);
        slb_luma(&low, luma);
        fill_input(&low, luma, (size_t)channels, item->input);
    }
    slb_free(luma);
    slb_image_free(&low);
    slb_image_free(&again);
    return s;
}

static SlbStatus add_picture(SlbValidation *v, const char *path, SlbError *err)
{
    SlbImage image = {0};
    SlbStatus s = slb_image_load(path, NULL, &image, err);
    for (int i = 0; s == SLB_OK && i < v->scale_count; i++) {
        Item *item = &v->item[v->item_count++];
        uint32_t shaved = 2 * (uint32_t)v->scales[i]; /* scores leave nothing of less */
        item->scale = i;
        if (image.info.width < shaved + (uint32_t)v->scales[i] ||
            image.info.height < shaved + (uint32_t)v->scales[i])
            s = slb_fail(err, SLB_E_INPUT, "%s: too small to validate on at scale %d", path,
                         v->scales[i]);
        else if (v->graph->enlarged)
            s = prepare_enlarged(item, &image, v->scales[i], path, err);
        else
            s = prepare_small(item, &image, v->scales[i], v->graph->nodes[0].channels, path, err);
    }
    slb_image_free(&image);
    return s;
}

/* Pictures that come out without an error, such as those of one colour, have no figure: as in
 * `slbsr eval`, they do not count. What is no number does, so that it shows. */
static bool counts(const Item *item, double score)
{
    return item->bicubic != INFINITY && score != INFINITY;
}

/* By scale; summed in the order of the items, so that threads do not matter. */
static void means(const SlbValidation *v, const double *score, double *psnr)
{
    for (int i = 0; i < v->scale_count; i++) {
        size_t count = 0;
        for (size_t k = 0; k < v->item_count; k++)
            count += v->item[k].scale == i && counts(&v->item[k], score[k]);
        psnr[i] = count ? 0 : INFINITY;
        for (size_t k = 0; k < v->item_count; k++)
            if (v->item[k].scale == i && counts(&v->item[k], score[k]))
                psnr[i] += score[k] / (double)count;
    }
}

static SlbStatus score_bicubic(SlbValidation *v, SlbError *err)
{
    double *score = slb_calloc(v->item_count, sizeof *score);
    if (!score) return slb_fail_memory(err, "the validation pictures");
    for (size_t i = 0; i < v->item_count; i++) score[i] = v->item[i].bicubic;
    means(v, score, v->bicubic);
    slb_free(score);
    return SLB_OK;
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

SlbStatus slb_validation_create(const char *folder, int most, const SlbGraph *graph, int act_bits,
                                const int *scales, int scale_count, const SlbCpu *cpu, int threads,
                                SlbComm *comm, SlbValidation **validation, SlbError *err)
{
    SlbValidation *v = slb_calloc(1, sizeof *v);
    if (!v) return slb_fail_memory(err, "the validation");
    *v = (SlbValidation){
        .graph = graph, .scale_count = scale_count, .threads = threads, .comm = comm};
    v->scales = slb_calloc((size_t)scale_count, sizeof *v->scales);
    v->bicubic = slb_calloc((size_t)scale_count, sizeof *v->bicubic);
    SlbStatus s = v->scales && v->bicubic ? SLB_OK : slb_fail_memory(err, "the validation");
    if (s == SLB_OK) {
        memcpy(v->scales, scales, (size_t)scale_count * sizeof *scales);
        const SlbEngineForm form = {.precision = SLB_FLOAT32, .act_bits = act_bits};
        s = slb_engine_create(graph, &form, cpu, &v->engine, err);
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
    for (size_t i = 0; i < v->item_count; i++) {
        slb_luma_pair_free(&v->item[i].pair);
        slb_free(v->item[i].input);
    }
    slb_engine_free(v->engine);
    slb_free(v->item);
    slb_free(v->scales);
    slb_free(v->bicubic);
    slb_free(v);
}

size_t slb_validation_items(const SlbValidation *validation)
{
    return validation->item_count;
}

const double *slb_validation_bicubic(const SlbValidation *validation)
{
    return validation->bicubic;
}

const SlbEngine *slb_validation_engine(const SlbValidation *validation)
{
    return validation->engine;
}

/* A stretch of one axis of the input to compute, and the part of it that counts. */
typedef struct Range {
    uint32_t from, to, first, last;
} Range;

/* Pixels of the input that a window advances by. */
static uint32_t window_side(const SlbValidation *v)
{
    return WINDOW / (uint32_t)v->graph->scale;
}

static Range range(const SlbValidation *v, uint32_t first, uint32_t size)
{
    uint32_t r = (uint32_t)slb_graph_radius(v->graph), window = window_side(v);
    uint32_t last = size - first < window ? size : first + window;
    return (Range){first > r ? first - r : 0, size - last < r ? size : last + r, first, last};
}

/* Runs one window; only the pixels that see no border of the window itself are kept. `out` has the
 * samples of the whole result, 0..255. */
static void run_window(const SlbValidation *v, const SlbWeights *weights, SlbSlot *slot,
                       const Item *item, Range rows, Range cols, float *in, double *out)
{
    uint32_t width = cols.to - cols.from, height = rows.to - rows.from;
    size_t channels = (size_t)v->graph->nodes[0].channels, scale = (size_t)v->graph->scale;
    for (size_t y = 0; y < height; y++)
        memcpy(in + y * width * channels,
               item->input + ((rows.from + y) * item->width + cols.from) * channels,
               width * channels * sizeof *in);
    slb_forward(v->engine, weights, slot, in, width, height);
    SlbView view = slb_slot_output(v->engine, slot);
    for (size_t y = rows.first * scale; y < rows.last * scale; y++)
        for (size_t x = cols.first * scale; x < cols.last * scale; x++)
            for (size_t c = 0; c < channels; c++)
                out[(y * item->pair.width + x) * channels + c] =
                    255.0 *
                    (double)view.data[((y - rows.from * scale) * view.row + x - cols.from * scale) *
                                          view.stride +
                                      c];
}

static double to_u8(double v)
{
    return v > 0 ? v < 255 ? floor(v + 0.5) : 255 : 0;
}

/* Y of a pixel of RGB, 0..255, as a file of 8 bits would hold it; of a grey picture, which stays
 * grey, the mean. */
static double result_luma(const double *rgb, bool grey)
{
    double ycbcr[3];
    if (grey) return to_u8((rgb[0] + rgb[1] + rgb[2]) / 3.0);
    slb_rgb_to_ycbcr(to_u8(rgb[0]), to_u8(rgb[1]), to_u8(rgb[2]), ycbcr);
    return ycbcr[0];
}

/* PSNR of the network's result. RGB becomes Y in place. */
static SlbStatus score_result(const SlbValidation *v, const Item *item, double *out, double *psnr,
                              SlbError *err)
{
    int scale = v->scales[item->scale];
    if (v->graph->enlarged) {
        SlbScore score = {0};
        SlbStatus s = slb_luma_score(&item->pair, out, scale, 0, &score, err);
        *psnr = score.psnr;
        return s;
    }
    size_t count = (size_t)item->pair.width * item->pair.height;
    for (size_t i = 0; v->graph->nodes[0].channels == 3 && i < count; i++)
        out[i] = result_luma(out + 3 * i, item->grey);
    *psnr = score_luma(item, out, scale);
    return SLB_OK;
}

static SlbStatus run_item(const SlbValidation *v, const SlbWeights *weights, const Item *item,
                          SlbSlot *slot, double *psnr, SlbError *err)
{
    size_t side = window_side(v) + 2 * (size_t)slb_graph_radius(v->graph);
    size_t channels = (size_t)v->graph->nodes[0].channels;
    float *in = slb_alloc(side * side, channels * sizeof *in);
    double *out = slb_alloc((size_t)item->pair.width * item->pair.height, channels * sizeof *out);
    SlbStatus s = in && out ? SLB_OK : slb_fail_memory(err, "a validation picture");
    for (uint32_t y = 0; s == SLB_OK && y < item->height; y += window_side(v))
        for (uint32_t x = 0; x < item->width; x += window_side(v))
            run_window(v, weights, slot, item, range(v, y, item->height), range(v, x, item->width),
                       in, out);
    if (s == SLB_OK) s = score_result(v, item, out, psnr, err);
    slb_free(in);
    slb_free(out);
    return s;
}

SlbStatus slb_validation_run(SlbValidation *v, const SlbWeights *weights, double *psnr,
                             SlbError *err)
{
    uint32_t side = window_side(v) + 2 * (uint32_t)slb_graph_radius(v->graph);
    size_t rank = (size_t)slb_comm_rank(v->comm), size = (size_t)slb_comm_size(v->comm);
    double *score = slb_calloc(v->item_count, sizeof *score);
    SlbStatus status = score ? SLB_OK : slb_fail_memory(err, "the validation");
    if (status != SLB_OK) return status;
#pragma omp parallel num_threads(v->threads)
    {
        SlbSlot *slot = NULL;
        SlbError mine;
        SlbStatus s = slb_slot_create(v->engine, side, side, false, &slot, &mine);
#pragma omp for schedule(dynamic)
        for (size_t i = rank; i < v->item_count; i += size)
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
    if (status == SLB_OK) status = slb_comm_sum(v->comm, score, v->item_count, err);
    if (status == SLB_OK) means(v, score, psnr);
    slb_free(score);
    return status;
}
