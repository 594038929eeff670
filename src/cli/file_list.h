/* Which files a command works on: operands, folders, lists; and what their results are called. */
#ifndef SLBSR_CLI_FILE_LIST_H
#define SLBSR_CLI_FILE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"
#include "img/codec.h"

typedef struct FileEntry {
    char *input;    /* path; "-": standard input */
    char *relative; /* below the folder that was searched; else the name without folders */
    char *output;   /* path; "-": standard output; NULL until cli_name_outputs */
    int unread;     /* not 0: `input` is a folder that could not be searched; the errno that
                       says why */
    FILE *opened;   /* NULL, or `input`, opened for a look at its first bytes */
    unsigned char head[SLB_HEAD_BYTES]; /* them */
    size_t head_bytes;
} FileEntry;

typedef struct FileList {
    FileEntry *item;
    size_t count;
    size_t passed_over; /* pictures and films in searched folders that are of other formats */
    uint32_t passed_over_kinds;
} FileList;

typedef struct FileSources {
    char *const *operands;
    int operand_count;
    bool recursive;       /* search folders among them, and those below, for pictures */
    const char *list;     /* a file with a name a line; "-": standard input; NULL: none */
    bool null_separated;  /* zero bytes end the names in it, not newlines */
    const char *left_out; /* a folder that the search does not enter; NULL: none */
} FileSources;

/* Lists the operands first, then the list. A searched folder gives its files with extensions of
 * formats that are read, in byte order; names that begin with a dot are passed over, links to
 * folders not followed; a folder that cannot be searched is an entry itself, for its turn to be
 * told. SLB_E_INPUT for a list that cannot be read, and when there is no file at all. The caller
 * frees *list (cli_free_files), on failure too. */
SLB_MUST_CHECK SlbStatus cli_list_files(const FileSources *sources, FileList *list, SlbError *err);
void cli_free_files(FileList *list);

/* "2 files passed over, not PNG, JPEG or PNM: *.tif *.webp". */
void cli_describe_passed_over(const FileList *list, char text[SLB_NOTE_BYTES]);

/* What stands for what in a name. */
typedef struct NameRule {
    const char *folder;   /* outputs go there, in the folders of FileEntry.relative */
    const char *template; /* "{name}-{scale}x.{ext}" */
    const char *format; /* {ext}; NULL: the input's extension where it can be written, else png; of
                           standard input that of its format */
    const char *scale;  /* {scale} */
    const char *model;  /* {model}, without its folders and extension */
    bool skip_existing; /* outputs that exist are not written */
} NameRule;

/* SLB_E_USAGE for a field that does not exist, a brace that is not closed, a '/', and a template
 * that is empty, "." or "..". */
SLB_MUST_CHECK SlbStatus cli_check_template(const char *template, SlbError *err);

/* Fills the outputs. SLB_E_USAGE, naming two inputs, when both would become the same file or one
 * would replace the other, however the paths to it are written. */
SLB_MUST_CHECK SlbStatus cli_name_outputs(FileList *list, const NameRule *rule, SlbError *err);

/* Makes the folders that `path` lies in, where they are missing. SLB_E_OUTPUT. */
SLB_MUST_CHECK SlbStatus cli_make_folders(const char *path, SlbError *err);

/* Whether cli_make_folders would go well, as far as can be told without making one. *missing: there
 * are folders to be made. */
SLB_MUST_CHECK SlbStatus cli_check_folders(const char *path, bool *missing, SlbError *err);

#endif
