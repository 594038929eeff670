#include "cli/file_list.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/picture.h"
#include "img/codec.h"

enum { LIST_LIMIT = 256 << 20 }; /* bytes of a list of names */

/* Takes over `input`, which may be NULL: memory was out. */
static SlbStatus append(FileList *list, char *input, const char *relative, SlbError *err)
{
    if ((list->count & (list->count - 1)) == 0) { /* grow at powers of two */
        size_t room = list->count ? list->count * 2 : 1;
        FileEntry *larger = input ? realloc(list->item, room * sizeof *larger) : NULL;
        if (!larger) {
            free(input);
            return slb_fail_memory(err, "the list of files");
        }
        list->item = larger;
    }
    FileEntry *entry = &list->item[list->count];
    *entry = (FileEntry){.input = input, .relative = input ? strdup(relative) : NULL};
    list->count += input != NULL;
    return entry->relative ? SLB_OK : slb_fail_memory(err, "the list of files");
}

static SlbStatus append_unread(FileList *list, const char *folder, const char *relative, int why,
                               SlbError *err)
{
    SlbStatus s = append(list, strdup(folder), relative, err);
    if (s == SLB_OK) list->item[list->count - 1].unread = why;
    return s;
}

static char *joined(const char *folder, const char *name)
{
    size_t length = strlen(folder), bytes = length + strlen(name) + 2;
    char *path = malloc(bytes);
    const char *separator = length && folder[length - 1] != '/' ? "/" : "";
    if (path) snprintf(path, bytes, "%s%s%s", folder, separator, name);
    return path;
}

/* ---- Searching folders ---- */

/* Pictures and films that people have and this program does not read. */
static const char *const other_extensions[] = {
    "tif", "tiff", "webp", "heic", "heif", "avif", "jxl", "jp2", "gif", "bmp", "tga", "psd", "xcf",
    "dng", "cr2",  "cr3",  "nef",  "arw",  "orf",  "rw2", "raf", "y4m", "mp4", "mov", "mkv", "avi"};
enum { OTHERS = sizeof other_extensions / sizeof *other_extensions };
_Static_assert(OTHERS <= 32, "FileList.passed_over_kinds has a bit for each");

typedef struct Search {
    FileList *list;
    struct stat left_out; /* st_ino 0: none */
} Search;

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static SlbStatus search_folder(const Search *search, const char *folder, const char *relative,
                               SlbError *err);

static void pass_over(FileList *list, const char *path)
{
    for (int i = 0; i < OTHERS; i++)
        if (slb_has_extension(path, other_extensions[i]) && slb_may_be_file(path)) {
            list->passed_over++;
            list->passed_over_kinds |= 1U << i;
        }
}

void cli_describe_passed_over(const FileList *list, char text[SLB_NOTE_BYTES])
{
    int used = snprintf(text, SLB_NOTE_BYTES,
                        "%zu file%s passed over, not PNG, JPEG or PNM:", list->passed_over,
                        list->passed_over == 1 ? "" : "s");
    for (int i = 0; i < OTHERS; i++)
        if (list->passed_over_kinds >> i & 1)
            used +=
                snprintf(text + used, SLB_NOTE_BYTES - (size_t)used, " *.%s", other_extensions[i]);
}

/* One name in a folder; takes over `path` and `relative`. */
static SlbStatus search_name(const Search *search, char *path, char *relative, SlbError *err)
{
    struct stat st;
    SlbStatus s = SLB_OK;
    if (!path || !relative) {
        s = slb_fail_memory(err, "the list of files");
    } else if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (st.st_ino != search->left_out.st_ino || st.st_dev != search->left_out.st_dev)
            s = search_folder(search, path, relative, err);
    } else if (slb_has_extension(path, slb_read_extensions) && slb_may_be_file(path)) {
        s = append(search->list, path, relative, err);
        path = NULL;
    } else {
        pass_over(search->list, path);
    }
    free(path);
    free(relative);
    return s;
}

