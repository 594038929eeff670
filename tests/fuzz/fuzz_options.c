/* Command lines: the first word is the command, words are separated by line breaks. Nothing is run.
 * Every word is read as a size, a colour, bytes and a template of names, too.
 */
#include "cli/commands.h"
#include "cli/file_list.h"
#include "cli/values.h"
#include "fuzz/fuzz.h"

enum { MAX_WORDS = 64 };

static void read_values(const char *word)
{
    uint32_t width = 0, height = 0;
    uint8_t rgb[3] = {0};
    uint64_t bytes = 0;
    SlbError err = {0};
    SlbStatus status = cli_parse_size("--size", word, &width, &height, &err);
    fuzz_status(status, SLB_E_USAGE, &err);
    fuzz_want(status != SLB_OK || (width && height && width <= INT32_MAX && height <= INT32_MAX),
              "a size out of range");
    fuzz_status(cli_parse_colour("--background", word, rgb, &err), SLB_E_USAGE, &err);
    fuzz_use(rgb[0] + rgb[1] + rgb[2]);
    status = cli_parse_bytes("--max-memory", word, &bytes, &err);
    fuzz_status(status, SLB_E_USAGE, &err);
    fuzz_want(status != SLB_OK || (bytes >= 1 << 20 && bytes <= (uint64_t)1 << 60),
              "bytes out of range");
    status = cli_check_template(word, &err);
    fuzz_status(status, SLB_E_USAGE, &err);
    fuzz_want(status != SLB_OK || !strchr(word, '/'), "a name with a folder");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1), *words[MAX_WORDS + 1], *next;
    int count = 0;
    fuzz_want(text != NULL, "no memory");
    if (bytes) memcpy(text, data, bytes);
    text[bytes] = 0;
    for (char *w = text; w && count < MAX_WORDS; w = next) {
        if ((next = strchr(w, '\n'))) *next++ = 0;
        words[count++] = w;
    }
    words[count] = NULL;
    for (int i = 0; i < count; i++) read_values(words[i]);
    const Command *command = cli_find_command(words[0]);
    if (command) {
        Invocation invocation = {0};
        SlbError err = {0};
        void *settings = calloc(1, command->settings_bytes);
        SlbStatus status = cli_parse(command, count - 1, words + 1, settings, &invocation, &err);
        fuzz_status(status, SLB_E_USAGE, &err);
        if (status == SLB_OK && invocation.request == REQUEST_RUN)
            fuzz_want(invocation.operand_count >= command->min_operands &&
                          invocation.operand_count <= command->max_operands,
                      "a number of operands that the command does not take");
        free(settings);
    } else {
        for (const Command *const *c = cli_commands; *c; c++)
            (void)cli_resembles(words[0], (*c)->name);
    }
    free(text);
    return 0;
}
