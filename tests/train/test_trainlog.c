/* The log of a run that goes on: rows behind the step it goes on from are dropped, those of an
 * earlier version filled up; a file that is no log is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "train/trainlog.h"

static char path[512];
static const int scales[] = {2};

static const char header[] = "step,seconds,loss,bicubic_loss,rate,sharpness,psnr_x2,psnr_soft_x2,"
                             "bicubic_x2,data_share,peak_mb\n";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void expect_file(const char *first, const char *second)
{
    unsigned char *data;
    size_t n = strlen(first), bytes;
    assert_int_equal(slb_read_file(path, 1 << 20, SLB_E_INPUT, &data, &bytes, NULL), SLB_OK);
    assert_int_equal(strncmp((const char *)data, first, n), 0);
    assert_string_equal((const char *)data + n, second);
    slb_free(data);
}

static void test_begin(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(slb_trainlog_begin(path, scales, 1, 0, NULL), SLB_OK);
    expect_file(header, "");
    const SlbTrainReport report = {
        .step = 10, .seconds = 1.5, .loss = 0.25, .baseline = 0.5, .rate = 1, .scale_count = 1};
    assert_int_equal(slb_trainlog_add(path, &report, NULL), SLB_OK);
    expect_file(header, "10,1.5,0.25,0.5,1,0,,,,0.00000,0\n");
    assert_int_equal(slb_trainlog_begin(path, scales, 1, 10, NULL), SLB_OK);
    expect_file(header, "10,1.5,0.25,0.5,1,0,,,,0.00000,0\n");
    assert_int_equal(slb_trainlog_begin(path, scales, 1, 9, NULL), SLB_OK);
    expect_file(header, "");
}

static void test_earlier_version(void **state)
{
    (void)state;
    write_file("step,seconds,loss,bicubic_loss,rate,sharpness,psnr_x2,psnr_soft_x2,bicubic_x2\n"
               "10,1,2,3,4,5,6,7,8\n20,1,2,3,4,5,,,\n30,1,2,3,4,5,,,\n40,1,2");
    assert_int_equal(slb_trainlog_begin(path, scales, 1, 20, NULL), SLB_OK);
    expect_file(header, "10,1,2,3,4,5,6,7,8,,\n20,1,2,3,4,5,,,,,\n");
}

static void test_no_log(void **state)
{
    (void)state;
    write_file("dear diary\n");
    assert_int_equal(slb_trainlog_begin(path, scales, 1, 20, NULL), SLB_E_OUTPUT);
    expect_file("dear diary\n", "");
}

static int make_path(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/slbsr-XXXXXX", tmp ? tmp : "/tmp");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_earlier_version),
        cmocka_unit_test(test_no_log),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
