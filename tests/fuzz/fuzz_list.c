/* Lists of files, and what the results are called. Input: a byte (1: zero bytes end the names; 2:
 * outputs that exist are passed over; 4: a format is given), the length of a template, the
 * template, the list. Nothing is searched or opened. */
#include "cli/file_list.h"
#include "fuzz/fuzz.h"

enum { MAX_BYTES = 1 << 9 }; /* of the list: every name is looked up in the file system */

static const char folder[] = "/nonexistent/out";

static void check_names(const FileList *list)
{
    size_t length = strlen(folder);
    for (size_t i = 0; i < list->count; i++) {
        const char *output = list->item[i].output;
        bool inside = output && strncmp(output, folder, length) == 0 && output[length] == '/';
        fuzz_want(inside, "an output outside of its folder");
        fuzz_want(inside && !strchr(output + length + 1, '/'), "an output in another folder");
    }
}

static void name(const FuzzInput *names, const char *template, unsigned how)
{
    const FileSources sources = {.list = fuzz_file(names->at, names->left),
                                 .null_separated = how & 1};
    const NameRule rule = {.folder = folder,
                           .template = template,
                           .format = how & 4 ? "jpg" : NULL,
                           .scale = "2",
                           .model = "models/tiny.safetensors",
                           .skip_existing = how & 2};
    FileList list;
    SlbError err = {0};
    SlbStatus status = cli_list_files(&sources, &list, &err);
    fuzz_status(status, SLB_E_INPUT, &err);
    if (status == SLB_OK) {
        status = cli_name_outputs(&list, &rule, &err);
        fuzz_status(status, SLB_E_USAGE, &err);
        check_names(&list);
    }
    cli_free_files(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    FuzzInput in = {data, bytes};
    unsigned how = fuzz_byte(&in);
    FuzzInput part = fuzz_part(&in, fuzz_byte(&in)), names = fuzz_part(&in, MAX_BYTES);
    char *template = fuzz_text(&part);
    SlbError err = {0};
    SlbStatus status = cli_check_template(template, &err);
    fuzz_status(status, SLB_E_USAGE, &err);
    if (status == SLB_OK) name(&names, template, how);
    free(template);
    return 0;
}
