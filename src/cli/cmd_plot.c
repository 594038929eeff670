/* slbsr plot: curves of training runs from their logs. */
#include <limits.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/train_html.h"

typedef struct Settings {
    const char *html;
    bool overwrite;
} Settings;

static const Option options[] = {
    {0, "html", OPTION_TEXT, offsetof(Settings, html), "FILE", NULL, 0, 0, NULL, true,
     "the page to write"},
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace FILE when it exists and is no such page"},
    {0},
};

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    int read = 0;
    if (invocation->operand_count > PLOT_RUNS)
        return slb_fail(err, SLB_E_USAGE, "plot: %d logs are more than the %d that one page shows",
                        invocation->operand_count, PLOT_RUNS);
    TrainLog *logs = slb_calloc((size_t)invocation->operand_count, sizeof *logs);
    SlbStatus s = logs ? SLB_OK : slb_fail_memory(err, "logs");
    while (s == SLB_OK && read < invocation->operand_count) {
        s = train_log_read(invocation->operands[read], &logs[read], err);
        if (s == SLB_OK) read++;
    }
    if (s == SLB_OK) s = train_log_tell_apart(logs, invocation->operands, read, err);
    if (s == SLB_OK)
        s = train_html_write(set->html, set->overwrite, logs, read, invocation->line, err);
    for (int i = 0; i < read; i++) train_log_free(&logs[i]);
    slb_free(logs);
    return s;
}

const Command cmd_plot = {
    .name = "plot",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = INT_MAX,
    .summary = "Draw the curves of training runs as a page",
    .notes =
        "FILE is the log of a run, the .csv that 'slbsr train' writes beside a model. The page "
        "shows loss, PSNR by scale of the weights of training and of inference beside "
        "bicubic, sharpness and learning rate; up to 8 runs over each other. It is one file "
        "that loads nothing and needs no script. 'slbsr train --html' makes the same while it "
        "runs.",
    .example = "slbsr plot w2.safetensors.csv --html curves.html\n"
               "slbsr plot exp.csv cos.csv linear.csv --html schedules.html",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
