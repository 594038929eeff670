#!/bin/sh
# Batch upscaling and training are killed (SIGKILL) at moments spread at random over their whole time: 6, or 200 with
# SLBSR_ALL_FAULTS. Afterwards every output is whole or absent; the batch is completed by --skip-existing, and training,
# started again, ends with the same bytes as a run that was left alone.
#   tests/fault/kill.sh build/slbsr
. "$(dirname "$0")/setup.inc"
moments=3
[ -z "${SLBSR_ALL_FAULTS-}" ] || moments=100
model=$corpus/model/w2-a8
killed=0

mkdir in
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    { printf 'P5 160 120 255\n' && tail -c +$((i * 1000)) "$program" | head -c 19200; } >in/$i.pgm
done
upscale() {
    exec "$program" upscale in/*.pgm -O "$@" -m "$model" -j 2 --quiet 2>>errors
}
train() {
    exec "$program" train --data "$source/data/hr" --net "$source/tests/train/tiny.net" --bits 2 --batch 4 --patch 24 \
        --steps 200 --warmup 20 --lr 1e-3 --seed 3 --checkpoint-minutes 0.001 -j 1 --out "$@" 2>>errors
}

# Seconds that a command takes.
timed() {
    begin=$(date +%s.%N)
    ("$@") || complain "fails by itself: $(cat errors)"
    awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { print b - a }'
}

# Starts a command and kills it at moment $1 of $2 seconds.
kill_within() {
    at=$(awk -v seed="$1" -v all="$2" 'BEGIN { srand(seed); rand(); print rand() * all }')
    shift 2
    "$@" &
    child=$!
    sleep "$at"
    kill -s KILL $child 2>/dev/null && killed=$((killed + 1))
    wait $child 2>/dev/null
    child=
}

whole_time=$(timed upscale whole)
i=0
while [ $i -lt $moments ]; do
    i=$((i + 1))
    rm -rf out
    kill_within $i "$whole_time" upscale out
    for file in out/*.pgm; do
        [ ! -e "$file" ] || cmp "$file" "whole/${file#out/}" || complain "batch, moment $i: $file is not whole"
    done
    (upscale out --skip-existing) || complain "batch, moment $i: does not go on: $(tail -n 3 errors)"
    diff -r -x '.*' whole out || complain "batch, moment $i: another result"
done

train_time=$(timed train model)
[ -e model ] || { complain "no training"; finish; }
mv model whole.model
i=0
while [ $i -lt $moments ]; do
    i=$((i + 1))
    rm -f model model.*
    kill_within $((i + 1000)) "$train_time" train model
    [ ! -e model ] || cmp model whole.model || complain "training, moment $i: the model is not whole"
    [ -e model ] || (train model) || complain "training, moment $i: does not go on: $(tail -n 3 errors)"
    cmp model whole.model || complain "training, moment $i: another model"
done
echo "killed $killed of $((2 * moments)) times before the end"
[ $killed -ge $moments ] || complain "too few"
finish
