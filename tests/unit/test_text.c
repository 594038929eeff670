/* What a terminal is shown of text from outside: no control character, and nothing but UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"

static const struct Row {
    const char *text, *shown, *utf8;
} rows[] = {
    {"", "", ""},
    {"a b~", "a b~", "a b~"},
    {"\x1b[31m\a\t\n\x7f", "?[31m????", "\x1b[31m\a\t\n\x7f"},
    {"Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x90\x88",
     "Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x90\x88",
     "Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x90\x88"},
    {"\xc2\x9b"
     "1m\xc2\x80\xc2\x9f\xc2\xa0",
     "?1m??\xc2\xa0",
     "\xc2\x9b"
     "1m\xc2\x80\xc2\x9f\xc2\xa0"}, /* C1 */
    {"gpj\xe2\x80\xae.exe\xe2\x80\xa9", "gpj?.exe?", "gpj\xe2\x80\xae.exe\xe2\x80\xa9"},
    {"\xff\x9b\xc3", "???", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xe2\x82", "??", "\xef\xbf\xbd\xef\xbf\xbd"},                  /* cut */
    {"\xc1\x9b", "??", "\xef\xbf\xbd\xef\xbf\xbd"},                  /* overlong */
    {"\xed\xa0\x80", "???", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
    {"\xf4\x90\x80\x80", "????", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *copy = strdup(rows[i].text), *utf8 = slb_utf8_copy(rows[i].text);
        slb_clean(copy);
        assert_string_equal(copy, rows[i].shown);
        assert_string_equal(utf8, rows[i].utf8);
        free(copy);
        free(utf8);
    }
}

/* Of two bytes, the ones from 0x80 to 0x9f behind 0xc2 alone are control characters. */
static void test_two_bytes(void **state)
{
    (void)state;
    for (int a = 0xc2; a < 0xe0; a++)
        for (int b = 0x80; b < 0xc0; b++) {
            char text[] = {(char)a, (char)b, 0};
            assert_int_equal(slb_utf8_bytes(text), 2);
            assert_int_equal(slb_control_at(text), a == 0xc2 && b < 0xa0 ? b : 0);
        }
}

/* Of three bytes: ends of lines and changes of direction, and nothing beside them. */
static void test_three_bytes(void **state)
{
    (void)state;
    for (unsigned code = 0x800; code < 0x10000; code++) {
        char text[] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 63)),
                       (char)(0x80 | (code & 63)), 0};
        bool control = (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
        assert_int_equal(slb_control_at(text), control ? code : 0);
    }
}

static void test_errors(void **state)
{
    (void)state;
    SlbError err;
    (void)slb_fail(&err, SLB_E_INPUT, "%s: is missing",
                   "\xc2\x9b\xff\x1b"
                   "caf\xc3\xa9.png");
    assert_string_equal(err.message, "???caf\xc3\xa9.png: is missing");
}

/* The reason stands last, and nothing else counts for one. */
static void test_reason(void **state)
{
    (void)state;
    SlbError err;
    errno = ENOSPC;
    (void)!slb_fail_system(&err, SLB_E_OUTPUT, "a.png", "cannot be written");
    assert_true(slb_error_tells(&err, ENOSPC));
    assert_false(slb_error_tells(&err, EROFS));
    (void)!slb_fail(&err, SLB_E_OUTPUT, "%s: already exists", strerror(ENOSPC));
    assert_false(slb_error_tells(&err, ENOSPC));
    (void)!slb_fail(&err, SLB_E_OUTPUT, "%s", strerror(ENOSPC));
    assert_false(slb_error_tells(&err, ENOSPC));
    (void)!slb_fail(&err, SLB_E_OUTPUT, "%s", "");
    assert_false(slb_error_tells(&err, ENOSPC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_reason),
        cmocka_unit_test(test_two_bytes),
        cmocka_unit_test(test_three_bytes),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
