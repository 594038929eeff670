/* slbsr compare: how far two pictures of the same size are from each other. */
#include <cjson/cJSON.h>
#include <math.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/picture.h"
#include "img/codec.h"
#include "img/color.h"
#include "img/metric.h"
#include "img/protocol.h"

typedef struct Settings {
    double min_psnr, min_ssim;
    int shave, max_pixels;
    bool json;
} Settings;

static const Option options[] = {
    {0, "min-psnr", OPTION_REAL, offsetof(Settings, min_psnr), "DB", NULL, 0, 1000, NULL, false,
     "fail with exit code 7 when the PSNR of Y is below this"},
    {0, "min-ssim", OPTION_REAL, offsetof(Settings, min_ssim), "F", NULL, 0, 1, NULL, false,
     "fail with exit code 7 when the SSIM of Y is below this"},
    {0, "shave", OPTION_INT, offsetof(Settings, shave), "N", NULL, 0, 65535, "0", false,
     "leave out so many pixels on each side"},
    {0, "json", OPTION_FLAG, offsetof(Settings, json), NULL, NULL, 0, 0, NULL, false,
     "write JSON instead of a table"},
    MAX_PIXELS_OPTION(Settings),
    {0},
};

typedef struct Comparison {
    SlbScore y, rgb; /* rgb: NAN for grey pictures */
    bool grey;       /* both */
    double largest;  /* difference of two samples, of 255 */
    double alpha;    /* the same of alpha; NAN: neither picture has it */
} Comparison;

/* The planes of two pictures, one channel at a time. */
typedef struct Pair {
    const SlbImage *image[2];
    double *plane[2];
    uint32_t width, height, shave;
} Pair;

static SlbStatus score_planes(const Pair *pair, SlbScore *score, SlbError *err)
{
    const double *a = pair->plane[0], *b = pair->plane[1];
    score->psnr = slb_psnr(a, b, pair->width, pair->height, pair->shave);
    return slb_ssim(a, b, pair->width, pair->height, pair->shave, &score->ssim, err);
}

static bool is_grey(const SlbImage *image)
{
    return image->info.channels < 3;
}

/* Channel 0, 1, 2 of both; grey stands for all of them. */
static void fill_planes(Pair *pair, size_t channel)
{
    for (int k = 0; k < 2; k++) {
        size_t c = is_grey(pair->image[k]) ? 0 : channel;
        for (size_t y = 0; y < pair->height; y++)
            for (size_t x = 0; x < pair->width; x++)
                pair->plane[k][y * pair->width + x] = cli_sample(pair->image[k], x, y, c);
    }
}

static double largest_difference(const Pair *pair)
{
    double most = 0.0;
    for (size_t y = pair->shave; y + pair->shave < pair->height; y++)
        for (size_t x = pair->shave; x + pair->shave < pair->width; x++)
            most = fmax(most, fabs(pair->plane[0][y * pair->width + x] -
                                   pair->plane[1][y * pair->width + x]));
    return most;
}

/* 0..255; a picture without alpha is opaque. */
static double alpha_at(const SlbImage *image, size_t x, size_t y)
{
    int channels = image->info.channels;
    return channels % 2 ? 255.0 : cli_sample(image, x, y, (size_t)channels - 1);
}

static double alpha_difference(const Pair *pair)
{
    const SlbImage *a = pair->image[0], *b = pair->image[1];
    double most = 0.0;
    if (a->info.channels % 2 && b->info.channels % 2) return NAN;
    for (size_t y = pair->shave; y + pair->shave < pair->height; y++)
        for (size_t x = pair->shave; x + pair->shave < pair->width; x++)
            most = fmax(most, fabs(alpha_at(a, x, y) - alpha_at(b, x, y)));
    return most;
}

