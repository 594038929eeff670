/* Outputs that appear whole or not at all: what is replaced, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/text.h"

static char folder[] = "/tmp/slbsr-io-XXXXXX";

static SlbStatus write_text(const char *path, const char *text, bool overwrite)
{
    SlbOutput out;
    SlbStatus s = slb_output_open(&out, path, overwrite, NULL);
    if (s != SLB_OK) return s;
    fputs(text, out.file);
    return slb_output_commit(&out, NULL);
}

static void assert_text(const char *path, const char *text)
{
    unsigned char *data;
    size_t bytes;
    assert_int_equal(slb_read_file(path, 1000, SLB_E_INPUT, &data, &bytes, NULL), SLB_OK);
    assert_string_equal((char *)data, text);
    slb_free(data);
}

static void test_overwriting(void **state)
{
    (void)state;
    assert_int_equal(write_text("a", "first", false), SLB_OK);
    assert_int_equal(write_text("a", "second", false), SLB_E_OUTPUT);
    assert_text("a", "first");
    assert_int_equal(write_text("a", "third", true), SLB_OK);
    assert_text("a", "third");
    unlink("a");
}

/* A file that appears while the output is being written is not replaced either. */
static void test_race(void **state)
{
    (void)state;
    SlbOutput out;
    assert_int_equal(slb_output_open(&out, "b", false, NULL), SLB_OK);
    assert_int_equal(write_text("b", "other", false), SLB_OK);
    fputs("mine", out.file);
    assert_int_equal(slb_output_commit(&out, NULL), SLB_E_OUTPUT);
    assert_text("b", "other");
    unlink("b");
}

