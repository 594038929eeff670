/* ONNX files through onnx's checker and a run with numpy: python3-onnx of Debian. */
#include "onnx_cases.h"

static const char *python(void)
{
    static const char *const names[] = {"python3",
                                        "/usr/bin/python3"}; /* a user's own may lack it */
    char command[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(command, sizeof command, "%s -c 'import numpy, onnx' 2>/dev/null", names[i]);
        if (system(command) == 0) return names[i];
    }
    return NULL;
}

static void test_numpy_gives_the_same_pixels(void **state)
{
    (void)state;
    char program[256];
    if (!python()) {
        print_message("skipped: python3 has no onnx (Debian: python3-onnx)\n");
        exit(77);
    }
    snprintf(program, sizeof program, "%s '%s/tests/onnx/numpy_run.py'", python(),
             SLBSR_SOURCE_DIR);
    run_onnx_cases(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numpy_gives_the_same_pixels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
