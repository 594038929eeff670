#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every command has these: they stop the parsing and make a Request (see request_of). */
static const Option common_options[] = {
    {.letter = 'h', .name = "help", .help = "-h: usage and options; --help: all of this"},
    {.letter = 'V', .name = "version", .help = "print the version"},
    {0},
};

/* Optimal string alignment distance of two words of fewer than 32 letters. */
static int edits(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b), d[32][32];
    if (n > 31 || m > 31) return INT_MAX;
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

bool cli_resembles(const char *word, const char *name)
{
    size_t n = strlen(word);
    if (n >= 2 && strncmp(word, name, n) == 0) return true;
    int distance = edits(word, name);
    return distance <= 2 && distance * 2 < (int)n;
}

/* Calls `see` with every row of the command's table and of the common one until it returns true. */
static const Option *find_option(const Command *command,
                                 bool (*see)(const Option *option, const char *word),
                                 const char *word)
{
    for (const Option *o = command->options; o->name; o++)
        if (see(o, word)) return o;
    for (const Option *o = common_options; o->name; o++)
        if (see(o, word)) return o;
    return NULL;
}

static bool is_named(const Option *option, const char *word)
{
    return strcmp(option->name, word) == 0;
}

static bool has_letter(const Option *option, const char *word)
{
    return option->letter == word[0];
}

static bool is_begun(const Option *option, const char *word)
{
    size_t n = strlen(word);
    return n >= 2 && strncmp(word, option->name, n) == 0;
}

static bool is_resembled(const Option *option, const char *word)
{
    return cli_resembles(word, option->name);
}

static bool is_common(const Option *option)
{
    return option == &common_options[0] || option == &common_options[1];
}

/* "-s" or "--scale": the option as messages call it. */
static const char *shown_name(const Option *option, char buffer[40])
{
    snprintf(buffer, 40, "--%s", option->name);
    return buffer;
}

/* The index of `text` in "a|b|c", -1 when it is not there. */
static int choice_index(const char *choices, const char *text, size_t length)
{
    int index = 0;
    for (const char *c = choices; *c; index++) {
        size_t n = strcspn(c, "|");
        if (n == length && memcmp(c, text, n) == 0) return index;
        c += n + (c[n] == '|');
    }
    return -1;
}

static SlbStatus not_a_choice(const Option *option, const char *text, SlbError *err)
{
    char name[40], list[128];
    size_t used = 0;
    for (const char *c = option->choices; *c && used + 2 < sizeof list; c++) {
        list[used++] = *c == '|' ? ',' : *c;
        if (*c == '|') list[used++] = ' ';
    }
    list[used] = 0;
    return slb_fail(err, SLB_E_USAGE, "%s: '%s' is not one of %s", shown_name(option, name), text,
                    list);
}

static SlbStatus out_of_range(const Option *option, const char *text, const char *what,
                              SlbError *err)
{
    char name[40];
    shown_name(option, name);
    if (option->min == 0 && option->max == 0)
        return slb_fail(err, SLB_E_USAGE, "%s: '%s' is not %s", name, text, what);
    return slb_fail(err, SLB_E_USAGE, "%s: '%s' is not %s from %.12g to %.12g", name, text, what,
                    option->min, option->max);
}

static SlbStatus parse_int(const Option *option, const char *text, int *value, SlbError *err)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    bool plain = isdigit((unsigned char)text[0]) || text[0] == '-' || text[0] == '+';
    if (!plain || end == text || *end || errno || v < INT_MIN || v > INT_MAX) {
        if (option->choices) return not_a_choice(option, text, err);
        return out_of_range(option, text, "a whole number", err);
    }
    if (option->choices) {
        char digits[16];
        int n = snprintf(digits, sizeof digits, "%ld", v);
        if (choice_index(option->choices, digits, (size_t)n) < 0)
            return not_a_choice(option, text, err);
    } else if ((option->min != 0 || option->max != 0) && (v < option->min || v > option->max)) {
        return out_of_range(option, text, "a whole number", err);
    }
    *value = (int)v;
    return SLB_OK;
}

