/* A folder of its own for a test program that writes files. */
#ifndef SLBSR_TESTS_UNIT_FOLDER_H
#define SLBSR_TESTS_UNIT_FOLDER_H

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "unit/picture.h"

static char test_folder[64];

/* Group set-up and tear-down: makes it; fails if a test left something in it, and removes it. */
static inline int make_folder(void **state)
{
    (void)state;
    strcpy(test_folder, "/tmp/slbsr-test-XXXXXX");
    return mkdtemp(test_folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    return rmdir(test_folder);
}

/* "FOLDER/name"; valid until the fourth call from now. */
static inline const char *in_folder(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", test_folder, name);
    return out;
}

static inline void write_bytes(const char *path, const void *bytes, size_t n)
{
    unlink(path); /* a new file: ext4 syncs the ones that are truncated and written again */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static inline int files_in_folder(void)
{
    int count = 0;
    DIR *folder = opendir(test_folder);
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(folder);
    return count;
}

/* One clear line: it names the file and says something. */
static inline void assert_message(const SlbError *err, SlbStatus status, const char *path)
{
    assert_int_equal(err->status, status);
    assert_non_null(strstr(err->message, path));
    assert_true(strlen(err->message) > strlen(path) + 10);
    assert_null(strchr(err->message, '\n'));
}

#endif