/* Y of both. Beside a colour picture, grey is R = G = B. */
static void fill_luma(Pair *pair)
{
    for (int k = 0; k < 2; k++) {
        const SlbImage *image = pair->image[k];
        double *plane = pair->plane[k], ycbcr[3];
        slb_luma(image, plane);
        if (!is_grey(image) || is_grey(pair->image[1 - k])) continue;
        for (size_t i = 0; i < (size_t)pair->width * pair->height; i++) {
            slb_rgb_to_ycbcr(plane[i], plane[i], plane[i], ycbcr);
            plane[i] = ycbcr[0];
        }
    }
}

/* PSNR by the mean of all squared errors, SSIM as the mean of the channels'. */
static SlbStatus compare_colours(Pair *pair, Comparison *c, SlbError *err)
{
    double error = 0.0, ssim = 0.0;
    int channels = c->grey ? 1 : 3;
    for (int i = 0; i < channels; i++) {
        SlbScore one = {NAN, NAN};
        fill_planes(pair, (size_t)i);
        c->largest = fmax(c->largest, largest_difference(pair));
        if (c->grey) continue;
        SlbStatus s = score_planes(pair, &one, err);
        if (s != SLB_OK) return s;
        error += pow(10.0, -one.psnr / 10.0) / channels; /* 0 for equal planes */
        ssim += one.ssim / channels;
    }
    if (!c->grey) c->rgb = (SlbScore){error == 0.0 ? INFINITY : -10.0 * log10(error), ssim};
    return SLB_OK;
}

static SlbStatus compare(const SlbImage *a, const SlbImage *b, uint32_t shave, Comparison *c,
                         SlbError *err)
{
    Pair pair = {.image = {a, b}, .width = a->info.width, .height = a->info.height, .shave = shave};
    size_t n = (size_t)pair.width * pair.height;
    for (int k = 0; k < 2; k++) pair.plane[k] = slb_alloc(n, sizeof **pair.plane);
    *c = (Comparison){.rgb = {NAN, NAN}, .grey = is_grey(a) && is_grey(b)};
    SlbStatus s = pair.plane[0] && pair.plane[1] ? SLB_OK : slb_fail_memory(err, "planes");
    if (s == SLB_OK) {
        fill_luma(&pair);
        s = score_planes(&pair, &c->y, err);
    }
    if (s == SLB_OK) s = compare_colours(&pair, c, err);
    if (s == SLB_OK) c->alpha = alpha_difference(&pair);
    for (int k = 0; k < 2; k++) slb_free(pair.plane[k]);
    return s;
}

/* -- output -- */

static void print_score(const char *name, const SlbScore *score)
{
    printf("%-8s %10.4f", name, score->psnr);
    if (isnan(score->ssim))
        printf(" %8s\n", "-");
    else
        printf(" %8.4f\n", score->ssim);
}

static void print_table(const Comparison *c)
{
    printf("%-8s %10s %8s\n", "", "PSNR, dB", "SSIM");
    print_score("Y", &c->y);
    if (!c->grey) print_score("RGB", &c->rgb);
    printf("largest difference: %.6g of 255\n", c->largest);
    if (c->alpha > 0.0) printf("alpha differs, by %.6g of 255 at most\n", c->alpha);
}

/* Rounded to 1e-6; JSON has no infinity and no NaN. */
static bool add_number(cJSON *object, const char *key, double value)
{
    return isfinite(value) ? cJSON_AddNumberToObject(object, key, round(value * 1e6) / 1e6) != NULL
                           : cJSON_AddNullToObject(object, key) != NULL;
}

static SlbStatus print_json(const Comparison *c, SlbError *err)
{
    cJSON *root = cJSON_CreateObject();
    bool equal = c->largest == 0.0 && !(c->alpha > 0.0);
    bool ok = root && cJSON_AddBoolToObject(root, "equal", equal) &&
              add_number(root, "psnr_y", c->y.psnr) && add_number(root, "ssim_y", c->y.ssim) &&
              add_number(root, "psnr_rgb", c->rgb.psnr) &&
              add_number(root, "ssim_rgb", c->rgb.ssim) &&
              add_number(root, "largest_difference", c->largest) &&
              add_number(root, "largest_alpha_difference", c->alpha);
    SlbStatus s = ok ? cli_json_report(root, err) : slb_fail_memory(err, "report");
    cJSON_Delete(root);
    return s;
}

