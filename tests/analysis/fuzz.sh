#!/bin/sh
# All targets of fuzzing for ten seconds each, two at a time, from their seeds and from what once broke something, with clang's
# sanitizers, which see other things than gcc's. For longer: tests/fuzz/run.sh.
#   tests/analysis/fuzz.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang >/dev/null || { echo "clang is missing: sh src/setup.sh fuzz"; exit 77; }
FUZZ_TURN=10 tests/fuzz/run.sh -j 2 -1
