#!/bin/sh
# Golden tests of the command line. Every tests/cli/cases/*.txt is a transcript: a line "$ COMMAND" is run by sh in an
# empty folder, with slbsr in PATH and the pictures of data/ in ./data, and what follows it is what it prints:
# standard output as it stands, standard error behind "! ", then "[N]" for an exit code other than 0. Lines that begin
# with "#" are remarks.
#   tests/cli/golden.sh build/slbsr            compares
#   tests/cli/golden.sh build/slbsr --record   writes what is printed now into the transcripts; review the diff
set -u
if [ $# -lt 1 ] || [ ! -x "$1" ]; then
    echo "usage: tests/cli/golden.sh path/to/slbsr [--record]" >&2
    exit 2
fi
program=$(realpath "$1")
record=${2-}
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$program" "$work/bin/slbsr"
unset SLBSR_CPU NO_COLOR
PATH="$work/bin:$PATH" LC_ALL=C TERM=dumb
export PATH LC_ALL TERM

# Runs the commands of transcript $1 and prints the transcript they make.
play() {
    mkdir "$work/here"
    ln -s "$here/../../data" "$work/here/data"
    while IFS= read -r line; do
        case $line in
        '#'*) printf '%s\n' "$line" ;;
        '')   printf '\n' ;;
        '$ '*)
            printf '%s\n' "$line"
            (cd "$work/here" && sh -c "${line#??}" >"$work/out" 2>"$work/err" </dev/null)
            code=$?
            cat "$work/out"
            if [ -s "$work/out" ] && [ -n "$(tail -c 1 "$work/out")" ]; then echo '\ no newline'; fi
            # A slow machine says every ten seconds how far it is.
            sed -E '/^slbsr: upscaling[^:]*: [0-9]+ %, /d; s/^/! /' "$work/err"
            [ $code = 0 ] || echo "[$code]"
            ;;
        esac
    done <"$1"
    rm -rf "$work/here"
}

failed=0
for transcript in "$here"/cases/*.txt; do
    # Only commands and remarks are read, so output lines have to be dropped: blank lines separate the cases.
    awk '/^(#|\$ )/ { if (blank && NR > 1) print ""; print; blank = 0; next } /^$/ { blank = 1 }' \
        "$transcript" >"$work/commands"
    play "$work/commands" >"$work/played"
    name=$(basename "$transcript")
    if [ "$record" = --record ]; then
        cmp -s "$work/played" "$transcript" || { cp "$work/played" "$transcript"; echo "recorded $name"; }
    elif ! diff -u --label "$name, expected" --label "$name, printed" "$transcript" "$work/played"; then
        failed=$((failed + 1))
    fi
done
[ $failed = 0 ] || { echo "$failed transcripts differ; --record takes what is printed now"; exit 1; }