static SlbStatus parse_real(const Option *option, const char *text, double *value, SlbError *err)
{
    char *end;
    double v = strtod(text, &end);
    bool ok = end != text && !*end && isfinite(v) && !isspace((unsigned char)text[0]);
    if (ok && (option->min != 0 || option->max != 0)) ok = v >= option->min && v <= option->max;
    if (!ok) return out_of_range(option, text, "a number", err);
    *value = v;
    return SLB_OK;
}

static SlbStatus parse_ints(const Option *option, const char *text, IntList *list, SlbError *err)
{
    char name[40];
    list->count = 0;
    for (const char *t = text;;) {
        char word[16];
        size_t n = strcspn(t, ",");
        snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : (int)sizeof word, t);
        if (n >= sizeof word) word[0] = '?'; /* no number is that long: an error below */
        int value;
        SlbStatus s = parse_int(option, word, &value, err);
        if (s != SLB_OK) return s;
        for (int i = 0; i < list->count; i++)
            if (list->item[i] == value)
                return slb_fail(err, SLB_E_USAGE, "%s: '%s' names %d twice",
                                shown_name(option, name), text, value);
        if (list->count == MAX_LIST)
            return slb_fail(err, SLB_E_USAGE, "%s: more than %d values", shown_name(option, name),
                            MAX_LIST);
        list->item[list->count++] = value;
        if (!t[n]) return SLB_OK;
        t += n + 1;
    }
}

static SlbStatus add_text(const Option *option, const char *text, TextList *list, SlbError *err)
{
    char name[40];
    if (list->count == MAX_LIST)
        return slb_fail(err, SLB_E_USAGE, "%s: given more than %d times", shown_name(option, name),
                        MAX_LIST);
    list->item[list->count++] = text;
    return SLB_OK;
}

/* Stores `text` (NULL for a flag) in the option's field. */
static SlbStatus store(const Option *option, const char *text, void *settings, SlbError *err)
{
    void *field = (char *)settings + option->offset;
    char name[40];
    if (text && !*text)
        return slb_fail(err, SLB_E_USAGE, "%s: the value is empty", shown_name(option, name));
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)field = true; return SLB_OK;
    case OPTION_INT: return parse_int(option, text, field, err);
    case OPTION_REAL: return parse_real(option, text, field, err);
    case OPTION_TEXT: *(const char **)field = text; return SLB_OK;
    case OPTION_CHOICE: {
        int index = choice_index(option->choices, text, strlen(text));
        if (index < 0) return not_a_choice(option, text, err);
        *(int *)field = index;
        return SLB_OK;
    }
    case OPTION_INTS: return parse_ints(option, text, field, err);
    case OPTION_TEXTS: return add_text(option, text, field, err);
    }
    return SLB_OK;
}

static SlbStatus unknown_option(const Command *command, const char *word, SlbError *err)
{
    const char *name = word + strspn(word, "-");
    char bare[64];
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(name, "="), name);
    bool is_long = word[1] == '-';
    const Option *near = is_long ? find_option(command, is_begun, bare) : NULL;
    if (is_long && !near) near = find_option(command, is_resembled, bare);
    if (near)
        return slb_fail(err, SLB_E_USAGE, "%s: unknown option; did you mean --%s?", word,
                        near->name);
    return slb_fail(err, SLB_E_USAGE, "%s: unknown option; 'slbsr %s --help' lists them", word,
                    command->name);
}

/* The words of a command line while they are taken apart. */
typedef struct Words {
    char **argv;
    int argc, at;
    unsigned char *given; /* bool per row of the command's table */
} Words;

/* Stores an option whose value may stand in `inline_value` or in the next word. */
static SlbStatus take_option(const Command *command, const Option *option, const char *inline_value,
                             Words *words, void *settings, SlbError *err)
{
    char name[40];
    const char *text = inline_value;
    if (option->kind == OPTION_FLAG) {
        if (text) return slb_fail(err, SLB_E_USAGE, "%s: takes no value", shown_name(option, name));
    } else if (!text) {
        if (words->at + 1 >= words->argc)
            return slb_fail(err, SLB_E_USAGE, "%s: needs a value", shown_name(option, name));
        text = words->argv[++words->at];
    }
    words->given[option - command->options] = 1;
    return store(option, text, settings, err);
}

