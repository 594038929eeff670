/* Outputs that appear whole or not at all: what is replaced, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

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
    assert_int_equal(write_text("/dev/null", "x", true), SLB_E_OUTPUT);
    assert_int_equal(write_text(".", "x", true), SLB_E_OUTPUT);
    unlink("pipe");
}

/* A link stays a link; what it points to is replaced. One that points nowhere is refused at once. */
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
        cmocka_unit_test(test_links),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
