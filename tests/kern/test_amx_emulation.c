/* The emulation of AMX itself, since tests of kernels rest on it: it stops a program where the
 * hardware would, and rounds where the hardware does. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SLBSR_AMX_EMULATION
#define SLBSR_AMX_EMULATION
#endif
#include "kern/amx_tile.h"

static uint8_t memory[SLB_TILE_ROWS * SLB_TILE_ROW_BYTES];

/* Sums 3 x 5, first factor 3 x 7 dwords, second 7 x 5. */
static SlbTileConfig good(void)
{
    SlbTileConfig c = {0};
    slb_tile_shape(&c, 0, 3, 20);
    slb_tile_shape(&c, 1, 3, 28);
    slb_tile_shape(&c, 2, 7, 20);
    return c;
}

static void configure_good(void)
{
    SlbTileConfig c = good();
    TILE_CONFIGURE(&c);
}

static void use_all(void)
{
    configure_good();
    TILE_ZERO(0);
    TILE_LOAD(1, memory, 28);
    TILE_LOAD(2, memory, 20);
    TILE_DPBUSD(0, 1, 2);
    TILE_DPBF16(0, 1, 2);
    TILE_STORE(0, memory, 20);
    TILE_RELEASE();
}

/* -- misuse -- */

static void change(void (*edit)(SlbTileConfig *))
{
    SlbTileConfig c = good();
    edit(&c);
    TILE_CONFIGURE(&c);
}
static void no_palette(SlbTileConfig *c)
{
    c->palette = 0;
}
static void reserved(SlbTileConfig *c)
{
    c->reserved[5] = 1;
}
static void ninth_tile(SlbTileConfig *c)
{
    c->rows[8] = 1;
}
static void tall(SlbTileConfig *c)
{
    c->rows[1] = 17;
}
static void wide(SlbTileConfig *c)
{
    c->row_bytes[1] = 68;
}
static void half(SlbTileConfig *c)
{
    c->rows[2] = 0;
}

static void bad_palette(void)
{
    change(no_palette);
}
static void bad_reserved(void)
{
    change(reserved);
}
static void bad_ninth(void)
{
    change(ninth_tile);
}
static void bad_rows(void)
{
    change(tall);
}
static void bad_bytes(void)
{
    change(wide);
}
static void bad_half(void)
{
    change(half);
}
static void not_configured(void)
{
    TILE_LOAD(0, memory, 64);
}
static void after_release(void)
{
    configure_good();
    TILE_RELEASE();
    TILE_ZERO(0);
}
static void no_shape(void)
{
    configure_good();
    TILE_STORE(3, memory, 64);
}
static void rows_differ(void)
{
    SlbTileConfig c = good();
    slb_tile_shape(&c, 1, 4, 28);
    TILE_CONFIGURE(&c);
    TILE_DPBUSD(0, 1, 2);
}
static void depths_differ(void)
{
    SlbTileConfig c = good();
    slb_tile_shape(&c, 2, 8, 20);
    TILE_CONFIGURE(&c);
    TILE_DPBUSD(0, 1, 2);
}
static void columns_differ(void)
{
    SlbTileConfig c = good();
    slb_tile_shape(&c, 2, 7, 24);
    TILE_CONFIGURE(&c);
    TILE_DPBF16(0, 1, 2);
}
static void named_twice(void)
{
    SlbTileConfig c = {0};
    for (int i = 0; i < 2; i++) slb_tile_shape(&c, i, 16, 64);
    TILE_CONFIGURE(&c);
    TILE_DPBUSD(0, 1, 1);
}

/* True when `program` ends by abort(). */
static bool aborts(void (*program)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL); /* cmocka's would go on in the child */
        close(STDERR_FILENO);
        program();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_misuse_stops_the_program(void **state)
{
    (void)state;
    static void (*const wrong[])(void) = {
        bad_palette,   bad_reserved,   bad_ninth,     bad_rows, bad_bytes,
        bad_half,      not_configured, after_release, no_shape, rows_differ,
        depths_differ, columns_differ, named_twice,
    };
    assert_false(aborts(use_all));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!aborts(wrong[i])) fail_msg("misuse %zu was let through", i);
}

/* -- arithmetic -- */

