#include "cli/completion.h"

#include <ctype.h>
#include <string.h>

#include "base/embed.h"
#include "cli/commands.h"
#include "infer/builtin.h"

/* What may stand in a place of the command line. */
typedef struct Offer {
    char words[2048]; /* a space before each */
    bool files, folders;
} Offer;

static void add_word(Offer *offer, const char *word, size_t bytes)
{
    size_t used = strlen(offer->words);
    snprintf(offer->words + used, sizeof offer->words - used, " %.*s", (int)bytes, word);
}

static void add_models(Offer *offer)
{
    size_t count;
    const SlbBuiltin *b = slb_builtins(&count);
    for (size_t i = 0; i < count; i++) add_word(offer, b[i].name, strlen(b[i].name));
}

static void add_nets(Offer *offer)
{
    for (const SlbEmbed *e = slb_embed; e->name; e++) {
        const char *dot = strrchr(e->name, '.');
        if (dot && strcmp(dot, ".net") == 0) add_word(offer, e->name, (size_t)(dot - e->name));
    }
}

static bool is(const char *word, size_t bytes, const char *name)
{
    return strlen(name) == bytes && memcmp(word, name, bytes) == 0;
}

/* One of the words with which usage lines and options call a value. Other words in capitals (N,
 * TIME) are nothing that could be offered. */
static void add(Offer *offer, const char *word, size_t bytes)
{
    static const char *const files[] = {"FILE", "INPUT", "OUTPUT", "OUT", "PACK"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (is(word, bytes, files[i])) offer->files = true;
    if (is(word, bytes, "DIR")) offer->folders = true;
    if (is(word, bytes, "MODEL")) add_models(offer);
    if (is(word, bytes, "NET")) add_nets(offer);
    if (bytes && !isupper((unsigned char)*word)) add_word(offer, word, bytes);
}

/* "[FILE|MODEL]", "INPUT OUTPUT", "2|3|4". */
static Offer offer_of(const char *text)
{
    static const char between[] = "|[]. ";
    Offer offer = {0};
    while (*(text += strspn(text, between))) {
        size_t n = strcspn(text, between);
        add(&offer, text, n);
        text += n;
    }
    if (offer.files) offer.folders = false; /* completing files offers folders too */
    return offer;
}

static Offer offer_of_option(const Option *option)
{
    return offer_of(option->choices ? option->choices : cli_option_value(option));
}

static const char *kind_of(const Offer *offer)
{
    return offer->files ? "files" : offer->folders ? "folders" : "";
}

static const char *words_of(const Offer *offer)
{
    return *offer->words ? offer->words + 1 : "";
}

/* Bytes of what an option's help begins with: to the first semicolon. */
static size_t short_help(const Option *option)
{
    return strcspn(option->help, ";");
}

/* Text inside single quotes, with `before` (a string) put ahead of the characters in `special`; a
 * single quote is what `quote` says. */
static void put_quoted(const char *text, size_t bytes, const char *special, const char *quote,
                       FILE *out)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\'') {
            fputs(quote, out);
        } else {
            if (strchr(special, text[i])) fputc('\\', out);
            fputc(text[i], out);
        }
    }
}

/* `help` is no command with options, but takes the names of those that are. */
static const char help_summary[] = "Say all about a command";

static void put_command_names(FILE *out)
{
    const char *between = "";
    for (const Command *const *c = cli_commands; *c; c++) {
        if (cli_is_hidden(*c)) continue;
        fprintf(out, "%s%s", between, (*c)->name);
        between = " ";
    }
}

/* ---- bash ---- */

typedef struct Place {
    const Command *command;
    FILE *out;
} Place;

static void bash_value(const Option *option, void *context)
{
    const Place *p = context;
    Offer offer = offer_of_option(option);
    if (option->kind == OPTION_FLAG) return;
    fprintf(p->out, "    %s:--%s", p->command->name, option->name);
    if (option->letter) fprintf(p->out, " | %s:-%c", p->command->name, option->letter);
    fprintf(p->out, ") _slbsr_offer '%s' '%s' ;;\n", words_of(&offer), kind_of(&offer));
}

