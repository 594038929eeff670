#!/bin/sh
# clang-tidy has nothing to say about src/ but what clang-tidy.yaml and clang-tidy.txt let pass, with reasons.
#   tests/analysis/tidy.sh [FILE...]    all of src/ as a default
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang-tidy >/dev/null && command -v clang >/dev/null ||
    { echo "clang-tidy is missing: sh src/setup.sh analysis"; exit 77; }
listed=tests/analysis/clang-tidy.txt
build=build-clang
CC=clang cmake -B $build -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DSLBSR_WERROR=ON >/dev/null || exit 1
found=$(mktemp) || exit 1
trap 'rm -f "$found"' EXIT

all=
if [ $# = 0 ]; then
    all=yes
    # Files of other processors and of MPI are in no list of commands here. status.c defines what analyzer.h speaks of.
    # shellcheck disable=SC2046 # file names without spaces
    set -- $(ls src/*/*.c | grep -vE '_(neon|dotprod|i8mm|mpi)\.c$|base/status\.c$')
fi
# One file a process: analyses do not disturb each other, and both processors have work until the end.
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet --config-file=tests/analysis/clang-tidy.yaml \
    --extra-arg=-include"$PWD/tests/analysis/analyzer.h" -p $build 2>/dev/null |
    grep -E ': (warning|error): ' | sort -u >"$found"

# "/path/src/a.c:1:2: warning: text [check,check]": the first check decides.
awk -v here="$PWD/" -v all="$all" '
function pattern(glob) {
    gsub(/\./, "\\.", glob)
    gsub(/\*/, "[^/]*", glob)
    return "^" glob "$"
}
FNR == NR {
    if ($0 !~ /^#/ && NF == 2) {
        file[++n] = pattern($1)
        check[n] = $2
        line[n] = $0
    }
    next
}
{
    path = $0
    sub(/:.*/, "", path)
    if (index(path, here) == 1) path = substr(path, length(here) + 1)
    if (path ~ /^\/usr\//) next # intrinsics of the compiler
    what = $0
    sub(/.*\[/, "", what)
    sub(/[],].*/, "", what)
    for (i = 1; i <= n; i++)
        if (path ~ file[i] && what == check[i]) {
            used[i] = 1
            next
        }
    print
    bad = 1
}
END {
    for (i = 1; all && i <= n; i++)
        if (!used[i]) {
            print FILENAME ": nothing fits any more: " line[i]
            bad = 1
        }
    exit bad
}' $listed "$found" || exit 1
echo "clang-tidy: clean"
