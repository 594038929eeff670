/* slbsr pack: a folder of pictures, decoded once, for training. */
#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/progress.h"
#include "train/pack.h"

typedef struct Settings {
    int threads;
    bool overwrite;
} Settings;

static const Option options[] = {
    {'y', "overwrite", OPTION_FLAG, offsetof(Settings, overwrite), NULL, NULL, 0, 0, NULL, false,
     "replace OUT if it exists"},
    {'j', "threads", OPTION_INT, offsetof(Settings, threads), "N", NULL, 1, 1024, NULL, false,
     "threads; without it one for each processor"},
    {0},
};

static void print_size(const char *path, const SlbPackReport *report)
{
    cli_message("note: %s: %llu pictures, %.1f MB", path, (unsigned long long)report->pictures,
                (double)report->bytes / 1e6);
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    const Settings *set = invocation->settings;
    const char *folder = invocation->operands[0], *path = invocation->operands[1];
    SlbPackPlan *plan;
    Progress progress;
    SlbStatus s = slb_pack_plan(folder, &plan, err);
    if (s != SLB_OK) return s;
    const SlbPackReport *report = slb_pack_report(plan);
    uint64_t planned = report->pictures;
    print_size(path, report);
    progress_start(&progress, "packing", PROGRESS_AUTO);
    s = slb_pack_write(plan, path, set->overwrite, set->threads ? set->threads : slb_cpu_count(),
                       progress_update, &progress, err);
    progress_end(&progress);
    if (s == SLB_OK && report->unreadable)
        cli_message("note: %llu files passed over that cannot be read, the first: %s",
                    (unsigned long long)report->unreadable, report->first_unreadable.message);
    if (s == SLB_OK && report->pictures < planned) print_size(path, report);
    slb_pack_plan_free(plan);
    return s;
}

const Command cmd_pack = {
    .name = "pack",
    .operands = "DIR OUT",
    .min_operands = 2,
    .max_operands = 2,
    .summary = "Decode a folder of pictures once, into one file for training",
    .notes = "'slbsr train --data OUT' maps the file into memory instead of loading the folder: "
             "runs start at once and need little memory, whatever the size of the set. It has "
             "a byte for each sample; its size is told before anything is decoded.",
    .example = "slbsr pack DIV2K div2k.pack\n"
               "slbsr train --data div2k.pack --bits 32 --out float.safetensors",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