static void bash_name(const Option *option, void *context)
{
    const Place *p = context;
    fprintf(p->out, " --%s", option->name);
    if (option->letter) fprintf(p->out, " -%c", option->letter);
}

static void bash_command(const Command *command, FILE *out)
{
    Place place = {command, out};
    Offer offer = offer_of(command->operands);
    cli_each_option(command, bash_value, &place);
    fprintf(out, "    %s:*)\n        if [[ $cur == -* ]]; then\n            _slbsr_offer '",
            command->name);
    cli_each_option(command, bash_name, &place);
    fprintf(out, "' ''\n        else\n            _slbsr_offer '%s' '%s'\n        fi ;;\n",
            words_of(&offer), kind_of(&offer));
}

void cli_print_bash(FILE *out)
{
    fputs("# bash completion for slbsr, made by 'slbsr _doc bash'\n"
          "\n"
          "# WORDS files|folders|'': offers those of the words that begin with $cur, and files.\n"
          "_slbsr_offer()\n"
          "{\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
          "    case $2 in\n"
          "    files)\n"
          "        if [[ $1 ]]; then\n"
          "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$cur\")\n"
          "            compopt -o filenames\n"
          "        else\n"
          "            compopt -o default # readline's own, which knows quotes and ~\n"
          "        fi ;;\n"
          "    folders) compopt -o dirnames ;;\n"
          "    esac\n"
          "}\n"
          "\n"
          "_slbsr()\n"
          "{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    COMPREPLY=()\n"
          "    # Readline takes --option=value for three words.\n"
          "    if [[ $cur == = ]]; then\n"
          "        cur=\n"
          "    elif [[ $prev == = ]]; then\n"
          "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    fi\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        _slbsr_offer '",
          out);
    put_command_names(out);
    fputs(" help --help --version' ''\n        return\n    fi\n"
          "    case ${COMP_WORDS[1]}:$prev in\n    help:help) _slbsr_offer '",
          out);
    put_command_names(out);
    fputs("' '' ;;\n", out);
    for (const Command *const *c = cli_commands; *c; c++)
        if (!cli_is_hidden(*c)) bash_command(*c, out);
    fputs("    esac\n}\n\ncomplete -F _slbsr slbsr\n", out);
}

/* ---- zsh ---- */

static void zsh_option(const Option *option, void *context)
{
    FILE *out = ((const Place *)context)->out;
    bool value = option->kind != OPTION_FLAG, many = option->kind == OPTION_TEXTS;
    Offer offer = offer_of_option(option);
    fputs("        ", out);
    if (many)
        fputs("'*'", out);
    else if (option->letter)
        fprintf(out, "'(-%c --%s)'", option->letter, option->name);
    if (option->letter)
        fprintf(out, "{-%c%s,--%s%s}", option->letter, value ? "+" : "", option->name,
                value ? "=" : "");
    else
        fprintf(out, "--%s%s", option->name, value ? "=" : "");
    fputs("'[", out);
    put_quoted(option->help, short_help(option), "[]\\", "'\\''", out);
    fputc(']', out);
    if (value)
        fprintf(out, ":%s: _slbsr_offer \"%s\" \"%s\"", cli_option_value(option), words_of(&offer),
                kind_of(&offer));
    fputs("' \\\n", out);
}

static void zsh_command(const Command *command, FILE *out)
{
    Place place = {command, out};
    Offer offer = offer_of(command->operands);
    fprintf(out, "    %s)\n      _arguments -s -S \\\n", command->name);
    cli_each_option(command, zsh_option, &place);
    if (*command->operands)
        fprintf(out, "        '*:argument: _slbsr_offer \"%s\" \"%s\"'", words_of(&offer),
                kind_of(&offer));
    fputs(" && ret=0 ;;\n", out);
}

