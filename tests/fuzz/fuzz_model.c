/* Model files. A small model that is accepted is run, too: with the plain C kernels in one strip,
 * and with the widest that the machine has in strips of 5 columns. Where the model is packed, both
 * must give the same bytes. */
#include <math.h>

#include "fuzz/fuzz.h"
#include "infer/plan.h"
#include "net/model.h"

enum { WIDTH = 11, HEIGHT = 5, PIXELS = WIDTH * HEIGHT, MAX_LAYERS = 24, MAX_WEIGHTS = 1 << 14 };

static bool run(const SlbModel *model, bool packed, SlbCpuLevel level, uint32_t strip, float *out)
{
    const SlbPlanOptions how = {packed, level, 1, strip};
    float in[PIXELS];
    SlbPlan *plan;
    SlbError err = {0};
    SlbStatus status = slb_plan_create(model, &how, &plan, &err);
    fuzz_status(status, SLB_E_MODEL, &err);
    if (status != SLB_OK) return false;
    for (int i = 0; i < PIXELS; i++) in[i] = (float)(i * 37 % 64) / 63.0f;
    fuzz_status(slb_plan_run(plan, in, out, WIDTH, HEIGHT, NULL, NULL, &err), SLB_OK, &err);
    slb_plan_free(plan);
    return true;
}

static void run_small(const SlbModel *model)
{
    float a[PIXELS], b[PIXELS];
    bool packed = model->weight_bits < 32 && model->act_bits < 32;
    SlbCpu cpu;
    if (model->graph->node_count > MAX_LAYERS || slb_model_parameters(model) > MAX_WEIGHTS) return;
    if (!model->graph->enlarged) return; /* its input and output differ in size */
    (void)slb_cpu_detect(&cpu);
    if (!run(model, packed, SLB_CPU_C, 0, a) || !run(model, packed, cpu.level, 5, b)) return;
    for (int i = 0; packed && i < PIXELS; i++)
        fuzz_want((isnan(a[i]) && isnan(b[i])) || memcmp(&a[i], &b[i], sizeof *a) == 0,
                  "kernels that differ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    SlbModel *model;
    SlbError err = {0};
    SlbStatus status = slb_model_parse(data, bytes, "fuzz", NULL, &model, &err);
    fuzz_status(status, SLB_E_MODEL, &err);
    if (status != SLB_OK) return 0;
    run_small(model);
    slb_model_free(model);
    return 0;
}