static SlbStatus judge(const Settings *set, const char *name, const Comparison *c, SlbError *err)
{
    if (set->min_psnr > 0.0 && c->y.psnr < set->min_psnr)
        return slb_fail(err, SLB_E_QUALITY, "%s: PSNR of Y is %.4f dB, --min-psnr asks for %g",
                        name, c->y.psnr, set->min_psnr);
    if (set->min_ssim > 0.0 && isnan(c->y.ssim))
        return slb_fail(err, SLB_E_USAGE,
                        "--min-ssim: SSIM needs 11x11 pixels at least, and fewer of %s are "
                        "compared",
                        name);
    if (set->min_ssim > 0.0 && c->y.ssim < set->min_ssim)
        return slb_fail(err, SLB_E_QUALITY, "%s: SSIM of Y is %.4f, --min-ssim asks for %g", name,
                        c->y.ssim, set->min_ssim);
    return SLB_OK;
}

static SlbStatus check_sizes(const Settings *set, char **names, const SlbImage *a,
                             const SlbImage *b, SlbError *err)
{
    uint32_t w = a->info.width, h = a->info.height, border = 2 * (uint32_t)set->shave;
    if (b->info.width != w || b->info.height != h)
        return slb_fail(err, SLB_E_INPUT,
                        "%s: %ux%u pixels, but %s has %ux%u; only pictures of the same size can be "
                        "compared",
                        names[1], b->info.width, b->info.height, names[0], w, h);
    if (w <= border || h <= border)
        return slb_fail(err, SLB_E_USAGE, "--shave: %d pixels on each side leave nothing of %ux%u",
                        set->shave, w, h);
    return SLB_OK;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    char **names = invocation->operands;
    SlbImage a = {0}, b = {0};
    Comparison c = {0};
    const SlbReadLimits limits = {.max_pixels = (uint64_t)set->max_pixels};
    SlbStatus s = slb_image_load(names[0], &limits, &a, err);
    if (s == SLB_OK) s = slb_image_load(names[1], &limits, &b, err);
    if (s == SLB_OK) s = check_sizes(set, names, &a, &b, err);
    if (s == SLB_OK) s = compare(&a, &b, (uint32_t)set->shave, &c, err);
    slb_image_free(&a);
    slb_image_free(&b);
    if (s != SLB_OK) return s;
    if (set->json) {
        s = print_json(&c, err);
        if (s != SLB_OK) return s;
    } else {
        print_table(&c);
    }
    return judge(set, names[1], &c, err);
}

const Command cmd_compare = {
    .name = "compare",
    .operands = "INPUT INPUT",
    .min_operands = 2,
    .max_operands = 2,
    .summary = "Measure how far two pictures of the same size are from each other",
    .notes = "PSNR (peak 255) and SSIM (11x11 Gaussian window) of Y (BT.601, 16..235, not rounded) "
             "and of R, G, B: for PSNR the mean of all squared errors, for SSIM the mean of the "
             "channels'. Between two grey pictures the samples are Y; beside a colour picture grey "
             "is R = G = B. Samples of 16 bits count in 255ths. Alpha does not count in these "
             "figures; where it differs, that is told, a picture without it being opaque.\n"
             "In JSON, equal is true when all samples are the same, those of alpha too, but for "
             "the border that --shave leaves out. psnr_y and psnr_rgb are null where they are "
             "infinite, as nothing differs there. null is also what there is not: RGB of two grey "
             "pictures, SSIM of fewer than 11x11 pixels, alpha where neither has it.",
    .example = "slbsr compare original.png result.png\n"
               "slbsr compare original.png result.png --shave 2 --min-psnr 35 --json",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
