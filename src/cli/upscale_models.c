#include "cli/upscale_models.h"

#include <string.h>

#include "cli/message.h"

static void tell_model(const ModelChoice *choice, const UpscaleModel *m)
{
    SlbCpu cpu;
    (void)slb_cpu_detect(&cpu);
    int threads = slb_plan_threads(m->plan);
    cli_message("model %s: %d-bit weights, %s arithmetic, %s kernels, %d thread%s", m->name,
                m->model->weight_bits, cli_runs_packed(choice, m->model) ? "integer" : "float",
                slb_cpu_level_name(cpu.level), threads, threads == 1 ? "" : "s");
}

static SlbStatus open_model(const UpscaleModels *models, int factor, UpscaleModel *m, SlbError *err)
{
    SlbStatus s = cli_open_model(&models->choice, factor, &m->model, &m->name, err);
    if (s != SLB_OK) return s;
    s = cli_make_plan(&models->choice, m->model, &m->plan, err);
    if (s == SLB_OK && models->verbose) tell_model(&models->choice, m);
    if (s == SLB_OK) return s;
    slb_model_free(m->model);
    *m = (UpscaleModel){0};
    return s;
}

SlbStatus cli_models_get(UpscaleModels *models, int factor, UpscaleModel **model, SlbError *err)
{
    UpscaleModel *m = &models->by_factor[models->choice.model ? 0 : factor < 2 ? 2 : factor];
    SlbStatus s = m->plan ? SLB_OK : open_model(models, factor, m, err);
    if (s == SLB_OK) *model = m;
    return s;
}

/* A network that enlarges by itself leaves the rest to the resize; one behind a resize was trained
 * on what some factors look like. */
void cli_models_note(const UpscaleModels *models, UpscaleModel *m, int factor)
{
    const char digit[2] = {(char)('0' + factor), 0}, *scales = m->model->scales;
    int own = slb_plan_scale(m->plan);
    if (models->quiet || factor == 1 || m->noted[factor]) return;
    m->noted[factor] = true;
    if (own > 1 && own != factor)
        cli_message("note: %s enlarges by %d; a bicubic resize does the rest", m->name, own);
    else if (own == 1 && scales && *scales && !strstr(scales, digit))
        cli_message("note: %s was trained for scale %s, not %d", m->name, scales, factor);
}

void cli_models_free(UpscaleModels *models)
{
    for (int f = 0; f <= SLB_MAX_SCALE; f++) {
        slb_plan_free(models->by_factor[f].plan);
        slb_model_free(models->by_factor[f].model);
    }
    *models = (UpscaleModels){0};
}
