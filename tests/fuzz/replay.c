/* Calls a fuzz target with every file of the folders and with the files that are named on the
 * command line: for any compiler, as a plain test. A folder that is missing is an error, and so is
 * one without files. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "fuzz/fuzz.h"

static unsigned files;

static int replay(const char *path)
{
    unsigned char *data;
    size_t bytes;
    SlbError err;
    if (slb_read_file(path, (size_t)1 << 28, SLB_E_INPUT, &data, &bytes, &err) != SLB_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    /* A block of just this size, so that memory checkers see a byte beyond. */
    uint8_t *exact = malloc(bytes ? bytes : 1);
    if (exact) {
        if (bytes) memcpy(exact, data, bytes);
        fprintf(stderr, "%s\n", path); /* the last line names the culprit */
        (void)LLVMFuzzerTestOneInput(exact, bytes);
        files++;
    }
    free(exact);
    slb_free(data);
    return exact == NULL;
}

static int replay_folder(const char *path)
{
    unsigned before = files;
    int failed = 0;
    DIR *folder = opendir(path);
    if (!folder) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    for (struct dirent *e; (e = readdir(folder));) {
        char name[4096];
        if (e->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        failed |= replay(name);
    }
    closedir(folder);
    if (files == before) fprintf(stderr, "%s: no files\n", path);
    return failed || files == before;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool is_folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        failed |= is_folder ? replay_folder(argv[i]) : replay(argv[i]);
    }
    printf("%u files\n", files);
    return failed;
}
