#!/bin/sh
# The share of the lines of src/ that the tests reach, but for the kernels of single instruction sets, of which a machine
# runs its own alone (test_kernels holds each against plain C). Under 85 % is a failure.
#   tests/analysis/coverage.sh
# Prints the share of every folder, and files from the least on with -v.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v gcov >/dev/null && command -v python3 >/dev/null || { echo "gcov or python3 is missing"; exit 77; }
build=build-coverage
mkdir -p $build
cmake -B $build -DSLBSR_COVERAGE=ON >$build/log 2>&1 && cmake --build $build -j"$(nproc)" >>$build/log 2>&1 || { tail -n 30 $build/log; exit 1; }
find $build -name '*.gcda' -delete
# Not those that build the program anew, emulate a processor or want hours of a quick machine. What a test finds is no
# matter here: others run them. Each on one processor alone: threads would wait for each other's counters all the time.
n=$(nproc)
for i in $(seq "$n"); do
    pin="taskset -c $((i - 1))"
    $pin true 2>/dev/null || pin=
    $pin ctest --test-dir $build -I "$i,,$n" --timeout 600 \
        -E '^(cross_.*|fault_.*|cli_(install|library|package|fetch|mpi|kill|sets|pixels)|test_(official|psnr|onnx.*))$' \
        >>"$build/log.$i" 2>&1 &
done
wait
python3 tests/analysis/coverage.py $build 85 "$@"