void cli_print_zsh(FILE *out)
{
    fputs("#compdef slbsr\n"
          "# zsh completion for slbsr, made by 'slbsr _doc zsh'\n"
          "\n"
          "# WORDS files|folders|'': offers words and files.\n"
          "_slbsr_offer() {\n"
          "  local -a words expl\n"
          "  local kind=$argv[-1] ret=1\n"
          "  words=(${=argv[-2]})\n"
          "  (( $#words )) && _wanted values expl value compadd -a words && ret=0\n"
          "  [[ $kind == files ]] && _files && ret=0\n"
          "  [[ $kind == folders ]] && _files -/ && ret=0\n"
          "  return ret\n"
          "}\n"
          "\n"
          "_slbsr() {\n"
          "  local curcontext=$curcontext state line ret=1\n"
          "  typeset -A opt_args\n"
          "  _arguments -C '(- *)'{-h,--help}'[usage]' '(- *)'{-V,--version}'[print the version]' "
          "\\\n"
          "    '1:command:->command' '*::argument:->argument' && ret=0\n"
          "  case $state in\n"
          "  command)\n"
          "    local -a commands=(\n",
          out);
    for (const Command *const *c = cli_commands; *c; c++) {
        if (cli_is_hidden(*c)) continue;
        fprintf(out, "      '%s:", (*c)->name);
        put_quoted((*c)->summary, strlen((*c)->summary), ":\\", "'\\''", out);
        fputs("'\n", out);
    }
    fprintf(out,
            "      'help:%s'\n"
            "    )\n"
            "    _describe command commands && ret=0 ;;\n"
            "  argument)\n"
            "    case $line[1] in\n"
            "    help)\n      _arguments '1:command: _slbsr_offer \"",
            help_summary);
    put_command_names(out);
    fputs("\" \"\"' && ret=0 ;;\n", out);
    for (const Command *const *c = cli_commands; *c; c++)
        if (!cli_is_hidden(*c)) zsh_command(*c, out);
    fputs("    esac ;;\n  esac\n  return ret\n}\n\n_slbsr \"$@\"\n", out);
}

/* ---- fish ---- */

static void fish_option(const Option *option, void *context)
{
    const Place *p = context;
    Offer offer = offer_of_option(option);
    fprintf(p->out, "complete -c slbsr -n '__fish_seen_subcommand_from %s' -l %s", p->command->name,
            option->name);
    if (option->letter) fprintf(p->out, " -s %c", option->letter);
    if (option->kind != OPTION_FLAG) fputs(offer.files ? " -r -F" : " -x", p->out);
    if (offer.folders)
        fprintf(p->out, " -a '%s (__fish_complete_directories)'", words_of(&offer));
    else if (*offer.words)
        fprintf(p->out, " -a '%s'", words_of(&offer));
    fputs(" -d '", p->out);
    put_quoted(option->help, short_help(option), "\\", "\\'", p->out);
    fputs("'\n", p->out);
}

static void fish_command(const Command *command, FILE *out)
{
    Place place = {command, out};
    Offer offer = offer_of(command->operands);
    fprintf(out, "complete -c slbsr -f -n __fish_use_subcommand -a %s -d '", command->name);
    put_quoted(command->summary, strlen(command->summary), "\\", "\\'", out);
    fprintf(out, "'\ncomplete -c slbsr -n '__fish_seen_subcommand_from %s' %s", command->name,
            offer.files ? "-F" : "-f");
    if (offer.folders)
        fprintf(out, " -a '%s (__fish_complete_directories)'", words_of(&offer));
    else if (*offer.words)
        fprintf(out, " -a '%s'", words_of(&offer));
    fputc('\n', out);
    cli_each_option(command, fish_option, &place);
}

void cli_print_fish(FILE *out)
{
    fputs("# fish completion for slbsr, made by 'slbsr _doc fish'\n"
          "complete -c slbsr -n __fish_use_subcommand -f -s h -l help -d 'usage'\n"
          "complete -c slbsr -n __fish_use_subcommand -f -s V -l version -d 'print the version'\n",
          out);
    fprintf(out,
            "complete -c slbsr -f -n __fish_use_subcommand -a help -d '%s'\n"
            "complete -c slbsr -n '__fish_seen_subcommand_from help' -f -a '",
            help_summary);
    put_command_names(out);
    fputs("'\n", out);
    for (const Command *const *c = cli_commands; *c; c++)
        if (!cli_is_hidden(*c)) fish_command(*c, out);
}
