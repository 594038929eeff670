/* What the ways of --progress print, character by character: on a pseudo-terminal of a given width,
 * at times that the test gives out itself. */
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/message.h"
#include "cli/progress.h"

static double now;

/* In the place of base/clock.c. */
double slb_seconds(void)
{
    return now;
}

static int reading_end, kept_stderr = -1;

/* Standard error becomes a terminal `columns` wide (0: it does not tell), or a pipe. */
static void open_screen(bool terminal, unsigned short columns)
{
    int ends[2];
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    if (terminal && openpty(&ends[0], &ends[1], NULL, NULL, &size) != 0) {
        print_message("skipped: no pseudo-terminals here\n"); /* a bare chroot without /dev/pts */
        skip();
    }
    if (!terminal) assert_int_equal(pipe(ends), 0);
    kept_stderr = dup(STDERR_FILENO);
    assert_true(kept_stderr >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    reading_end = ends[0];
    now = 1000;
}

/* What has appeared since the last call. A terminal hands things over when it likes to: behind all
 * else goes a mark that is waited for. */
static const char *seen(void)
{
    static char text[4096];
    size_t used = 0;
    fflush(stderr);
    assert_int_equal(write(STDERR_FILENO, "\001", 1), 1);
    while (!used || text[used - 1] != 1) {
        struct pollfd end = {.fd = reading_end, .events = POLLIN};
        assert_int_equal(poll(&end, 1, 60000), 1);
        ssize_t n = read(reading_end, text + used, sizeof text - used);
        assert_true(n > 0);
        used += (size_t)n;
    }
    text[used - 1] = 0;
    return text;
}

static void close_screen(void)
{
    fflush(stderr);
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(reading_end);
    kept_stderr = -1;
}

/* Behind every test: a failure is to be seen. */
static int leave_screen(void **state)
{
    (void)state;
    if (kept_stderr >= 0) close_screen();
    return 0;
}

static void update_at(Progress *p, double seconds, uint64_t done, uint64_t total)
{
    now = 1000 + seconds;
    assert_int_equal(progress_update(p, done, total), 0);
}

/* One picture of 8 megapixels: at once, then ten times a second, rate and time left after the
 * first. */
static void test_bar(void **state)
{
    Progress p;
    (void)state;
    open_screen(true, 80);
    progress_start(&p, "upscaling", PROGRESS_AUTO);
    p.unit = "Mpixel";
    p.unit_size = 1e6;
    progress_file(&p, 0, "a.png");
    update_at(&p, 0, 0, 8000000);
    assert_string_equal(seen(), "\rupscaling [....................]   0 %\033[K");
    update_at(&p, 0.05, 100000, 8000000);
    assert_string_equal(seen(), "");
    update_at(&p, 0.5, 1000000, 8000000);
    assert_string_equal(seen(), "\rupscaling [##..................]  12 %\033[K");
    update_at(&p, 2, 4000000, 8000000);
    assert_string_equal(seen(),
                        "\rupscaling [##########..........]  50 %  2 Mpixel/s  left 0:02\033[K");
    update_at(&p, 6000, 6000000, 8000000);
    assert_string_equal(
        seen(), "\rupscaling [###############.....]  75 %  0.001 Mpixel/s  left 33:20\033[K");
    cli_message("note"); /* wipes it */
    assert_string_equal(seen(), "\r\033[Kslbsr: note\r\n");
    update_at(&p, 6001, 8000000, 8000000);
    assert_string_equal(
        seen(), "\rupscaling [####################] 100 %  0.00133 Mpixel/s  left 0:00\033[K");
    progress_end(&p);
    progress_end(&p);
    assert_string_equal(seen(), "\r\033[K");
    close_screen();
}

/* The third of 12 after one that failed: it counts neither as work done nor as work to come. */
static void test_bar_of_many(void **state)
{
    Progress p;
    (void)state;
    open_screen(true, 80);
    setenv("NO_COLOR", "", 1); /* set, but empty: does not count */
    progress_start(&p, "upscaling", PROGRESS_AUTO);
    p.count = 12;
    p.finished = 1;
    now = 1010;
    progress_file(&p, 2, "c.png");
    update_at(&p, 15, 1, 2);
    assert_string_equal(
        seen(), "\rupscaling 3/12 [\033[32m##########\033[0m..........]  50 %  left 1:35\033[K");
    update_at(&p, 15000, 1, 2);
    assert_string_equal(
        seen(),
        "\rupscaling 3/12 [\033[32m##########\033[0m..........]  50 %  left 26:23:20\033[K");
    setenv("NO_COLOR", "1", 1);
    progress_end(&p);
    close_screen();
}

/* Fewer cells, then none, rather than a line that wraps; a video, whose end is not known. */
static void test_narrow_and_endless(void **state)
{
    static const struct {
        unsigned short columns;
        const char *line;
    } cases[] = {{0, "\rupscaling [##########..........]  50 %\033[K"},
                 {40, "\rupscaling [##########..........]  50 %\033[K"},
                 {39, "\rupscaling [##########..........]  50 %\033[K"},
                 {38, "\rupscaling [#########..........]  50 %\033[K"},
                 {23, "\rupscaling [##..]  50 %\033[K"},
                 {22, "\rupscaling  50 %\033[K"}};
    Progress p;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_screen(true, cases[i].columns);
        progress_start(&p, "upscaling", PROGRESS_BAR);
        update_at(&p, 0, 1, 2);
        assert_string_equal(seen(), cases[i].line);
        progress_end(&p);
        close_screen();
    }
    open_screen(true, 80);
    progress_start(&p, "upscaling", PROGRESS_BAR);
    p.unit = "frame";
    p.unit_size = 1;
    update_at(&p, 0.5, 1, 0);
    assert_string_equal(seen(), "\rupscaling 1 frame\033[K");
    update_at(&p, 2, 7, 0);
    assert_string_equal(seen(), "\rupscaling 7 frames  3.5 frame/s\033[K");
    progress_end(&p);
    close_screen();
}

