#!/bin/sh
# slbsr eval --html: the page stands alone, is well-formed, and its numbers are those of --json. Small networks after a
# few steps of training will do: figures are not the point. Needs python3.
set -u
command -v python3 >/dev/null || exit 77
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
fail() {
    echo "$1"
    exit 1
}

printf 'input y bicubic\nconv 4 3x3 full relu\nconv 4 3x3 low norm relu\nconv 1 3x3 full\nadd input\n' >tiny.net
for bits in 1 2; do
    "$program" train --data "$source/data/hr" --net tiny.net --bits $bits --steps 4 --batch 2 --patch 24 -j 1 \
        --out "w$bits.safetensors" 2>/dev/null || fail "training"
done
# Colour, grey, a name that HTML would take for markup, a picture smaller than a crop, one that cannot be read.
mkdir -p 'set/HR'
"$program" downscale "$source/data/hr/cat.png" 'set/HR/a <b> & "c".png' -s 2 || fail "downscale"
"$program" downscale "$source/data/hr/coffee.png" set/HR/tiny.png -s 8 || fail "downscale"
awk 'BEGIN { print "P2 61 50 255"; for (i = 0; i < 3050; i++) print i * i % 251 }' >set/HR/grey.pgm
awk 'BEGIN { print "P2 40 40 255"; for (i = 0; i < 1600; i++) print 77 }' >set/HR/flat.pgm
cp -r set other
echo nothing >other/HR/broken.png

check() { # expected line, options...
    want=$1
    shift
    "$program" eval "$@" --json --html page.html -y >out.json 2>errors
    code=$?
    [ $code = 0 ] || [ $code = 1 ] || { cat errors; fail "eval $*: exit code $code"; }
    said=$(python3 "$source/tests/cli/page_check.py" page.html out.json) || fail "eval $*: $said"
    [ "$said" = "$want" ] || fail "eval $*: $said, not $want"
}
# A picture shown with n models: the overview, n + 2 crops, n + 1 error maps.
check "128 pictures, 5 tables" -d set -d other -s 2,3 -m w1.safetensors -m w2.safetensors
check "18 pictures, 2 tables" -d set -s 4 -p rgb --html-crop 16 --html-pictures 3 -m w1.safetensors
check "16 pictures, 2 tables" -d set -s 3
check "0 pictures, 2 tables" -d other -s 2 -p rgb --html-pictures 0

# A page of ours may be replaced, nothing else may without -y; a run that fails leaves no page behind.
"$program" eval -d set -s 2 --html page.html >/dev/null || fail "a report was not replaced"
echo precious >mine.html
"$program" eval -d set -s 2 --html mine.html >/dev/null 2>errors && fail "mine.html was replaced"
[ "$(cat mine.html)" = precious ] || fail "mine.html was touched"
"$program" eval -d nowhere -s 2 --html new.html >/dev/null 2>&1 && fail "a set that is not there"
[ -e new.html ] && fail "new.html is left behind"
rm -f page.html out.json errors
[ -z "$(find . -name '.*' -type f)" ] || fail "temporary files are left behind"