static SlbStatus search_folder(const Search *search, const char *folder, const char *relative,
                               SlbError *err)
{
    struct dirent **names;
    int count = scandir(folder, &names, visible, by_bytes);
    int why = count < 0 ? errno : 0;
    if (why == ENOMEM) return slb_fail_memory(err, folder);
    if (why) return append_unread(search->list, folder, relative, why, err);
    SlbStatus s = SLB_OK;
    for (int i = 0; i < count; i++) {
        if (s == SLB_OK)
            s = search_name(search, joined(folder, names[i]->d_name),
                            joined(relative, names[i]->d_name), err);
        free(names[i]);
    }
    free(names);
    return s;
}

/* ---- Operands and lists ---- */

static SlbStatus add_named(const FileSources *sources, const Search *search, const char *name,
                           SlbError *err)
{
    if (sources->recursive && slb_is_folder(name)) return search_folder(search, name, "", err);
    const char *relative = strcmp(name, "-") == 0 ? "stdin" : cli_base_name(name);
    return append(search->list, strdup(name), relative, err);
}

static SlbStatus add_list(const FileSources *sources, const Search *search, SlbError *err)
{
    bool standard = strcmp(sources->list, "-") == 0;
    unsigned char *data;
    size_t bytes;
    SlbStatus s = standard
                      ? slb_read_stdin(LIST_LIMIT, SLB_E_INPUT, &data, &bytes, err)
                      : slb_read_file(sources->list, LIST_LIMIT, SLB_E_INPUT, &data, &bytes, err);
    if (s != SLB_OK) return s;
    char *at = (char *)data, *end = at + bytes;
    if (!sources->null_separated) at += slb_mark_bytes(at, bytes);
    while (s == SLB_OK && at < end) {
        char *stop = memchr(at, sources->null_separated ? 0 : '\n', (size_t)(end - at));
        if (!stop) stop = end; /* a zero byte stands there */
        *stop = 0;
        if (!sources->null_separated && stop > at && stop[-1] == '\r') stop[-1] = 0;
        if (*at) s = add_named(sources, search, strcmp(at, "-") == 0 ? "./-" : at, err);
        at = stop + 1;
    }
    slb_free(data);
    return s;
}

SlbStatus cli_list_files(const FileSources *sources, FileList *list, SlbError *err)
{
    Search search = {.list = list};
    SlbStatus s = SLB_OK;
    *list = (FileList){0};
    if (sources->left_out && stat(sources->left_out, &search.left_out) != 0)
        search.left_out.st_ino = 0;
    for (int i = 0; s == SLB_OK && i < sources->operand_count; i++)
        s = add_named(sources, &search, sources->operands[i], err);
    if (s == SLB_OK && sources->list) s = add_list(sources, &search, err);
    if (s == SLB_OK && !list->count)
        s = slb_fail(err, SLB_E_INPUT, "%s: no pictures there; looked for files named *.%s",
                     sources->operand_count ? sources->operands[0] : sources->list,
                     slb_read_extensions);
    return s;
}

void cli_free_files(FileList *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->item[i].input);
        free(list->item[i].relative);
        free(list->item[i].output);
        if (list->item[i].opened) fclose(list->item[i].opened);
    }
    free(list->item);
    *list = (FileList){0};
}

/* ---- Names of outputs ---- */

static const char *const fields[] = {"name", "inext", "ext", "scale", "model"};
enum { FIELDS = sizeof fields / sizeof *fields };

/* A part of text that is not ended by a zero byte. */
typedef struct Part {
    const char *text;
    size_t length;
} Part;

/* The field that `at` ("{name}...") begins with; FIELDS: none. */
static int field_at(const char *at, size_t *length)
{
    for (int f = 0; f < FIELDS; f++) {
        size_t n = strlen(fields[f]);
        if (strncmp(at + 1, fields[f], n) == 0 && at[n + 1] == '}') return *length = n + 2, f;
    }
    *length = 1;
    return FIELDS;
}