/* Not on a terminal: a line every ten seconds. */
static void test_plain(void **state)
{
    Progress p;
    (void)state;
    open_screen(false, 0);
    progress_start(&p, "upscaling", PROGRESS_AUTO);
    p.unit = "Mpixel";
    p.unit_size = 1e6;
    update_at(&p, 9.9, 1000000, 4000000);
    assert_string_equal(seen(), "");
    update_at(&p, 10, 1000000, 4000000);
    assert_string_equal(seen(), "slbsr: upscaling: 25 %, 0.1 Mpixel/s, left 0:30\n");
    update_at(&p, 15, 4000000, 4000000);
    progress_end(&p);
    assert_string_equal(seen(), "");
    close_screen();
}

static void test_json(void **state)
{
    Progress p;
    (void)state;
    open_screen(true, 80); /* asked for, so on a terminal too */
    progress_start(&p, "upscaling", PROGRESS_JSON);
    p.count = 2;
    progress_file(&p, 0, "a \"b\"\n.png");
    update_at(&p, 0.9, 1, 4);
    assert_string_equal(seen(), "");
    update_at(&p, 2, 1, 4);
    assert_string_equal(seen(),
                        "{\"event\":\"progress\",\"input\":\"a \\\"b\\\"\\n.png\",\"file\":1,"
                        "\"files\":2,\"done\":1,\"total\":4,\"elapsed_s\":2,\"left_s\":14}\r\n");
    update_at(&p, 2.5, 4, 4); /* the end of a file at once */
    assert_string_equal(seen(),
                        "{\"event\":\"progress\",\"input\":\"a \\\"b\\\"\\n.png\",\"file\":1,"
                        "\"files\":2,\"done\":4,\"total\":4,\"elapsed_s\":2.5,\"left_s\":2.5}\r\n");
    progress_end(&p);
    assert_string_equal(seen(), "");
    close_screen();
}

static int set_up(void **state)
{
    (void)state;
    return setenv("TERM", "xterm", 1) || setenv("NO_COLOR", "1", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_bar, leave_screen),
        cmocka_unit_test_teardown(test_bar_of_many, leave_screen),
        cmocka_unit_test_teardown(test_narrow_and_endless, leave_screen),
        cmocka_unit_test_teardown(test_plain, leave_screen),
        cmocka_unit_test_teardown(test_json, leave_screen),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
