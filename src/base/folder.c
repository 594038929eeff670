#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

bool slb_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool slb_has_extension(const char *path, const char *extensions)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name) return false;
    size_t length = strlen(++dot);
    for (const char *e = extensions; *e;) {
        size_t n = strcspn(e, "|");
        if (n == length && strncasecmp(e, dot, n) == 0) return true;
        e += n + (e[n] == '|');
    }
    return false;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool slb_may_be_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0) return S_ISREG(st.st_mode);
    return errno == EACCES || lstat(path, &st) == 0;
}

/* Appends "folder/name" to the array if it may be a file; false when memory is out. */
static bool append_name(char ***names, size_t *count, const char *folder, const char *name)
{
    if ((*count & (*count - 1)) == 0) { /* grow at powers of two */
        char **larger = realloc(*names, (*count ? *count * 2 : 1) * sizeof **names);
        if (!larger) return false;
        *names = larger;
    }
    size_t length = strlen(folder);
    const char *separator = length && folder[length - 1] == '/' ? "" : "/";
    size_t bytes = length + strlen(name) + 2;
    char *full = malloc(bytes);
    if (!full) return false;
    snprintf(full, bytes, "%s%s%s", folder, separator, name);
    if (slb_may_be_file(full))
        (*names)[(*count)++] = full;
    else
        free(full);
    return true;
}

SlbStatus slb_list_folder(const char *path, const char *extensions, char ***names, size_t *count,
                          SlbError *err)
{
    *names = NULL;
    *count = 0;
    DIR *folder = opendir(path);
    if (!folder) return slb_fail_system(err, SLB_E_INPUT, path, "cannot be opened as a folder");
    SlbStatus s = SLB_OK;
    for (struct dirent *e; s == SLB_OK && (errno = 0, e = readdir(folder));)
        if (e->d_name[0] != '.' && slb_has_extension(e->d_name, extensions) &&
            !append_name(names, count, path, e->d_name))
            s = slb_fail_memory(err, path);
    if (s == SLB_OK && errno) s = slb_fail_system(err, SLB_E_INPUT, path, "cannot be read");
    closedir(folder);
    if (s != SLB_OK) {
        slb_free_names(*names, *count);
        *names = NULL;
        *count = 0;
        return s;
    }
    if (*count) qsort(*names, *count, sizeof **names, by_bytes);
    return SLB_OK;
}

void slb_free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) free(names[i]);
    free(names);
}