SlbStatus cli_check_template(const char *template, SlbError *err)
{
    size_t length;
    if (strchr(template, '/'))
        return slb_fail(err, SLB_E_USAGE,
                        "--name: '%s' has a '/'; it names files, -O says in which folder",
                        template);
    if (!*template || strcmp(template, ".") == 0 || strcmp(template, "..") == 0)
        return slb_fail(err, SLB_E_USAGE, "--name: '%s' names no file; e.g. {name}-{scale}x.{ext}",
                        template);
    for (const char *c = template; *c; c++)
        if (*c == '}' || (*c == '{' && field_at(c, &length) == FIELDS))
            return slb_fail(err, SLB_E_USAGE,
                            "--name: '%s' is not understood from '%s' on; there are {name}, "
                            "{inext}, {ext}, {scale} and {model}",
                            template, c);
        else if (*c == '{')
            c += length - 1;
    return SLB_OK;
}

/* The name in `path` without its folders and, if `cut`, its extension. */
static Part stem(const char *path, bool cut)
{
    const char *name = cli_base_name(path), *dot = strrchr(name, '.');
    return (Part){name, cut && dot && dot != name ? (size_t)(dot - name) : strlen(name)};
}

static bool can_be_written(const char *path)
{
    SlbImageInfo any = {1, 1, 1, 8};
    return slb_has_extension(path, "y4m") || slb_format_fits(path, NULL, &any);
}

/* Appends to a text that may be NULL just to count. */
static size_t put(char *text, size_t used, Part part)
{
    if (text) memcpy(text + used, part.text, part.length);
    return used + part.length;
}

/* Writes what the template makes of the fields; returns its length. */
static size_t expand(const char *template, const Part value[FIELDS], char *text)
{
    size_t used = 0, length;
    for (const char *c = template; *c;) {
        if (*c == '{') {
            used = put(text, used, value[field_at(c, &length)]);
            c += length;
        } else {
            used = put(text, used, (Part){c++, 1});
        }
    }
    if (text) text[used] = 0;
    return used;
}

/* What standard input has no name to tell. It is left opened, as a pipe gives nothing twice; an
 * error comes up again when it is its turn to be read. */
static const char *sniffed_extension(FileEntry *e)
{
    SlbError later;
    if (slb_open_head(e->input, &e->opened, e->head, &e->head_bytes, &later) != SLB_OK) {
        e->opened = NULL;
        return "png";
    }
    const char *extension = slb_head_extension(e->head, e->head_bytes);
    return extension ? extension : "png";
}

static char *output_name(const NameRule *rule, FileEntry *e)
{
    const char *relative = e->relative, *name = cli_base_name(relative);
    const char *ext = rule->format                 ? rule->format
                      : strcmp(e->input, "-") == 0 ? sniffed_extension(e)
                      : can_be_written(name)       ? strrchr(name, '.') + 1
                                                   : "png";
    const char *dot = strrchr(name, '.'), *inext = dot && dot != name ? dot + 1 : "";
    const Part value[FIELDS] = {stem(name, true),
                                {inext, strlen(inext)},
                                {ext, strlen(ext)},
                                {rule->scale, strlen(rule->scale)},
                                stem(rule->model, slb_has_extension(rule->model, "safetensors"))};
    size_t folder = strlen(rule->folder), inner = (size_t)(name - relative);
    char *path = malloc(folder + 1 + inner + expand(rule->template, value, NULL) + 1);
    if (!path) return NULL;
    int used = sprintf(path, "%s%s%.*s", rule->folder, rule->folder[folder - 1] == '/' ? "" : "/",
                       (int)inner, relative);
    expand(rule->template, value, path + used);
    return path;
}

/* ---- Outputs that clash ---- */

/* `path` as the system sees it: two names of one file become one text. Folders that are still to be
 * made, and the name in them, stay as they are written. NULL when memory is out. */
static char *resolved(const char *path)
{
    size_t kept = strlen(path);
    if (kept >= PATH_MAX || strcmp(path, "-") == 0) return strdup(path); /* no file, or no path */
    char *known = strdup(path), *real = NULL;
    while (known && !(real = realpath(kept ? known : ".", NULL)) && errno != ENOMEM && kept) {
        while (kept && known[kept - 1] == '/') kept--;
        while (kept && known[kept - 1] != '/') kept--;
        known[kept] = 0;
    }
    char *full = NULL;
    if (real)
        full = path[kept] ? joined(real, path + kept) : strdup(real);
    else if (known && errno != ENOMEM)
        full = strdup(path); /* the current folder is gone */
    free(known);
    free(real);
    return full;
}

