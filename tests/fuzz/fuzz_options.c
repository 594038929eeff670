/* Command lines: the first word is the command, words are separated by line breaks. Nothing is run.
 */
#include "cli/commands.h"
#include "fuzz/fuzz.h"

enum { MAX_WORDS = 64 };

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
