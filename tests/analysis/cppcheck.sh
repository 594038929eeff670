#!/bin/sh
# cppcheck has nothing to say about src/ and tests/ but what tests/analysis/cppcheck.txt lets pass, with reasons.
#   tests/analysis/cppcheck.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v cppcheck >/dev/null || { echo "cppcheck is missing: sh src/setup.sh analysis"; exit 77; }
# Both processors' kernels are read, whatever this machine is. Tables of CMocka's macros are no code of ours.
cppcheck --enable=warning,style,performance,portability --inline-suppr --std=c11 --library=posix --quiet \
    -j "$(nproc)" --error-exitcode=1 --suppressions-list=tests/analysis/cppcheck.txt \
    --template='{file}:{line}: {id}: {message}' -I src -D_GNU_SOURCE -D__x86_64__ src &&
    cppcheck --enable=warning,performance,portability --inline-suppr --std=c11 --library=posix --quiet \
        -j "$(nproc)" --error-exitcode=1 --suppressions-list=tests/analysis/cppcheck.txt \
        --template='{file}:{line}: {id}: {message}' -I src -I tests -D_GNU_SOURCE -D__x86_64__ tests &&
    echo "cppcheck: clean"
