#!/bin/sh
# What training and packing do with pictures that cannot be used: each kind is told, the rest is used.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
# exit code, text that standard error must hold, command
expect() {
    code=$1 text=$2
    shift 2
    "$program" "$@" >/dev/null 2>errors
    got=$?
    if [ $got != "$code" ] || ! grep -q -- "$text" errors; then
        echo "$*: exit code $got instead of $code, or without '$text':"
        cat errors
        bad=1
    fi
}
train() {
    code=$1 text=$2
    shift 2
    expect "$code" "$text" train --net "$source/tests/train/tiny.net" --bits 2 --batch 2 --patch 24 --steps 2 \
        -y -j 2 --out model.safetensors --data "$@"
}

good=$(ls "$source"/data/hr/*.png | head -1)
mkdir empty small broken all
printf 'P5 20 20 255\n%400s' '' >small/small.pgm
echo 'no picture' >broken/a-text.png
# Cut within its data: the header is whole.
head -c "$(($(wc -c <"$good") / 2))" "$good" >broken/b-cut.png
cp small/* broken/* all
cp "$good" all/c-good.png
cp "$good" all/d-good.png

train 3 'empty: no pictures in it (png' empty
train 3 'small: no usable picture: 1 found, all smaller than 28 pixels a side; give' small
train 3 'broken: no usable picture; the first that failed: broken/a-text.png: ' broken
train 0 'note: training on 2 pictures' all
train 0 'note: 1 pictures passed over: smaller than a patch' all
train 0 'note: 2 files passed over that cannot be read, the first: all/a-text.png: ' all
expect 3 'missing: ' train --data missing --out model.safetensors -y

expect 3 'empty: no pictures in it' pack empty out.pack
expect 3 'broken: no readable picture; the first: ' pack broken out.pack
[ ! -e out.pack ] || { echo "a pack of nothing"; bad=1; }
# The cut picture is found while it is decoded: the announcement has it, the file does not.
expect 0 'note: out.pack: 4 pictures' pack all out.pack -j 2
grep -q 'note: 2 files passed over that cannot be read, the first: all/a-text.png: ' errors || bad=1
grep -q 'note: out.pack: 3 pictures' errors || bad=1
rm all/a-text.png all/b-cut.png
expect 0 'note: same.pack: 3 pictures' pack all same.pack
cmp out.pack same.pack || { echo "the pack differs from that of the good pictures"; bad=1; }

# Training from the pack is training from the folder.
train 0 'note: 1 pictures passed over: smaller' all
cp model.safetensors folder
train 0 'note: training on 2 pictures' out.pack
sed 's/--data out\.pack/--data all/' model.safetensors | tail -c 2000 >a
tail -c 2000 folder | cmp - a || { echo "other weights from the pack"; bad=1; }
exit $bad
