#include "cli/model_choice.h"

#include "base/cpu.h"
#include "infer/builtin.h"

SlbStatus cli_open_model(const ModelChoice *choice, int scale, SlbModel **model, const char **name,
                         SlbError *err)
{
    const char *chosen = choice->model;
    SlbGraph *net = NULL;
    SlbStatus s = SLB_OK;
    if (choice->bits && chosen)
        return slb_fail(err, SLB_E_USAGE,
                        "--bits and --model exclude each other; give one of them");
    if (choice->net && !chosen)
        return slb_fail(err, SLB_E_USAGE,
                        "--net: belongs to --model FILE; built-in models carry their network");
    if (!chosen) {
        const SlbBuiltin *best;
        s = slb_builtin_best(choice->bits, scale, &best, err);
        if (s == SLB_OK) chosen = best->name;
    } else if (choice->net) {
        s = slb_graph_open(choice->net, &net, err);
    }
    if (s == SLB_OK) s = slb_model_open(chosen, net, model, err);
    if (s == SLB_OK && name) *name = chosen;
    slb_graph_free(net);
    return s;
}

bool cli_runs_packed(const ModelChoice *choice, const SlbModel *model)
{
    return model->act_bits < 32 && !choice->use_float;
}

SlbStatus cli_make_plan(const ModelChoice *choice, const SlbModel *model, SlbPlan **plan,
                        SlbError *err)
{
    SlbCpu cpu;
    (void)slb_cpu_detect(&cpu); /* main.c has refused a wrong SLBSR_CPU already */
    SlbPlanOptions options = {
        .packed = cli_runs_packed(choice, model),
        .level = cpu.level,
        .threads = choice->threads ? choice->threads : slb_cpu_count(),
    };
    return slb_plan_create(model, &options, plan, err);
}
