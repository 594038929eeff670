#include "cli/manual.h"

#include <ctype.h>
#include <string.h>

#include "cli/commands.h"

const Fact cli_exit_codes[] = {
    {"0", "done"},
    {"1", "some inputs failed, the rest is done"},
    {"2", "wrong arguments"},
    {"3", "an input is missing, damaged or not supported"},
    {"4", "an output cannot be written"},
    {"5", "a model or network file is damaged or does not fit"},
    {"6", "out of memory"},
    {"7", "a required quality was missed"},
    {"8", "this build lacks what was asked for"},
    {"9", "training diverged"},
    {"128+n", "ended by signal n"},
    {0},
};

const Fact cli_environment[] = {
    {"SLBSR_CPU",
     "c, sse2, avx2, vnni or amx on x86-64, c or neon on 64-bit Arm: use these kernels "
     "instead of the widest that the machine has; 'slbsr info' lists them"},
    {"NO_COLOR", "when set and not empty, no colour in the progress bar"},
    {"TMPDIR", "where a PNG that comes from a pipe is copied to; without it /tmp"},
    {0},
};

/* One character of text as roff has it; false when it stands for itself. */
static bool put_escaped(char c, FILE *out)
{
    static const struct {
        char c;
        const char *roff;
    } escapes[] = {
        {'-', "\\-"},   {'\\', "\\e"},  {'\'', "\\(aq"},
        {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"},
    };
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (escapes[i].c == c) return fputs(escapes[i].roff, out), true;
    return false;
}

static void put_text(const char *text, size_t bytes, FILE *out)
{
    if (bytes && text[0] == '.') fputs("\\&", out); /* a dot at the start of a line is a request */
    for (size_t i = 0; i < bytes; i++)
        if (!put_escaped(text[i], out)) fputc(text[i], out);
}

/* Running text up to a newline or the end, in lines of less than 80 columns; a sentence begins a
 * line. Returns what follows. */
static const char *put_paragraph(const char *text, FILE *out)
{
    enum { WIDTH = 72 };
    size_t at = 0;
    bool sentence_ended = false;
    while (*text && *text != '\n') {
        size_t n = strcspn(text, " \n");
        if (n && at && (sentence_ended || at + 1 + n > WIDTH)) at = 0, fputc('\n', out);
        if (n && at) at++, fputc(' ', out);
        put_text(text, n, out);
        at += n;
        if (n) sentence_ended = text[n - 1] == '.';
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
    return text + (*text == '\n');
}

static void put_title(const Command *command, FILE *out)
{
    const char *name = command ? command->name : "", *dash = command ? "-" : "";
    char summary[128];
    snprintf(summary, sizeof summary, "%s",
             command ? command->summary : "make pictures larger with low-bit neural networks");
    summary[0] = (char)tolower((unsigned char)summary[0]);
    fputs(".\\\" Made by 'slbsr _doc man' from the tables of options; changes belong there.\n",
          out);
    fprintf(out, ".TH SLBSR%s", dash);
    for (const char *c = name; *c; c++) fputc(toupper((unsigned char)*c), out);
    fputs(" 1 " SLBSR_DATE " \"slbsr " SLBSR_VERSION "\" \"slbsr manual\"\n", out);
    fprintf(out, ".SH NAME\nslbsr%s%s \\-\n", dash, name);
    put_paragraph(summary, out);
}

static void put_option(const Option *option, void *file)
{
    FILE *out = file;
    char help[512];
    cli_option_help(option, help, sizeof help);
    fputs(".TP\n", out);
    if (option->letter) fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-", out);
    put_text(option->name, strlen(option->name), out);
    fputs("\\fR", out);
    if (option->kind != OPTION_FLAG) {
        const char *value = cli_option_value(option);
        fputs(" \\fI", out);
        put_text(value, strlen(value), out);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_paragraph(help, out);
}

static void put_facts(const char *title, const Fact *facts, FILE *out)
{
    fprintf(out, ".SH %s\n", title);
    for (; facts->name; facts++) {
        fputs(".TP\n.B ", out);
        put_text(facts->name, strlen(facts->name), out);
        fputc('\n', out);
        put_paragraph(facts->meaning, out);
    }
}

static void put_examples(const char *lines, FILE *out)
{
    fputs(".SH EXAMPLES\n.EX\n", out);
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        put_text(lines, n, out);
        fputc('\n', out);
        lines += n + (lines[n] == '\n');
    }
    fputs(".EE\n", out);
}

static void put_command(const Command *command, FILE *out)
{
    fputs(".SH SYNOPSIS\n", out);
    fprintf(out, ".B slbsr %s\n[\\fIOPTION\\fR...]\\&\n", command->name);
    if (*command->operands) {
        fputs("\\fI", out);
        put_text(command->operands, strlen(command->operands), out);
        fputs("\\fR\n", out);
    }
    fputs(".SH DESCRIPTION\n", out);
    const char *notes = command->notes ? command->notes : command->summary;
    for (bool first = true; *notes; first = false) {
        if (!first) fputs(".PP\n", out);
        notes = put_paragraph(notes, out);
    }
    fputs(".SH OPTIONS\n", out);
    cli_each_option(command, put_option, out);
    fputs(".SH EXIT STATUS\n0 when all was done;\n.BR slbsr (1)\nlists the other codes.\n", out);
    put_examples(command->example, out);
    fputs(".SH SEE ALSO\n.BR slbsr (1)\n", out);
}

static void put_program(FILE *out)
{
    fputs(".SH SYNOPSIS\n.B slbsr\n\\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
          ".SH DESCRIPTION\n",
          out);
    put_paragraph("slbsr makes pictures larger, by any factor or to any size, with neural "
                  "networks that enlarge by 2, 3 or 4 and whose weights have 1, 2 or 4 bits, on "
                  "the processor. It also trains such networks and "
                  "measures them. The trained models are inside the program.\n",
                  out);
    fputs(".PP\n", out);
    put_paragraph("Results go to standard output, messages to standard error: one line that says "
                  "what is wrong, with which file, why, and what to do. '--' ends the options.\n",
                  out);
    fputs(".SH COMMANDS\nEach has a page of its own.\n", out);
    for (const Command *const *c = cli_commands; *c; c++) {
        if (cli_is_hidden(*c)) continue;
        fprintf(out, ".TP\n.BR slbsr\\-%s (1)\n", (*c)->name);
        put_paragraph((*c)->summary, out);
    }
    put_facts("EXIT STATUS", cli_exit_codes, out);
    put_facts("ENVIRONMENT", cli_environment, out);
    put_examples("slbsr upscale photo.jpg large.png\nslbsr models\nslbsr upscale --help", out);
    fputs(".SH SEE ALSO\n", out);
    for (const Command *const *c = cli_commands; *c; c++)
        if (!cli_is_hidden(*c))
            fprintf(out, ".BR slbsr\\-%s (1)%s\n", (*c)->name,
                    c[1] && !cli_is_hidden(c[1]) ? "," : "");
}

void cli_print_manual(const Command *command, FILE *out)
{
    put_title(command, out);
    if (command)
        put_command(command, out);
    else
        put_program(out);
}
