#!/bin/sh
# Many files in one run: the same bytes and the same messages as one run for each, no descriptors lost, and a signal
# leaves only whole pictures.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

printf 'input y bicubic\nconv 4 3x3 full relu\nconv 4 3x3 low norm relu\nconv 1 3x3 full\nadd input\n' >tiny.net
"$program" train --data "$source/data/hr" --net tiny.net --bits 2 --steps 4 --batch 1 --patch 16 --out w2.safetensors \
    2>errors || { cat errors; exit 1; }

# Pictures of many sizes, every seventh damaged, every fifth with an alpha that JPEG cannot hold.
mkdir in
for i in $(seq 10 69); do
    width=$((i * 37 % 61 + 1)) height=$((i * 53 % 47 + 1))
    if [ $((i % 7)) = 0 ]; then
        echo "P5 $width $height 255" >in/$i.pgm
    elif [ $((i % 5)) = 0 ]; then
        { printf 'P7\nWIDTH %d\nHEIGHT %d\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n' $width $height
          head -c $((width * height * 2)) "$program"; } >in/$i.pam
    else
        { echo "P5 $width $height 255" && head -c $((width * height)) "$program"; } >in/$i.pgm
    fi
done
mkdir single
for file in in/*; do
    name=$(basename "${file%.*}")
    "$program" upscale "$file" single/"$name".jpg -m w2.safetensors 2>>wanted
done
echo "slbsr: 60 files: 52 done, 8 failed" >>wanted
sed 's|single/|many/|' wanted >messages
for threads in 1 3; do
    rm -rf many
    # Far fewer descriptors than files.
    (ulimit -n 24; "$program" upscale -r in -O many --format jpg -m w2.safetensors -j $threads 2>errors)
    code=$?
    [ $code = 1 ] || { echo "exit code $code"; cat errors; exit 1; }
    diff messages errors || { echo "other messages"; exit 1; }
    diff -r single many || { echo "other files"; exit 1; }
done

# A signal in the middle: what is there is whole, the rest is missing, the sum is told.
mkdir cats
for i in $(seq 10 59); do ln -s "$source/data/cat.png" cats/$i.png; done
try() {
    rm -rf half
    env --default-signal=INT,HUP,TERM "$program" upscale -r cats -O half 2>errors &
    child=$!
    while kill -0 $child 2>/dev/null && [ ! -e half/11.png ]; do sleep 0.01; done
    kill -s "$1" $child
    wait $child
    code=$?
    count=$(ls half | wc -l)
    [ $code = $((128 + $2)) ] || { echo "SIG$1: exit code $code"; cat errors; exit 1; }
    [ "$(ls -A half | wc -l)" = "$count" ] || { echo "SIG$1: left over:"; ls -A half; exit 1; }
    grep -qx "slbsr: 50 files: $count done, $((50 - count)) left; stopped by signal $2" errors ||
        { echo "SIG$1: $count done"; cat errors; exit 1; }
    for file in half/*; do
        "$program" info "$file" | grep -q 450x300 && cmp -s "$file" half/10.png || { echo "$file is not whole"; exit 1; }
    done
}
try INT 2
try TERM 15

# A device that is full, where the first result was to be: the rest is not enlarged in vain.
mkdir full && ln -s /dev/full full/10.png
"$program" upscale -r cats -O full 2>errors
code=$?
grep -q '^slbsr: full/10.png: cannot be written: No space left on device$' errors && [ $code = 4 ] ||
    { echo "full: exit code $code"; cat errors; exit 1; }
sum=$(tail -n 1 errors)
left=$(echo "$sum" | sed 's/.* 1 failed, \([0-9]*\) left; no more can be written: No space left on device$/\1/')
[ "$left" -ge 40 ] 2>/dev/null || { echo "full: $sum"; exit 1; }

# A file that becomes too large is one file's matter.
mkdir sizes && ln -s "$source/data/cat.png" sizes/a.png && echo 'P5 1 1 255 a' >sizes/b.pgm
(trap '' XFSZ && ulimit -f 2 && exec "$program" upscale -r sizes -O limited -m w2.safetensors 2>errors)
code=$?
[ $code = 1 ] && [ "$(tail -n 1 errors)" = "slbsr: 2 files: 1 done, 1 failed" ] ||
    { echo "a limit of size: exit code $code"; cat errors; exit 1; }
