#include "cli/commands.h"

typedef struct Settings {
    TextList data;
    const char *net, *out, *init, *val;
    IntList scales;
    int bits, steps, batch, patch, seed, threads;
    double lr;
} Settings;

static const Option options[] = {
    {'d', "data", OPTION_TEXTS, offsetof(Settings, data), "DIR", NULL, 0, 0, NULL, true,
     "folder of pictures to train on; may be repeated"},
    {'o', "out", OPTION_TEXT, offsetof(Settings, out), "FILE", NULL, 0, 0, NULL, true,
     "the model to write (.safetensors); the checkpoint stands beside it"},
    {'n', "net", OPTION_TEXT, offsetof(Settings, net), "NAME|FILE", NULL, 0, 0, "vdsr", false,
     "the network: a built-in name or a .net file"},
    {'b', "bits", OPTION_INT, offsetof(Settings, bits), NULL, "1|2|4|32", 0, 0, "2", false,
     "bits of a weight in the layers that the network marks low; 32: float"},
    {'i', "init", OPTION_TEXT, offsetof(Settings, init), "FILE", NULL, 0, 0, NULL, false,
     "model to start from, float weights as a rule"},
    {0, "val", OPTION_TEXT, offsetof(Settings, val), "DIR", NULL, 0, 0, NULL, false,
     "folder of pictures to validate on"},
    {'s', "scale", OPTION_INTS, offsetof(Settings, scales), "N,...", "2|3|4", 0, 0, "2,3,4", false,
     "the factors to train for, mixed in every batch"},
    {0, "steps", OPTION_INT, offsetof(Settings, steps), "N", NULL, 1, 100000000, "100000", false,
     "steps of the optimizer"},
    {0, "batch", OPTION_INT, offsetof(Settings, batch), "N", NULL, 1, 4096, "64", false,
     "patches in a step"},
    {0, "patch", OPTION_INT, offsetof(Settings, patch), "N", NULL, 16, 1024, "41", false,
     "side of a patch, pixels at output resolution"},
    {0, "lr", OPTION_REAL, offsetof(Settings, lr), "F", NULL, 1e-9, 10, "1e-3", false,
     "learning rate of Adam at the start"},
    {0, "seed", OPTION_INT, offsetof(Settings, seed), "N", NULL, 0, 2147483647, "1", false,
     "of everything random"},
    {'j', "threads", OPTION_INT, offsetof(Settings, threads), "N", NULL, 1, 1024, NULL, false,
     "threads; without it one for each processor"},
    {0},
};

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    (void)invocation;
    return slb_fail(err, SLB_E_UNBUILT, "train: this build has no trainer");
}

const Command cmd_train = {
    .name = "train",
    .operands = "",
    .summary = "Train a network with low-bit weights (SLB) on folders of pictures",
    .notes = "Small pictures are made on the fly, bicubically; any folder of pictures will do.",
    .example = "slbsr train --data DIV2K --net vdsr --bits 32 --out float.safetensors\n"
               "slbsr train --data DIV2K --bits 2 --init float.safetensors --val photos "
               "--out w2.safetensors",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
