#!/bin/sh
# Everything built by clang with warnings as errors, and with it the tests of what compilers may take differently: kernels,
# hashes, codecs, models, training, the library, batches. Not the transcripts: in one of them files must not grow, and
# there libomp itself gives up.
#   tests/analysis/clang.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang >/dev/null || { echo "clang is missing: sh src/setup.sh analysis"; exit 77; }
export OMP_WAIT_POLICY=passive
mkdir -p build-clang
CC=clang cmake -B build-clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DSLBSR_WERROR=ON \
    >build-clang/log 2>&1 && cmake --build build-clang -j"$(nproc)" >>build-clang/log 2>&1 ||
    { grep -E 'error|warning' build-clang/log | head -n 30; exit 1; }
ctest --test-dir build-clang -j"$(nproc)" --output-on-failure \
    -R '^(test_(kernels|hash|plan|codec.*|meta|model|graph|onnx.*|slbsr|resume|gradients.*|upscaler|builtin)|fuzz_.*|cli_(batch|pixels))$'
