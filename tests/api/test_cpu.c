/* Kernel levels that there are not: the message says what was asked for and what there is. */
#include <setjmp.h>
#include <slbsr.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_refused(const char *cpu, const char *message)
{
    SlbsrError error;
    SlbsrContext *context;
    SlbsrOptions options = {.struct_bytes = sizeof options, .cpu = cpu};
    memset(&error, 0, sizeof error);
    assert_int_equal(slbsr_context_new(&options, &context, &error), SLBSR_E_ARGUMENT);
    assert_ptr_equal(strstr(error.text, message), error.text);
}

static void test_unknown_levels(void **state)
{
    (void)state;
    unsetenv("SLBSR_CPU");
    assert_refused("z80", "options: cpu=z80: this machine has no such level; it has: c");
    setenv("SLBSR_CPU", "pentium", 1);
    assert_refused(NULL, "SLBSR_CPU=pentium: this machine has no such level; it has: c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unknown_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