/* An output or an input, for sorting. */
typedef struct Name {
    char *path; /* resolved */
    const FileEntry *entry;
    bool written;
} Name;

static int by_path(const void *a, const void *b)
{
    const Name *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    if (order == 0) order = (x->entry > y->entry) - (x->entry < y->entry);
    return order ? order : x->written - y->written;
}

static bool clash(const Name *a, const Name *b, bool skip_existing)
{
    if (a->entry == b->entry || !(a->written || b->written) || strcmp(a->path, b->path) != 0)
        return false;
    if (a->entry->unread || b->entry->unread) return false; /* nothing comes of that */
    return (a->written && b->written) || !skip_existing;    /* an input exists: it is passed over */
}

static SlbStatus tell_clash(const Name *a, const Name *b, SlbError *err)
{
    if (a->written && b->written)
        return slb_fail(err, SLB_E_USAGE,
                        "%s and %s would both become %s; choose names with --name, such as "
                        "{name}-{inext}.{ext}, or run twice",
                        a->entry->input, b->entry->input, a->entry->output);
    return slb_fail(err, SLB_E_USAGE,
                    "%s would replace %s, which is an input too; choose another folder or --name",
                    (a->written ? a : b)->entry->input, (a->written ? b : a)->entry->input);
}

/* Names side by side in sorted order are the ones that clash. An input in its own place is what -y
 * is for, an input twice no harm by itself. */
static SlbStatus check_clashes(const FileList *list, bool skip_existing, SlbError *err)
{
    size_t count = list->count * 2, known = 0;
    Name *names = slb_calloc(count, sizeof *names);
    for (bool ok = names != NULL; ok && known < count; known += ok) {
        const FileEntry *e = &list->item[known / 2];
        bool written = known % 2;
        names[known] = (Name){resolved(written ? e->output : e->input), e, written};
        ok = names[known].path != NULL;
    }
    SlbStatus s = names && known == count ? SLB_OK : slb_fail_memory(err, "the list of files");
    if (s == SLB_OK) qsort(names, count, sizeof *names, by_path);
    for (size_t i = 1; s == SLB_OK && i < count; i++)
        if (clash(&names[i - 1], &names[i], skip_existing))
            s = tell_clash(&names[i - 1], &names[i], err);
    for (size_t i = 0; i < known; i++) free(names[i].path);
    slb_free(names);
    return s;
}

SlbStatus cli_name_outputs(FileList *list, const NameRule *rule, SlbError *err)
{
    for (size_t i = 0; i < list->count; i++) {
        FileEntry *e = &list->item[i];
        e->output = e->unread ? joined(rule->folder, e->relative) : output_name(rule, e);
        if (!e->output) return slb_fail_memory(err, "the names of the outputs");
    }
    return check_clashes(list, rule->skip_existing, err);
}

SlbStatus cli_make_folders(const char *path, SlbError *err)
{
    char *folder = strdup(path);
    SlbStatus s = folder ? SLB_OK : slb_fail_memory(err, path);
    for (char *c = folder; c && s == SLB_OK && (c = strchr(c + 1, '/'));) {
        *c = 0;
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            s = slb_fail(err, SLB_E_OUTPUT, "%s: the folder cannot be made: %s", folder,
                         strerror(errno));
        *c = '/';
    }
    free(folder);
    return s;
}

SlbStatus cli_check_folders(const char *path, bool *missing, SlbError *err)
{
    char *folder = strdup(path);
    SlbStatus s = folder ? SLB_OK : slb_fail_memory(err, path);
    *missing = false;
    for (char *c = folder; c && s == SLB_OK && !*missing && (c = strchr(c + 1, '/'));) {
        struct stat st;
        *c = 0;
        *missing = stat(folder, &st) != 0;
        if (*missing) s = slb_output_check(folder, false, err); /* a folder like a file */
        *c = '/';
    }
    free(folder);
    return s;
}
