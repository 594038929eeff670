/* For the build and for packagers: man pages and completions, from the tables that the program runs
 * by. */
#include <string.h>

#include "base/io.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/manual.h"

typedef struct Settings {
    char unused;
} Settings;

static const Option options[] = {{0}};

static const struct {
    const char *what, *file; /* operand; name in a folder of all */
    void (*print)(FILE *out);
} scripts[] = {
    {"bash", "slbsr.bash", cli_print_bash},
    {"zsh", "_slbsr", cli_print_zsh},
    {"fish", "slbsr.fish", cli_print_fish},
};
enum { SCRIPTS = sizeof scripts / sizeof *scripts };

/* Writes a script, or with `script` NULL the page of `command`, to FOLDER/NAME. */
static SlbStatus write_file(const char *folder, const char *name, void (*script)(FILE *out),
                            const Command *command, SlbError *err)
{
    char path[4096];
    SlbOutput output;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return slb_fail(err, SLB_E_OUTPUT, "%s: the name is too long", folder);
    SlbStatus s = slb_output_open(&output, path, true, err);
    if (s != SLB_OK) return s;
    if (script)
        script(output.file);
    else
        cli_print_manual(command, output.file);
    return slb_output_commit(&output, err);
}

static SlbStatus write_all(const char *folder, SlbError *err)
{
    char name[64];
    SlbStatus s = write_file(folder, "slbsr.1", NULL, NULL, err);
    for (int i = 0; s == SLB_OK && i < SCRIPTS; i++)
        s = write_file(folder, scripts[i].file, scripts[i].print, NULL, err);
    for (const Command *const *c = cli_commands; s == SLB_OK && *c; c++) {
        if (cli_is_hidden(*c)) continue;
        snprintf(name, sizeof name, "slbsr-%s.1", (*c)->name);
        s = write_file(folder, name, NULL, *c, err);
    }
    return s;
}

static SlbStatus print_page(const char *name, SlbError *err)
{
    const Command *command = name ? cli_find_command(name) : NULL;
    if (name && !command) return slb_fail(err, SLB_E_USAGE, "%s: there is no such command", name);
    cli_print_manual(command, stdout);
    return SLB_OK;
}

static SlbStatus run(const Invocation *invocation, SlbError *err)
{
    char **operands = invocation->operands;
    const char *what = operands[0], *name = invocation->operand_count > 1 ? operands[1] : NULL;
    if (strcmp(what, "man") == 0) return print_page(name, err);
    if (strcmp(what, "all") == 0 && name) return write_all(name, err);
    for (int i = 0; i < SCRIPTS; i++)
        if (strcmp(what, scripts[i].what) == 0 && !name) return scripts[i].print(stdout), SLB_OK;
    return slb_fail(err, SLB_E_USAGE, "%s: not one of: man [COMMAND], bash, zsh, fish, all DIR",
                    what);
}

const Command cmd_doc = {
    .name = "_doc",
    .operands = "man|bash|zsh|fish|all [COMMAND|DIR]",
    .min_operands = 1,
    .max_operands = 2,
    .summary = "Write the manual and the completions for shells",
    .example = "slbsr _doc man upscale",
    .options = options,
    .settings_bytes = sizeof(Settings),
    .run = run,
};
