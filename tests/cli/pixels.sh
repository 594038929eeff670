#!/bin/sh
# The pixels of models with activation codes are the same everywhere: tests/golden/pixels.csv holds a checksum for
# model, picture and scale, and every kernel level of this machine must give it, with 1, 2, 3 and 7 threads, which also
# cut the picture into different strips. test_hash forces widths of strips, test_upscaler heights of bands.
#   tests/cli/pixels.sh build/slbsr            compares
#   tests/cli/pixels.sh build/slbsr --record   writes the table anew; review the diff
# SLBSR_RUNNER, e.g. "qemu-x86_64 -cpu Nehalem", runs the program on another processor; SLBSR_PIXEL_LEVELS, e.g. "c",
# restricts the levels.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
table=$source/tests/golden/pixels.csv
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset SLBSR_CPU
export OMP_WAIT_POLICY=passive

run() {
    # shellcheck disable=SC2086 # words
    ${SLBSR_RUNNER-} "$program" "$@"
}

# Small pictures, odd sizes among them: made by arithmetic that is the same everywhere, too.
for picture in astronaut:13 cat:16 coffee:11; do
    run downscale "$source/data/hr/${picture%:*}.png" "${picture%:*}.ppm" -s "${picture#*:}" || exit 1
done

# checksum model picture scale level threads
checksum() {
    SLBSR_CPU=$4 run upscale "$2.ppm" out.ppm -y -m "$1" -s "$3" -j "$5" 2>errors || { cat errors >&2; return 1; }
    cksum out.ppm | awk '{ print $1 }'
}

# Built-in models with activation codes: those that the table is about.
models() {
    run info | awk '$1 == "model" && /[0-9]-bit activations/ { sub(":", "", $2); print $2 }'
}

if [ "${2-}" = --record ]; then
    {
        echo "model,picture,scale,cksum"
        models | while read -r model; do
            for row in astronaut,2 cat,3 coffee,4; do
                sum=$(checksum "$model" "${row%,*}" "${row#*,}" c 1 2>/dev/null) && echo "$model,$row,$sum"
            done
        done
    } >table.new && cp table.new "$table"
    exit
fi

levels=${SLBSR_PIXEL_LEVELS-$(run info | sed -n 's/^kernels .*(this machine has: *\(.*\))$/\1/p')}
[ -n "$levels" ] || { echo "no levels"; exit 1; }
bad=0 checked=0
for model in $(models); do
    grep -q "^$model," "$table" || { echo "$model: is not in $table; record it anew"; bad=1; }
done
for level in $levels; do
    threads="1 2 3 7"
    [ "$level" = c ] && threads=2 # plain C takes its time
    while IFS=, read -r model picture scale want; do
        [ "$model" != model ] || continue
        for n in $threads; do
            got=$(checksum "$model" "$picture" "$scale" "$level" "$n")
            checked=$((checked + 1))
            [ "$got" = "$want" ] && continue
            echo "$model, $picture x$scale: other pixels on $level with $n threads"
            bad=1
        done
    done <"$table"
done
echo "$checked pictures on: $levels"
[ $checked -gt 0 ] && [ $bad = 0 ]
