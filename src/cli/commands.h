/* The commands: one file cmd_*.c each. To add one: such a file, a line here and a row in main.c. */
#ifndef SLBSR_CLI_COMMANDS_H
#define SLBSR_CLI_COMMANDS_H

#include "cli/options.h"

extern const Command cmd_upscale, cmd_train, cmd_eval, cmd_downscale, cmd_compare, cmd_models,
    cmd_info, cmd_pack, cmd_plot, cmd_bench, cmd_calibrate, cmd_export, cmd_import, cmd_doc;

extern const Command *const cli_commands[]; /* all, in the order of --help; NULL ends the table */

/* NULL when there is none of that name. */
const Command *cli_find_command(const char *name);

/* Commands for the build begin with '_'; --help and the manual leave them out. */
bool cli_is_hidden(const Command *command);

#endif
