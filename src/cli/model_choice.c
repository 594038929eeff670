#include "cli/model_choice.h"

#include "base/cpu.h"
#include "infer/builtin.h"

SlbStatus cli_open_model(const ModelChoice *choice, SlbModel **model, SlbError *err)
{
    if (choice->bits && choice->model)
        return slb_fail(err, SLB_E_USAGE,
                        "--bits and --model exclude each other; give one of them");
    if (choice->net && !choice->model)
        return slb_fail(err, SLB_E_USAGE,
                        "--net: belongs to --model FILE; built-in models carry their network");
    if (!choice->model) return slb_builtin_by_bits(choice->bits, model, err);
    SlbGraph *net = NULL;
    if (choice->net) {
        SlbStatus s = slb_graph_open(choice->net, &net, err);
        if (s != SLB_OK) return s;
    }
    SlbStatus s = slb_model_open(choice->model, net, model, err);
    slb_graph_free(net);
    return s;
}

void cli_model_name(const ModelChoice *choice, char *name, size_t bytes)
{
    if (choice->model)
        snprintf(name, bytes, "%s", choice->model);
    else
        snprintf(name, bytes, "built-in, %d bit%s", choice->bits, choice->bits == 1 ? "" : "s");
}

bool cli_runs_packed(const ModelChoice *choice, const SlbModel *model)
{
    return model->act_bits == 8 && !choice->use_float;
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