static Request request_of(const Option *option, bool is_long)
{
    if (option->letter == 'V') return REQUEST_VERSION;
    return is_long ? REQUEST_HELP : REQUEST_USAGE;
}

static SlbStatus take_long(const Command *command, Words *words, void *settings, Request *request,
                           SlbError *err)
{
    char *word = words->argv[words->at];
    char name[40];
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word + 2);
    if (length >= sizeof name) return unknown_option(command, word, err);
    memcpy(name, word + 2, length);
    name[length] = 0;
    const Option *option = find_option(command, is_named, name);
    if (!option) return unknown_option(command, word, err);
    if (is_common(option)) {
        *request = request_of(option, true);
        return SLB_OK;
    }
    return take_option(command, option, equals ? equals + 1 : NULL, words, settings, err);
}

/* "-y", "-q90", "-q 90", "-yq90". */
static SlbStatus take_short(const Command *command, Words *words, void *settings, Request *request,
                            SlbError *err)
{
    const char *word = words->argv[words->at];
    for (const char *c = word + 1; *c && *request == REQUEST_RUN; c++) {
        const Option *option = find_option(command, has_letter, c);
        if (!option) {
            char shown[3] = {'-', *c, 0};
            return unknown_option(command, shown, err);
        }
        if (is_common(option)) {
            *request = request_of(option, false);
            continue;
        }
        bool takes_rest = option->kind != OPTION_FLAG && c[1];
        SlbStatus s = take_option(command, option, takes_rest ? c + 1 : NULL, words, settings, err);
        if (s != SLB_OK || option->kind != OPTION_FLAG) return s;
    }
    return SLB_OK;
}

static SlbStatus check_operands(const Invocation *invocation, SlbError *err)
{
    const Command *command = invocation->command;
    int n = invocation->operand_count;
    for (int i = 0; i < n && !command->standard_io; i++)
        if (strcmp(invocation->operands[i], "-") == 0)
            return slb_fail(err, SLB_E_USAGE,
                            "-: %s reads and writes no standard input and output; give file names",
                            command->name);
    if (n > command->max_operands)
        return slb_fail(err, SLB_E_USAGE,
                        "%s: one argument too many; usage: slbsr %s [OPTION...]%s%s",
                        invocation->operands[command->max_operands], command->name,
                        *command->operands ? " " : "", command->operands);
    if (n < command->min_operands)
        return slb_fail(err, SLB_E_USAGE, "%s: %d argument%s needed, %d given; usage: slbsr %s %s",
                        command->name, command->min_operands,
                        command->min_operands == 1 ? " is" : "s are", n, command->name,
                        command->operands);
    return SLB_OK;
}

/* Defaults for the options that were not given; complains about the required ones. */
static SlbStatus fill_defaults(const Command *command, const Words *words, void *settings,
                               SlbError *err)
{
    char name[40];
    for (const Option *o = command->options; o->name; o++) {
        if (words->given[o - command->options]) continue;
        if (o->required)
            return slb_fail(err, SLB_E_USAGE, "%s: %s is needed; 'slbsr %s --help' says more",
                            command->name, shown_name(o, name), command->name);
        if (!o->fallback) continue;
        SlbStatus s = store(o, o->fallback, settings, err);
        if (s != SLB_OK) return s;
    }
    return SLB_OK;
}

