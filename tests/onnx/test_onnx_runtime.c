/* ONNX files through ONNX Runtime: `npm i --ignore-scripts onnxruntime-node` in some folder, and
 * NODE_PATH=that/node_modules. */
#include "onnx_cases.h"

#define PROGRAM "node '" SLBSR_SOURCE_DIR "/tests/onnx/onnxruntime_run.cjs'"

static void test_onnx_runtime_gives_the_same_pixels(void **state)
{
    (void)state;
    if (system("node -e \"require('onnxruntime-node')\" 2>/dev/null") != 0) {
        print_message("skipped: node finds no onnxruntime-node; NODE_PATH may say where it is\n");
        exit(77);
    }
    run_onnx_cases(PROGRAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_onnx_runtime_gives_the_same_pixels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
