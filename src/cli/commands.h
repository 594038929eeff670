/* The commands, for the table in main.c: one file cmd_*.c each. To add one: such a file, a line
 * here and a row in main.c. */
#ifndef SLBSR_CLI_COMMANDS_H
#define SLBSR_CLI_COMMANDS_H

#include "cli/options.h"

extern const Command cmd_upscale, cmd_train, cmd_eval, cmd_downscale, cmd_models, cmd_info,
    cmd_pack, cmd_bench;

#endif