static void test_int8_does_not_saturate(void **state)
{
    (void)state;
    SlbTileConfig c = {0};
    slb_tile_shape(&c, 0, 1, 8);
    slb_tile_shape(&c, 1, 1, 8);
    slb_tile_shape(&c, 2, 2, 8);
    uint8_t a[8];
    int8_t b[2][8];
    int32_t sum[2] = {INT32_MAX, -1};
    memset(a, 255, sizeof a);
    memset(b, -128, sizeof b);
    b[0][4] = 127; /* of the second column */
    TILE_CONFIGURE(&c);
    TILE_LOAD(0, sum, 8);
    TILE_LOAD(1, a, 8);
    TILE_LOAD(2, b, 8);
    TILE_DPBUSD(0, 1, 2);
    TILE_STORE(0, sum, 8);
    TILE_RELEASE();
    assert_int_equal(sum[0], INT32_MAX - 8 * 255 * 128);
    assert_int_equal(sum[1], -1 + 255 * 127 - 7 * 255 * 128);
}

/* One sum of two pairs: start + (a0 b0 + a2 b2) + (a1 b1 + a3 b3). */
static float dot(float start, const uint16_t a[4], const uint16_t b[4])
{
    SlbTileConfig c = {0};
    slb_tile_shape(&c, 0, 1, 4);
    slb_tile_shape(&c, 1, 1, 8);
    slb_tile_shape(&c, 2, 2, 4);
    TILE_CONFIGURE(&c);
    TILE_LOAD(0, &start, 4);
    TILE_LOAD(1, a, 8);
    TILE_LOAD(2, b, 4);
    TILE_DPBF16(0, 1, 2);
    TILE_STORE(0, &start, 4);
    TILE_RELEASE();
    return start;
}

static void test_bf16_rounds_as_the_manual_has_it(void **state)
{
    (void)state;
    enum { ONE = 0x3f80, MINUS_ONE = 0xbf80, TWO_24 = 0x4b80, MINUS_TWO_24 = 0xcb80 };
    enum { SMALLEST_NORMAL = 0x0080, DENORMAL = 0x007f, TWO_126 = 0x7e80, HALF = 0x3f00 };
    const uint16_t ones[4] = {ONE, ONE, ONE, ONE};
    /* Even and odd products are summed apart: 2^24 + 1 loses the 1 among the even ones alone. */
    assert_true(dot(0, (const uint16_t[4]){TWO_24, ONE, ONE, MINUS_TWO_24}, ones) == 1.0f);
    assert_true(dot(0, (const uint16_t[4]){TWO_24, ONE, MINUS_TWO_24, ONE}, ones) == 2.0f);
    /* Both meet before they meet the start. */
    assert_true(dot(16777216.0f, ones, (const uint16_t[4]){ONE, MINUS_ONE, 0, 0}) == 16777216.0f);
    assert_true(dot(16777216.0f, ones, (const uint16_t[4]){ONE, ONE, 0, 0}) == 16777218.0f);
    /* Denormal numbers are zero: in the factors, as the start, as a product. */
    const uint16_t large[4] = {TWO_126, 0, 0, 0};
    assert_true(dot(0, (const uint16_t[4]){DENORMAL, 0, 0, 0}, large) == 0.0f);
    assert_true(dot(0, (const uint16_t[4]){SMALLEST_NORMAL, 0, 0, 0}, large) == 1.0f);
    assert_true(dot(1e-40f, (const uint16_t[4]){0}, ones) == 0.0f);
    assert_true(dot(0, (const uint16_t[4]){SMALLEST_NORMAL, 0, 0, 0},
                    (const uint16_t[4]){HALF, 0, 0, 0}) == 0.0f);
}

static void test_loads_and_stores_keep_to_their_shape(void **state)
{
    (void)state;
    uint8_t from[3 * 40], to[3 * 40];
    for (size_t i = 0; i < sizeof from; i++) from[i] = (uint8_t)(i + 1);
    memset(to, 0xa5, sizeof to);
    configure_good();
    TILE_LOAD(0, from, 40);
    TILE_STORE(0, to, 40);
    for (size_t i = 0; i < sizeof to; i++) assert_int_equal(to[i], i % 40 < 20 ? from[i] : 0xa5);
    TILE_LOAD(0, from, 0); /* one row for all */
    TILE_STORE(0, to, 40);
    for (size_t i = 0; i < sizeof to; i++)
        assert_int_equal(to[i], i % 40 < 20 ? from[i % 40] : 0xa5);
    TILE_RELEASE();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_misuse_stops_the_program),
        cmocka_unit_test(test_int8_does_not_saturate),
        cmocka_unit_test(test_bf16_rounds_as_the_manual_has_it),
        cmocka_unit_test(test_loads_and_stores_keep_to_their_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
