#!/bin/sh
# Runs all fuzz targets in turns of a minute (FUZZ_TURN: seconds), one at a time or JOBS at a time, for MINUTES in all, or
# with -1 one turn each, however long that takes; builds them first with clang in build-fuzz (sh src/setup.sh fuzz).
#   tests/fuzz/run.sh [-j JOBS] MINUTES|-1 [TARGET...]
# Inputs that are new go into build-fuzz/corpus/TARGET and are started from again the next time (with -1 they are not: to
# read them all would take longer than the turn); one that breaks something goes into build-fuzz/found: mend the code, then
# keep the input in tests/bad/TARGET. A table at the end, and in build-fuzz/totals over all runs: seconds, executions, edges
# covered, inputs found, seconds of processor time (rows of old lack them). Exit code 1 when anything broke.
set -u
cd "$(dirname "$0")/../.." || exit 1
jobs=1
[ "${1-}" = -j ] && jobs=${2-} && shift 2
minutes=${1-}
corpus=build-fuzz/corpus
once=
[ "$minutes" = -1 ] && minutes=1 once=yes corpus=build-fuzz/corpus-of-one-turn
for number in "$jobs" "$minutes"; do
    case $number in '' | *[!0-9]* | 0*)
        echo "usage: tests/fuzz/run.sh [-j JOBS] MINUTES|-1 [TARGET...]" >&2
        exit 2
        ;;
    esac
done
shift

clang=$(command -v clang || command -v clang-14) || { echo "clang is missing" >&2; exit 1; }
CC=$clang cmake -B build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSLBSR_FUZZ=ON -DSLBSR_WERROR=ON >/dev/null &&
    nice -n 19 cmake --build build-fuzz -j"$(nproc)" >/dev/null || exit 1
if [ $# = 0 ]; then # those that are built: cmyk wants a library
    for source in tests/fuzz/fuzz_*.c; do
        target=$(basename -s .c "$source")
        [ -x "build-fuzz/tests/fuzz/$target" ] && set -- "$@" "${target#fuzz_}"
    done
fi
[ $# -gt 0 ] || { echo "no targets were built" >&2; exit 1; }

turn=${FUZZ_TURN:-60} # seconds
end=$(($(date +%s) + minutes * 60))
[ -n "$once" ] && rm -rf "$corpus"
mkdir -p build-fuzz/found build-fuzz/turns
rm -f build-fuzz/turns/broken

# One turn of target $1, in a shell of its own: `times` then counts this fuzzer alone.
fuzz() (
    seeds=tests/fuzz/corpus/$1
    [ -d "tests/bad/$1" ] && seeds="$seeds tests/bad/$1"
    case $1 in png | jpeg | pnm) seeds="$seeds tests/bad/pictures" ;; esac
    mkdir -p "$corpus/$1"
    dictionary=tests/fuzz/$1.dict
    log=build-fuzz/turns/$1.log
    # shellcheck disable=SC2086 # a list of words
    nice -n 19 "build-fuzz/tests/fuzz/fuzz_$1" -max_total_time=$turn -max_len=65536 -rss_limit_mb=2048 \
        -malloc_limit_mb=1024 -timeout=60 -print_final_stats=1 -artifact_prefix="build-fuzz/found/$1-" \
        $([ -f "$dictionary" ] && echo "-dict=$dictionary") "$corpus/$1" $seeds >"$log" 2>&1
    code=$?
    # A machine that stood still meanwhile looks like an input that takes long: only one that does so again counts.
    for slow in "build-fuzz/found/$1-timeout-"*; do
        [ -e "$slow" ] && "build-fuzz/tests/fuzz/fuzz_$1" -timeout=60 "$slow" >>"$log" 2>&1 && rm -f "$slow" && code=0
    done
    rm -f "build-fuzz/found/$1-slow-unit-"*
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | tr -dc 0-9)
    times >"$log.times"
    processor=$(awk -F'[ms ]+' 'NR == 2 { printf "%.0f", 60 * $1 + $2 + 60 * $3 + $4 }' "$log.times")
    echo "$1 $turn ${executions:-0} ${covered:-0} $((code != 0)) $processor" >>build-fuzz/totals
    [ $code = 0 ] && return
    echo "$1: broken, see $log"
    tail -n 30 "$log"
    : >build-fuzz/turns/broken
)

while [ "$(date +%s)" -lt $end ]; do
    running=0
    for target; do
        [ -n "$once" ] || [ "$(date +%s)" -lt $end ] || break
        fuzz "$target" &
        running=$((running + 1))
        [ $((running % jobs)) = 0 ] && wait
    done
    wait
    [ -n "$once" ] && break
done
awk '{ s[$1] += $2; n[$1] += $3; if ($4 > c[$1]) c[$1] = $4; b[$1] += $5; p[$1] += $6; if (NF > 5) m[$1] += $3 }
    END { printf "%-12s %8s %10s %12s %12s %8s %7s\n", "target", "seconds", "processor", "executions", "a second", "edges",
                 "broken"
          for (t in s) printf "%-12s %8d %10d %12d %12.0f %8d %7d\n", t, s[t], p[t], n[t],
                              p[t] ? m[t] / p[t] : 0, c[t], b[t] | "sort" }' build-fuzz/totals
[ ! -e build-fuzz/turns/broken ]