SlbStatus cli_parse(const Command *command, int argc, char **argv, void *settings,
                    Invocation *invocation, SlbError *err)
{
    Words words = {.argv = argv, .argc = argc, .given = invocation->given};
    bool options = true;
    invocation->command = command;
    invocation->settings = settings;
    invocation->operands = argv;
    invocation->operand_count = 0;
    invocation->request = REQUEST_RUN;
    memset(invocation->given, 0, sizeof invocation->given);
    for (; words.at < argc; words.at++) {
        char *word = argv[words.at];
        SlbStatus s = SLB_OK;
        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && word[0] == '-' && word[1] == '-')
            s = take_long(command, &words, settings, &invocation->request, err);
        else if (options && word[0] == '-' && word[1])
            s = take_short(command, &words, settings, &invocation->request, err);
        else
            argv[invocation->operand_count++] = word; /* never ahead of words.at */
        if (s != SLB_OK || invocation->request != REQUEST_RUN) return s;
    }
    SlbStatus s = check_operands(invocation, err);
    return s == SLB_OK ? fill_defaults(command, &words, settings, err) : s;
}

bool cli_given(const Invocation *invocation, const char *name)
{
    const Option *first = invocation->command->options, *o = first;
    while (o->name && strcmp(o->name, name) != 0) o++;
    return o->name && invocation->given[o - first];
}

enum { HELP_WIDTH = 80, HELP_COLUMN = 27 };

/* Prints `text` in lines that begin at `column` and end before HELP_WIDTH; `at` is where the cursor
 * stands. */
static void print_wrapped(FILE *out, const char *text, int at, int column)
{
    for (const char *word = text + strspn(text, " "); *word; word += strspn(word, " ")) {
        int n = (int)strcspn(word, " ");
        if (at > column && at + 1 + n > HELP_WIDTH) {
            fputc('\n', out);
            at = 0;
        }
        int gap = at < column ? column - at : at > column ? 1 : 0;
        fprintf(out, "%*s%.*s", gap, "", n, word);
        at += gap + n;
        word += n;
    }
    fputc('\n', out);
}

const char *cli_option_value(const Option *option)
{
    if (option->kind == OPTION_FLAG) return "";
    return option->value ? option->value : option->choices ? option->choices : "";
}

void cli_option_help(const Option *option, char *text, size_t room)
{
    char range[64] = "", fallback[128] = "";
    if (option->min != 0 || option->max != 0)
        snprintf(range, sizeof range, " (%.12g to %.12g)", option->min, option->max);
    if (option->required)
        snprintf(fallback, sizeof fallback, " [required]");
    else if (option->fallback)
        snprintf(fallback, sizeof fallback, " [default: %s]", option->fallback);
    snprintf(text, room, "%s%s%s", option->help, range, fallback);
}

void cli_each_option(const Command *command, void (*see)(const Option *option, void *context),
                     void *context)
{
    for (const Option *o = command->options; o->name; o++) see(o, context);
    for (const Option *o = common_options; o->name; o++) see(o, context);
}

static void print_option(const Option *option, void *file)
{
    FILE *out = file;
    char left[80], right[512];
    const char *value = cli_option_value(option);
    int at = snprintf(left, sizeof left, "  %c%c%c --%s%s%s", option->letter ? '-' : ' ',
                      option->letter ? option->letter : ' ', option->letter ? ',' : ' ',
                      option->name, *value ? " " : "", value);
    cli_option_help(option, right, sizeof right);
    fputs(left, out);
    if (at >= HELP_COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    print_wrapped(out, right, at, HELP_COLUMN);
}

/* `text` has one paragraph a line. */
static void print_paragraphs(const char *text, FILE *out)
{
    while (*text) {
        char line[1024];
        size_t n = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        fputc('\n', out);
        print_wrapped(out, line, 0, 0);
        text += n + (text[n] == '\n');
    }
}

void cli_print_help(const Command *command, bool all, FILE *out)
{
    fprintf(out, "usage: slbsr %s [OPTION...]%s%s\n", command->name, *command->operands ? " " : "",
            command->operands);
    if (all) {
        fprintf(out, "\n%s.\n", command->summary);
        if (command->notes) print_paragraphs(command->notes, out);
    }
    fputs("\noptions:\n", out);
    cli_each_option(command, print_option, out);
    if (!all) return;
    fputs("\nexamples:\n", out);
    for (const char *e = command->example; *e;) {
        int n = (int)strcspn(e, "\n");
        fprintf(out, "  %.*s\n", n, e);
        e += n + (e[n] == '\n');
    }
}