static void test_no_ordinary_files(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(write_text("pipe", "x", true), SLB_E_OUTPUT);
    assert_int_equal(lstat("pipe", &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(slb_output_check("pipe", true, NULL), SLB_E_OUTPUT);
    assert_int_equal(write_text(".", "x", true), SLB_E_OUTPUT);
    unlink("pipe");
}

static void assert_device(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

/* Devices are written, by links too, and stay what they are. */
static void test_devices(void **state)
{
    SlbOutput out;
    SlbError err;
    (void)state;
    assert_int_equal(symlink("/dev/null", "hole"), 0);
    assert_int_equal(slb_output_check("hole", false, NULL), SLB_OK);
    assert_int_equal(write_text("hole", "x", false), SLB_OK);
    assert_int_equal(slb_output_open(&out, "/dev/null", true, NULL), SLB_OK);
    assert_null(out.temporary);
    slb_output_abort(&out);
    assert_device("hole");
    unlink("hole");
    assert_int_equal(slb_output_open(&out, "/dev/full", false, NULL), SLB_OK);
    fputs("x", out.file);
    assert_int_equal(slb_output_commit(&out, &err), SLB_E_OUTPUT);
    assert_string_equal(err.message, "/dev/full: cannot be written: No space left on device");
    assert_device("/dev/full");
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return;
    assert_int_equal(slb_output_open(&out, ptsname(master), true, &err), SLB_E_OUTPUT);
    assert_non_null(strstr(err.message, ": is a terminal, binary data is not written there"));
    close(master);
}

/* A link stays a link; what it points to is replaced. One that points nowhere is refused at once.
 */
static void test_links(void **state)
{
    (void)state;
    struct stat st;
    SlbOutput out;
    assert_int_equal(write_text("target", "old", false), SLB_OK);
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(slb_output_open(&out, "link", false, NULL), SLB_E_OUTPUT);
    assert_int_equal(write_text("link", "new", true), SLB_OK);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_text("target", "new");
    unlink("target");
    assert_int_equal(slb_output_open(&out, "link", false, NULL), SLB_E_OUTPUT);
    assert_int_equal(slb_output_open(&out, "link", true, NULL), SLB_E_OUTPUT);
    unlink("link");
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* What is replaced leaves its permissions to the new file, whatever the umask; a new one has those
 * of new files. */
static void test_permissions(void **state)
{
    static const mode_t modes[] = {0600, 0640, 0444, 0666, 0755, 0};
    SlbOutput out;
    (void)state;
    mode_t old = umask(027);
    assert_int_equal(write_text("a", "first", false), SLB_OK);
    assert_int_equal(mode_of("a"), 0640);
    assert_int_equal(symlink("a", "link"), 0);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod("a", modes[i]), 0);
        assert_int_equal(slb_output_open(&out, i % 2 ? "link" : "a", true, NULL), SLB_OK);
        assert_int_equal(mode_of(out.temporary), modes[i]);
        assert_int_equal(slb_output_commit(&out, NULL), SLB_OK);
        assert_int_equal(mode_of("a"), modes[i]);
    }
    assert_int_equal(chmod("a", 04750), 0);
    assert_int_equal(write_text("a", "x", true), SLB_OK);
    assert_int_equal(mode_of("a"), 0750);
    umask(old);
    unlink("link");
    unlink("a");
}

static void assert_refused(const char *path, bool overwrite, const char *message)
{
    SlbOutput out;
    SlbError err = {0};
    assert_int_equal(slb_output_open(&out, path, overwrite, &err), SLB_E_OUTPUT);
    assert_non_null(strstr(err.message, message));
    memset(&err, 0, sizeof err);
    assert_int_equal(slb_output_check(path, overwrite, &err), SLB_E_OUTPUT);
    assert_non_null(strstr(err.message, message));
}

/* What cannot become a file is known before any work, and without making one. */
static void test_checks(void **state)
{
    char name[300] = "";
    (void)state;
    memset(name, 'x', sizeof name - 1);
    assert_refused(name, false, "cannot be created: File name too long");
    assert_refused("none/x", false, "none/x: cannot be created: No such file or directory");
    assert_refused("/dev/null/x", true, "cannot be created: Not a directory");
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_refused("loop", true, "loop: is a link that leads nowhere: Too many levels of symbolic");
    assert_refused("loop", false, "loop: already exists");
    unlink("loop");
    assert_int_equal(slb_output_check("new", false, NULL), SLB_OK);
    assert_int_equal(access("new", F_OK), -1);
    assert_int_equal(write_text("new", "x", false), SLB_OK);
    assert_int_equal(slb_output_check("new", false, NULL), SLB_E_OUTPUT);
    assert_int_equal(slb_output_check("new", true, NULL), SLB_OK);
    unlink("new");
}

/* The library's calls come here, too. */
static bool keep_names;

int unlink(const char *path)
{
    if (!keep_names) return unlinkat(AT_FDCWD, path, 0);
    errno = EPERM;
    return -1;
}

/* Once the file stands at its name, it is there. */
static void test_left_temporary(void **state)
{
    SlbOutput out;
    char temporary[300];
    (void)state;
    assert_int_equal(slb_output_open(&out, "c", false, NULL), SLB_OK);
    snprintf(temporary, sizeof temporary, "%s", out.temporary);
    keep_names = true;
    assert_int_equal(slb_output_commit(&out, NULL), SLB_OK);
    keep_names = false;
    assert_text("c", "");
    unlink("c");
    assert_int_equal(unlink(temporary), 0);
}

static void assert_no_lock(const char *path)
{
    SlbLock lock;
    SlbError err;
    struct stat before, after;
    assert_int_equal(lstat(path, &before), 0);
    assert_int_equal(slb_lock(&lock, path, "it", &err), SLB_E_OUTPUT);
    assert_non_null(strstr(err.message, "is no lock file"));
    slb_unlock(&lock);
    assert_int_equal(lstat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino);
}

/* What stands where a lock file shall be, and is none, is neither followed nor removed. */
/* Some file systems refuse names with half a character at the end, as the first of them that fit
 * would leave. */
static void test_temporary_names_are_of_whole_characters(void **state)
{
    (void)state;
    static const char *const beginnings[] = {"", "a", "ab", "\xff"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        char name[256];
        size_t n = (size_t)snprintf(name, sizeof name, "%s", beginnings[i]), characters = 0;
        for (int c = 0; c < 60; c++)
            n += (size_t)snprintf(name + n, sizeof name - n, "\xe5\x86\x99");
        SlbOutput out;
        assert_int_equal(slb_output_open(&out, name, false, NULL), SLB_OK);
        const char *at = out.temporary + 1 + strlen(beginnings[i]);
        for (; *at && *at != '.'; at += 3, characters++) assert_int_equal(slb_utf8_bytes(at), 3);
        assert_int_equal(characters, i < 2 ? 33 : i == 2 ? 32 : 33);
        slb_output_abort(&out);
    }
}

static void test_foreign_locks(void **state)
{
    (void)state;
    assert_int_equal(write_text("kept", "precious", false), SLB_OK);
    assert_int_equal(write_text("empty", "", false), SLB_OK);
    assert_int_equal(symlink("empty", "link"), 0);
    assert_int_equal(symlink("nothing", "nowhere"), 0);
    assert_int_equal(link("empty", "second"), 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    static const char *const names[] = {"kept", "link", "nowhere", "second", "pipe"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_no_lock(names[i]);
    assert_text("kept", "precious");
    assert_int_equal(access("nothing", F_OK), -1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(names[i]);
    unlink("empty");
}

static void test_locks(void **state)
{
    (void)state;
    SlbLock lock, second;
    SlbError err;
    assert_int_equal(write_text("left", "", false), SLB_OK); /* of a run that was killed */
    assert_int_equal(slb_lock(&lock, "left", "it", &err), SLB_OK);
    assert_int_equal(slb_lock(&second, "left", "it", &err), SLB_E_OUTPUT);
    assert_non_null(strstr(err.message, "it: another run is at work"));
    slb_unlock(&lock);
    assert_int_equal(access("left", F_OK), -1);
    assert_int_equal(slb_lock(&lock, "left", "it", &err), SLB_OK);
    assert_int_equal(unlink("left"), 0);
    assert_int_equal(write_text("left", "of another", false), SLB_OK);
    slb_unlock(&lock);
    assert_text("left", "of another");
    unlink("left");
}

/* A pipe in a folder would be waited for for ever. */
static bool broken; /* the disk */

/* In place of the C library's. */
struct dirent *readdir(DIR *of)
{
    struct dirent *(*original)(DIR *);
    void *symbol = dlsym(RTLD_NEXT, "readdir");
    memcpy(&original, &symbol, sizeof original);
    if (!broken) return original(of);
    errno = EIO;
    return NULL;
}

/* The part of a folder that can be read is not taken for all of it. */
static void test_a_folder_that_breaks_off(void **state)
{
    (void)state;
    char **names;
    size_t count;
    SlbError err = {0};
    broken = true;
    SlbStatus s = slb_list_folder(".", "png", &names, &count, &err);
    broken = false;
    assert_int_equal(s, SLB_E_INPUT);
    assert_non_null(strstr(err.message, "cannot be read: Input/output error"));
}

static void test_list(void **state)
{
    (void)state;
    char **names;
    size_t count;
    assert_int_equal(mkdir("list", 0700), 0);
    assert_int_equal(mkfifo("list/a.png", 0600), 0);
    assert_int_equal(mkdir("list/b.png", 0700), 0);
    assert_int_equal(symlink("a.png", "list/c.png"), 0);
    assert_int_equal(symlink("y.PNG", "list/z.png"), 0);
    assert_int_equal(write_text("list/y.PNG", "", false), SLB_OK);
    assert_int_equal(write_text("list/y.txt", "", false), SLB_OK);
    assert_int_equal(slb_list_folder("list", "jpg|png", &names, &count, NULL), SLB_OK);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "list/y.PNG");
    assert_string_equal(names[1], "list/z.png");
    slb_free_names(names, count);
    static const char *const all[] = {"a.png", "c.png", "y.PNG", "y.txt", "z.png"};
    assert_int_equal(chdir("list"), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) assert_int_equal(unlink(all[i]), 0);
    assert_int_equal(rmdir("b.png"), 0);
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(rmdir("list"), 0);
}

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

/* Fails when a temporary file was left behind. */
static int leave_folder(void **state)
{
    (void)state;
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overwriting),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_no_ordinary_files),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_left_temporary),
        cmocka_unit_test(test_temporary_names_are_of_whole_characters),
        cmocka_unit_test(test_foreign_locks),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_a_folder_that_breaks_off),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
