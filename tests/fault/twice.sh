#!/bin/sh
# Two runs on the same output or checkpoint at once: one wins, the other says so, and nothing is mixed.
#   tests/fault/twice.sh build/slbsr
. "$(dirname "$0")/setup.inc"

train() {
    exec "$program" train --data "$source/data/hr" --net "$source/tests/train/tiny.net" --bits 2 --batch 4 \
        --patch 24 --warmup 5 --seed 3 --checkpoint-minutes 0.001 -j 1 --out "$@"
}

# Until file $1 is there, or the child is gone.
await() {
    while [ ! -e "$1" ] && kill -0 "$child" 2>/dev/null; do sleep 0.05; done
}

train model --steps 1000000 2>errors.1 &
child=$!
await model.ckpt
(train model --steps 1000000 2>errors.2)
[ $? = 4 ] || complain "a second training on the same --out: exit code $?"
grep -q '^slbsr: model: another run is at work on it' errors.2 || complain "$(cat errors.2)"
kill -0 $child 2>/dev/null || complain "the first training has ended: $(cat errors.1)"
kill -s KILL $child
wait $child 2>/dev/null
[ -e model.lock ] || complain "a killed run takes its lock file along"
child=

# The lock of the killed one is no obstacle, and nothing is left in the end.
rm -f model.ckpt model.csv
(train model --steps 20 2>errors.3) || complain "after a killed run: $(cat errors.3)"
[ "$(ls | grep -c '^model')" = 2 ] || complain "left: $(ls)"

# Upscaling: without -y the first to finish wins; with it both are whole.
{ printf 'P5 96 64 255\n' && head -c 6144 "$program"; } >in.pgm
"$program" upscale in.pgm whole.png --model "$corpus/model/w2-a8" -j 1 || bad=1
for overwrite in "" -y; do
    rm -f out.png
    won=0 children=
    for i in 1 2 3 4; do
        # shellcheck disable=SC2086 # no word, or one
        "$program" upscale in.pgm out.png --model "$corpus/model/w2-a8" -j 1 $overwrite \
            2>errors.$i &
        children="$children $!"
    done
    i=0
    for one in $children; do
        i=$((i + 1))
        wait "$one"
        code=$?
        [ $code = 0 ] && won=$((won + 1))
        [ $code = 0 ] || [ $code = 4 ] || complain "upscaling at once: exit code $code"
        [ $code = 0 ] || grep -q 'out.png: already exists' errors.$i || complain "$(cat errors.$i)"
    done
    [ $won = $([ -n "$overwrite" ] && echo 4 || echo 1) ] || complain "$won of 4 runs at once won ($overwrite)"
    cmp out.png whole.png || complain "mixed ($overwrite)"
done
[ -z "$(ls -A | grep '^\.')" ] || complain "left: $(ls -A)"
finish
