#!/bin/sh
# Runs all fuzz targets, one at a time, in turns of a minute (FUZZ_TURN: seconds), for MINUTES in all; builds them first
# with clang in build-fuzz (sh src/setup.sh fuzz).
#   tests/fuzz/run.sh MINUTES [TARGET...]
# Inputs that are new go into build-fuzz/corpus/TARGET and are started from again the next time; one that breaks
# something goes into build-fuzz/found: mend the code, then keep the input in tests/bad/TARGET. A table at the end, and
# in build-fuzz/totals over all runs: seconds, executions, edges covered, inputs found. Exit code 1 when anything broke.
set -u
cd "$(dirname "$0")/../.." || exit 1
minutes=${1-}
case $minutes in '' | *[!0-9]* | 0*)
    echo "usage: tests/fuzz/run.sh MINUTES [TARGET...]" >&2
    exit 2
    ;;
esac
shift
[ $# -gt 0 ] || set -- $(basename -s .c tests/fuzz/fuzz_*.c | sed 's/^fuzz_//')

clang=$(command -v clang || command -v clang-14) || { echo "clang is missing" >&2; exit 1; }
CC=$clang cmake -B build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSLBSR_FUZZ=ON -DSLBSR_WERROR=ON >/dev/null &&
    nice -n 19 cmake --build build-fuzz -j"$(nproc)" >/dev/null || exit 1

turn=${FUZZ_TURN:-60} # seconds
end=$(($(date +%s) + minutes * 60))
mkdir -p build-fuzz/found build-fuzz/turns
broken=0

# One turn of target $1.
fuzz() {
    seeds=tests/fuzz/corpus/$1
    [ -d "tests/bad/$1" ] && seeds="$seeds tests/bad/$1"
    case $1 in png | jpeg | pnm) seeds="$seeds tests/bad/pictures" ;; esac
    mkdir -p "build-fuzz/corpus/$1"
    dictionary=tests/fuzz/$1.dict
    log=build-fuzz/turns/$1.log
    # shellcheck disable=SC2086 # a list of words
    nice -n 19 "build-fuzz/tests/fuzz/fuzz_$1" -max_total_time=$turn -max_len=65536 -rss_limit_mb=2048 \
        -malloc_limit_mb=1024 -timeout=60 -print_final_stats=1 -artifact_prefix="build-fuzz/found/$1-" \
        $([ -f "$dictionary" ] && echo "-dict=$dictionary") "build-fuzz/corpus/$1" $seeds >"$log" 2>&1
    code=$?
    # A machine that stood still meanwhile looks like an input that takes long: only one that does so again counts.
    for slow in "build-fuzz/found/$1-timeout-"*; do
        [ -e "$slow" ] && "build-fuzz/tests/fuzz/fuzz_$1" -timeout=60 "$slow" >>"$log" 2>&1 && rm -f "$slow" && code=0
    done
    rm -f "build-fuzz/found/$1-slow-unit-"*
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | tr -dc 0-9)
    [ $code = 0 ] || broken=$((broken + 1))
    echo "$1 $turn ${executions:-0} ${covered:-0} $((code != 0))" >>build-fuzz/totals
    [ $code = 0 ] || { echo "$1: broken, see $log"; tail -n 30 "$log"; }
}

while [ "$(date +%s)" -lt $end ]; do
    for target; do
        [ "$(date +%s)" -lt $end ] && fuzz "$target"
    done
done
awk '{ s[$1] += $2; n[$1] += $3; if ($4 > c[$1]) c[$1] = $4; b[$1] += $5 }
    END { printf "%-12s %8s %12s %8s %7s\n", "target", "seconds", "executions", "edges", "broken"
          for (t in s) printf "%-12s %8d %12d %8d %7d\n", t, s[t], n[t], c[t], b[t] | "sort" }' build-fuzz/totals
[ $broken = 0 ]
