#!/bin/sh
# ThreadSanitizer over what runs in several threads: the library as a server uses it (many contexts in many threads of
# one process), plans and training with OpenMP, the threads that write checkpoints and fetch packs, a batch of pictures.
# The build is clang's; tsan.txt says why.
#   tests/analysis/threads.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
archer=$(ls /usr/lib/llvm-*/lib/libarcher.so 2>/dev/null | tail -n 1)
[ -n "$archer" ] && command -v clang >/dev/null || { echo "clang or libarcher is missing: sh src/setup.sh analysis"; exit 77; }
build=$PWD/build-threads
tests="test_slbsr test_hash test_pack test_resume"
mkdir -p "$build"
# shellcheck disable=SC2086 # a list of words
CC=clang cmake -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSLBSR_SANITIZE=thread -DSLBSR_WERROR=ON >/dev/null &&
    cmake --build "$build" -j"$(nproc)" --target slbsr $tests >"$build/log" 2>&1 || { tail -n 30 "$build/log"; exit 1; }

export OMP_TOOL_LIBRARIES="$archer" OMP_WAIT_POLICY=passive
export TSAN_OPTIONS="suppressions='$PWD/tests/analysis/tsan.txt' ignore_noninstrumented_modules=1 halt_on_error=1"
bad=0
clang -g -O1 -fopenmp=libomp -fsanitize=thread tests/analysis/race.c -o "$build/race" &&
    "$build/race" none >/dev/null 2>&1 || { echo "a program without a race is complained of"; bad=1; }
"$build/race" race 2>&1 | grep -q 'WARNING: ThreadSanitizer: data race' || { echo "a race is not found"; bad=1; }
for t in $tests; do
    "$build/tests/$t" >"$build/$t.log" 2>&1 || { echo "$t:"; tail -n 60 "$build/$t.log"; bad=1; }
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$build/slbsr" upscale tests/fuzz/corpus/png/rgb-8.png tests/fuzz/corpus/png/meta.png -O "$work/out" -j 3 \
    -m tests/fuzz/corpus/model/w2-a8 --quiet || { echo "a batch"; bad=1; }
"$build/slbsr" train --data data/hr --net tests/train/tiny.net --bits 2 --batch 4 --patch 24 --steps 6 --val data/hr \
    --val-every 3 --checkpoint-minutes 0.001 --out "$work/model" -j 3 >"$work/log" 2>&1 ||
    { echo "training"; tail -n 40 "$work/log"; bad=1; }
[ $bad = 0 ] && echo "threads: clean"
