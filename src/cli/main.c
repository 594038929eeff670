/* slbsr: the program. Finds the command, takes its line apart, runs it and turns its status into an
 * exit code. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/signals.h"

const Command *const cli_commands[] = {
    &cmd_upscale, &cmd_train,   &cmd_plot,      &cmd_calibrate, &cmd_pack,
    &cmd_eval,    &cmd_compare, &cmd_downscale, &cmd_models,    &cmd_info,
    &cmd_export,  &cmd_import,  &cmd_bench,     &cmd_doc,       NULL,
};

bool cli_is_hidden(const Command *command)
{
    return command->name[0] == '_';
}

const Command *cli_find_command(const char *name)
{
    for (const Command *const *c = cli_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

static void print_usage(FILE *out)
{
    fputs("usage: slbsr COMMAND [OPTION...] [ARGUMENT...]\n\n"
          "Makes pictures larger with low-bit neural networks.\n\ncommands:\n",
          out);
    for (const Command *const *c = cli_commands; *c; c++)
        if (!cli_is_hidden(*c)) fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
    fputs("\n'slbsr COMMAND --help' says all about a command, 'slbsr --version' the version.\n"
          "exit codes: 0 done, 1 some inputs failed, 2 usage, 3 input, 4 output, 5 model,\n"
          "            6 memory, 7 quality missed, 8 not built in, 9 training diverged,\n"
          "            128+n ended by signal n\n",
          out);
}

static SlbStatus unknown_command(const char *word, SlbError *err)
{
    for (const Command *const *c = cli_commands; *c; c++)
        if (!cli_is_hidden(*c) && cli_resembles(word, (*c)->name))
            return slb_fail(err, SLB_E_USAGE, "%s: unknown command; did you mean '%s'?", word,
                            (*c)->name);
    return slb_fail(err, SLB_E_USAGE, "%s: unknown command; 'slbsr --help' lists them", word);
}

/* A file that is opened must never become descriptor 0, 1 or 2, or messages would go into it. The
 * stand-ins cannot be written to, so output to a closed descriptor is still an error. */
static void reserve_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* True when the shell would take `word` as it stands. */
static bool is_plain(const char *word)
{
    return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-_./=,:+@%") == strlen(word);
}

/* argv as one would type it, words quoted where that is needed; UTF-8, as models and pages carry
 * it. NULL when memory is out. */
static char *command_line(int argc, char **argv)
{
    size_t bytes = sizeof "slbsr";
    for (int i = 1; i < argc; i++) bytes += strlen(argv[i]) * 4 + 3;
    char *line = malloc(bytes), *at = line;
    if (!line) return NULL;
    at += sprintf(at, "slbsr");
    for (int i = 1; i < argc; i++) {
        *at++ = ' ';
        if (is_plain(argv[i])) {
            at += sprintf(at, "%s", argv[i]);
            continue;
        }
        *at++ = '\'';
        for (const char *c = argv[i]; *c; c++) {
            if (*c == '\'')
                at += sprintf(at, "'\\''");
            else
                *at++ = *c;
        }
        *at++ = '\'';
    }
    *at = 0;
    char *copy = slb_utf8_copy(line);
    free(line);
    return copy;
}

static SlbStatus check_cpu(SlbError *err)
{
    SlbCpu cpu;
    if (slb_cpu_detect(&cpu)) return SLB_OK;
    return slb_cpu_refuse("SLBSR_CPU", getenv("SLBSR_CPU"), err);
}

static SlbStatus run_command(const Command *command, int argc, char **argv, SlbError *err)
{
    Invocation invocation = {0};
    char *line = command_line(argc, argv);
    void *settings = calloc(1, command->settings_bytes);
    SlbStatus s = line && settings ? SLB_OK : slb_fail_memory(err, "command line");
    if (s == SLB_OK) s = cli_parse(command, argc - 2, argv + 2, settings, &invocation, err);
    if (s == SLB_OK) {
        invocation.line = line;
        switch (invocation.request) {
        case REQUEST_RUN:
            s = check_cpu(err);
            if (s == SLB_OK) s = command->run(&invocation, err);
            break;
        case REQUEST_USAGE: cli_print_help(command, false, stdout); break;
        case REQUEST_HELP: cli_print_help(command, true, stdout); break;
        case REQUEST_VERSION: puts("slbsr " SLBSR_VERSION); break;
        }
    }
    free(settings);
    free(line);
    return s;
}

/* slbsr help [COMMAND], as others have it. */
static SlbStatus help(const char *word, SlbError *err)
{
    const Command *command = word ? cli_find_command(word) : NULL;
    if (word && !command) return unknown_command(word, err);
    if (command)
        cli_print_help(command, true, stdout);
    else
        print_usage(stdout);
    return SLB_OK;
}

static SlbStatus run(int argc, char **argv, SlbError *err)
{
    if (argc < 2) {
        print_usage(stderr);
        return slb_fail(err, SLB_E_USAGE, "a command is needed");
    }
    const char *word = argv[1];
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) return help(NULL, err);
    if (strcmp(word, "help") == 0) return help(argv[2], err);
    if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0) {
        puts("slbsr " SLBSR_VERSION);
        return SLB_OK;
    }
    const Command *command = cli_find_command(word);
    if (!command) return unknown_command(word, err);
    return run_command(command, argc, argv, err);
}

int main(int argc, char **argv)
{
    SlbError err = {0};
    reserve_standard_files();
    cli_signals_install();
    SlbStatus s = run(argc, argv, &err);
    /* What was printed may still wait in the buffer: a full disk shows only now. Lost results weigh
     * more than inputs that failed, which have been told one by one. */
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        bool first = s == SLB_OK || s == SLB_PARTIAL;
        SlbStatus lost =
            slb_fail(first ? &err : NULL, SLB_E_OUTPUT, "standard output: cannot be written: %s",
                     errno ? strerror(errno) : "an earlier write failed");
        if (first) s = lost;
    }
    if (s != SLB_OK && *err.message) fprintf(stderr, "slbsr: %s\n", err.message);
    return (int)s;
}
