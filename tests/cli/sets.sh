#!/bin/sh
# Bicubic on Set5 by both protocols, to the last digit of the published figures and of those computed for this
# project (SSIM published for the vdsr protocol only).
set -u
program=$(realpath "$1")
sets=$(dirname "$0")/../../../shared/data/eval
if [ ! -d "$sets/Set5/HR" ]; then
    echo "skipped: no Set5 in $sets"
    exit 77
fi
bad=0
# protocol, expected means of x2 x3 x4, further options
check() {
    protocol=$1 expected=$2 columns=$3
    shift 3
    got=$("$program" eval --data "$sets/Set5" --protocol "$protocol" "$@" |
        awk -v columns="$columns" '$1 == "mean" { printf "%s%s", sep, columns == 2 ? $2 " " $3 : $2; sep = ", " }')
    [ "$got" = "$expected" ] || { echo "$protocol $*: $got instead of $expected"; bad=1; }
}
check vdsr '33.6614 0.9299, 30.3922 0.8682, 28.4207 0.8104' 2
check rgb '33.6734, 30.4033, 28.4290' 1
# Small pictures of the set itself, whose border was replicated, not mirrored: measured with this program.
check rgb '33.6741, 30.4047, 28.4302' 1 --lr
exit $bad
