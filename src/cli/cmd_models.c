/* slbsr models: what is built in, and which of it --bits takes. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_line.h"
#include "infer/builtin.h"
#include "net/figures.h"

typedef struct Settings {
    bool json;
} Settings;

static const Option options[] = {
    {0, "json", OPTION_FLAG, offsetof(Settings, json), NULL, NULL, 0, 0, NULL, false,
     "write JSON instead of a table"},
    {0},
};

enum { MIN_SCALE = 2, MAX_SCALE = 4, NAME_COLUMN = 20 };

/* True when `--bits` takes this one for the scale. */
static bool is_best(const SlbBuiltin *builtin, const SlbModel *model, int scale)
{
    const SlbBuiltin *best;
    return slb_builtin_best(model->weight_bits, scale, &best, NULL) == SLB_OK && best == builtin;
}

/* -- the table -- */

static void print_head(void)
{
    printf("%-*s %6s %7s %10s %8s", NAME_COLUMN, "model", "W/A", "scales", "parameters", "bytes");
    for (int s = MIN_SCALE; s <= MAX_SCALE; s++) printf("   x%d dB   gain", s);
    putchar('\n');
}

static void print_figure(const SlbBuiltin *builtin, const SlbModel *model, int scale)
{
    SlbFigure f;
    char best = is_best(builtin, model, scale) ? '*' : ' ';
    if (slb_scales_serve(model->scales, scale) == SLB_SERVES_NOT ||
        !slb_figures_find(model->figures, scale, &f)) {
        printf("%8s %6s%c", "-", "", best);
        return;
    }
    printf("%8.3f ", f.psnr);
    if (isnan(f.bicubic))
        printf("%6s%c", "-", best);
    else
        printf("%+6.3f%c", f.psnr - f.bicubic, best);
}

static void print_model(const SlbBuiltin *builtin, const SlbModel *model)
{
    char bits[16];
    snprintf(bits, sizeof bits, "%d/%d", model->weight_bits, model->act_bits);
    printf("%-*s %6s %7s %10zu %8zu", NAME_COLUMN, builtin->name, bits,
           model->scales && *model->scales ? model->scales : "-", slb_model_parameters(model),
           builtin->bytes);
    for (int s = MIN_SCALE; s <= MAX_SCALE; s++) print_figure(builtin, model, s);
    putchar('\n');
}

/* -- JSON -- */

static bool add_figure(cJSON *list, const SlbModel *model, int scale, bool best)
{
    SlbFigure f;
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) return false;
    bool known = slb_figures_find(model->figures, scale, &f);
    bool told = known && !isnan(f.bicubic);
    return cJSON_AddNumberToObject(item, "scale", scale) &&
           (known ? cJSON_AddNumberToObject(item, "psnr", f.psnr)
                  : cJSON_AddNullToObject(item, "psnr")) &&
           (told ? cJSON_AddNumberToObject(item, "bicubic_psnr", f.bicubic)
                 : cJSON_AddNullToObject(item, "bicubic_psnr")) &&
           cJSON_AddBoolToObject(item, "best", best);
}

static bool fill_model(cJSON *item, const SlbBuiltin *builtin, const SlbModel *model)
{
    bool ok = cJSON_AddStringToObject(item, "name", builtin->name) &&
              cJSON_AddNumberToObject(item, "weight_bits", model->weight_bits) &&
              cJSON_AddNumberToObject(item, "activation_bits", model->act_bits) &&
              cJSON_AddNumberToObject(item, "parameters", (double)slb_model_parameters(model)) &&
              cJSON_AddNumberToObject(item, "bytes", (double)builtin->bytes) &&
              cJSON_AddStringToObject(item, "command", model->command ? model->command : "");
    cJSON *list = ok ? cJSON_AddArrayToObject(item, "scales") : NULL;
    for (int s = MIN_SCALE; list && s <= MAX_SCALE; s++)
        if (slb_scales_serve(model->scales, s) == SLB_SERVES_TRAINED)
            ok = ok && add_figure(list, model, s, is_best(builtin, model, s));
    return ok && list;
}

static SlbStatus add_model(cJSON *root, const SlbBuiltin *builtin, const SlbModel *model,
                           SlbError *err)
{
    cJSON *item = cJSON_CreateObject();
    if (!item) return slb_fail_memory(err, "report");
    cJSON_AddItemToArray(cJSON_GetObjectItem(root, "models"), item);
    return fill_model(item, builtin, model) ? SLB_OK : slb_fail_memory(err, "report");
}

static SlbStatus each_model(cJSON *root, SlbError *err)
{
    size_t count;
    const SlbBuiltin *all = slb_builtins(&count);
    for (size_t i = 0; i < count; i++) {
        SlbModel *model;
        SlbStatus s = slb_model_open(all[i].name, NULL, &model, err);
        if (s != SLB_OK) return s;
        if (root)
            s = add_model(root, &all[i], model, err);
        else
            print_model(&all[i], model);
        slb_model_free(model);
        if (s != SLB_OK) return s;
    }
    return SLB_OK;
}

static SlbStatus write_json(SlbError *err)
{
    cJSON *root = cJSON_CreateObject();
    SlbStatus s =
        root && cJSON_AddArrayToObject(root, "models") ? SLB_OK : slb_fail_memory(err, "report");
    if (s == SLB_OK) s = each_model(root, err);
    if (s == SLB_OK) s = cli_json_report(root, err);
    cJSON_Delete(root);
    return s;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    if (set->json) return write_json(err);
    print_head();
    return each_model(NULL, err);
}

const Command cmd_models = {
    .name = "models",
    .operands = "",
    .summary = "List the models that are built in, with their figures",
    .notes = "W/A: bits of a weight and of an activation in the low-bit layers, 32 for float.\n"
             "For each scale: mean PSNR on the pictures that the model was validated on while it "
             "was trained, and how much that is above bicubic. '*': what --bits takes at this "
             "scale, which is the model with the greatest gain among those trained for it.\n"
             "'slbsr info NAME' says more about one of them.",
    .example = "slbsr models\n"
               "slbsr models --json",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
