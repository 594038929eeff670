/* Options as tables: parsing, --help, defaults and range errors all come from the rows. To add an
 * option: a field in the command's settings and a row in its table. */
#ifndef SLBSR_CLI_OPTIONS_H
#define SLBSR_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

/* The type of the field at Option.offset. */
typedef enum OptionKind {
    OPTION_FLAG,   /* bool; takes no value */
    OPTION_INT,    /* int; min..max, or one of `choices` */
    OPTION_REAL,   /* double; min..max */
    OPTION_TEXT,   /* const char *, into argv or the table; never empty */
    OPTION_CHOICE, /* int: index into `choices`, so an enum of the same order */
    OPTION_INTS,   /* IntList: "2,3,4", each as for OPTION_INT, none twice */
    OPTION_TEXTS,  /* TextList: the option may be repeated */
} OptionKind;

enum { MAX_LIST = 64 };

typedef struct IntList {
    int item[MAX_LIST];
    int count;
} IntList;

typedef struct TextList {
    const char *item[MAX_LIST];
    int count;
} TextList;

typedef struct Option {
    char letter;      /* of the short form, 0: none */
    const char *name; /* of the long form, without "--"; NULL ends a table */
    OptionKind kind;
    size_t offset;        /* of the field in the command's settings */
    const char *value;    /* what help calls the value; NULL: `choices` */
    const char *choices;  /* "mirror|replicate"; NULL: anything in range */
    double min, max;      /* inclusive; both 0: no limits but the type's */
    const char *fallback; /* the default as it would be typed; NULL: the field stays zero */
    bool required;
    const char *help; /* without the default and the range, which are added */
} Option;

typedef struct Invocation Invocation;

/* One command of the program; main.c has the table of them. */
typedef struct Command {
    const char *name;
    const char *operands; /* as the usage line shows them: "INPUT OUTPUT" */
    int min_operands, max_operands;
    bool standard_io;    /* "-" among the operands is standard input or output */
    const char *summary; /* one line, for the list of commands */
    const char *notes;   /* paragraphs for --help; NULL: none */
    const char *example; /* lines for --help */
    const Option *options;
    size_t settings_bytes; /* of the struct that `options` points into */
    SlbStatus (*run)(const Invocation *invocation, SlbError *err);
} Command;

typedef enum Request { REQUEST_RUN, REQUEST_USAGE, REQUEST_HELP, REQUEST_VERSION } Request;

/* A command line, taken apart. */
struct Invocation {
    const Command *command;
    const void *settings; /* command->settings_bytes of them */
    char **operands;
    int operand_count;
    const char *line; /* the whole command line as one would type it, for records */
    Request request;
    unsigned char given[MAX_LIST]; /* bool per row of the command's table; see cli_given */
};

/* Whether the option of this long name stands on the command line, be it with its default. */
bool cli_given(const Invocation *invocation, const char *name);

/* Takes argv (the words behind the command's name) apart: options into *settings (zeroed by the
 * caller), the rest into invocation->operands, which point into argv, reordered. Stops early at -h,
 * --help, -V and --version, with invocation->request saying which. SLB_E_USAGE with a line that
 * says what to do. */
SLB_MUST_CHECK SlbStatus cli_parse(const Command *command, int argc, char **argv, void *settings,
                                   Invocation *invocation, SlbError *err);

/* What -h prints (usage and options) and, with `all`, what --help prints (notes and examples too).
 */
void cli_print_help(const Command *command, bool all, FILE *out);

/* What help says of an option: its text with range and default. Cut at `room`. */
void cli_option_help(const Option *option, char *text, size_t room);

/* What help calls the value of an option: "N", "DIR|PACK", "mirror|replicate"; "" when it takes
 * none. Capitals: a kind of thing; anything else: the word itself. */
const char *cli_option_value(const Option *option);

/* Calls `see` for the options of a command and then for those that all have. */
void cli_each_option(const Command *command, void (*see)(const Option *option, void *context),
                     void *context);

/* True when `word` is close enough to `name` to be a slip of the finger: at most two edits (insert,
 * delete, change, swap) and fewer than half of its letters, or a beginning of `name`. */
bool cli_resembles(const char *word, const char *name);

#endif
