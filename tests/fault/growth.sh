#!/bin/sh
# Long runs do not grow: neither memory nor descriptors of a batch of 500 pictures and of training with validations,
# checkpoints and a teacher. Both are sampled all along; the most of the last quarter is held against the most of the
# second one. Training takes 20 seconds, or SLBSR_LONG_MINUTES.
#   tests/fault/growth.sh build/slbsr
. "$(dirname "$0")/setup.inc"
[ -r /proc/self/status ] || { echo "no /proc here"; exit 77; }
minutes=${SLBSR_LONG_MINUTES-0.34}

# name code count allowed_kib command...: runs the command, which ends with that code, sampling resident memory (KiB) and
# descriptors.
watch() {
    name=$1 code=$2 least=$3 allowed=$4
    shift 4
    "$@" >printed 2>errors &
    child=$!
    : >samples
    while kill -0 $child 2>/dev/null; do
        memory=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$child/status 2>/dev/null)
        [ -z "$memory" ] || echo "$memory $(ls /proc/$child/fd 2>/dev/null | wc -l)" >>samples
        sleep "$pause"
    done
    wait $child
    ended=$?
    [ $ended = "$code" ] || complain "$name: exit code $ended: $(tail -n 3 errors)"
    child=
    awk -v name="$name" -v least="$least" -v allowed="$allowed" '
        { memory[NR] = $1; files[NR] = $2 }
        function most(list, from, to, i, best) {
            for (i = int(from * NR) + 1; i <= int(to * NR); i++) if (list[i] > best) best = list[i]
            return best + 0
        }
        END {
            early = most(memory, 0.25, 0.5); late = most(memory, 0.75, 1)
            few = most(files, 0.25, 0.5); many = most(files, 0.75, 1)
            printf "%s: %d samples, memory %d, then %d KiB, descriptors %d, then %d\n", name, NR, early, late, few, many
            # Two more: a checkpoint and its folder may be open or not as a sample is taken.
            exit !(NR >= least && late <= early + allowed && many <= few + 2)
        }' samples || complain "$name: grows, or too few samples"
}

mkdir in
i=0
while [ $i -lt 500 ]; do
    i=$((i + 1))
    { printf 'P5 %d 60 255\n' $((60 + i % 5 * 20)) && tail -c +$((i * 500)) "$program" | head -c 8400; } >in/$i.pgm
done
pause=0.005
watch "a batch of 500" 0 8 1024 "$program" upscale -r in -O out --model "$corpus/model/w2-a8" -j 2 --quiet
[ "$(ls out/in out 2>/dev/null | grep -c pgm)" = 500 ] || complain "not 500 outputs"

small_pictures
pause=0.1
watch "training" 1 20 4096 "$program" train --data data --net "$source/tests/train/tiny.net" --bits 2 \
    --batch 2 --patch 16 --scale 2 --val data --val-every 50 --seed 3 --checkpoint-minutes 0.002 -j 1 --out model \
    --steps 100000000 --stop-after "${minutes}m"
echo "training: $(sed -n 's/^step \([0-9]*\).*/\1/p' errors | tail -n 1) steps"
finish
