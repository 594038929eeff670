#!/bin/sh
# Training that is killed (SIGKILL) again and again ends with the same bytes as training that is
# left alone, and so does training with another number of threads.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Threads that wait without spinning: the machine may be busy, and the network is tiny.
export OMP_WAIT_POLICY=passive

# For the background: exec, so that the signal reaches the program and not a shell around it.
train() {
    exec "$program" train --data "$source/data/hr" --net "$source/tests/train/tiny.net" --bits 2 \
        --batch 4 --patch 24 --steps 2000 --warmup 20 --lr 1e-3 --ema 0.99 --seed 3 \
        --checkpoint-minutes 0.001 "$@" 2>>errors
}

# The command line, which the file records, is the only difference (of equal length).
strip() {
    sed -e 's/whole\.safetensors -j 1/FILE/; s/other\.safetensors -j 2/FILE/' "$1"
}

# Whole with one thread, and killed again and again with two; $1: the precision.
try() {
    kills=0
    rm -f ./*.safetensors*
    (train --out whole.safetensors -j 1 --precision "$1")
    code=$?
    [ $code = 8 ] && { echo "$1: not on this machine"; return; }
    [ $code = 0 ] || { cat errors; exit 1; }
    while [ ! -e other.safetensors ]; do
        train --out other.safetensors -j 2 --precision "$1" &
        child=$!
        # A different time to live each round, growing, so that a slow machine gets there, too.
        tenths=$((2 + kills % 5 + kills / 5))
        sleep $((tenths / 10)).$((tenths % 10))
        kill -s KILL $child 2>/dev/null && kills=$((kills + 1))
        wait $child 2>/dev/null
        if [ $kills -gt 60 ]; then
            echo "killed $kills times and still not done"
            cat errors
            exit 1
        fi
    done
    if [ $kills -lt 2 ]; then
        echo "done before it could be killed twice ($kills)"
        exit 1
    fi
    strip whole.safetensors >a
    strip other.safetensors >b
    cmp a b || { echo "$1, killed $kills times: other bytes"; exit 1; }
    [ ! -e other.safetensors.ckpt ] || { echo "the checkpoint is still there"; exit 1; }
    all=$((all + kills))
}

all=0
try float32
try bf16
left=$(ls -A | grep -c '^\.')
# A killed run may leave a temporary file of the checkpoint; it is never taken for one.
[ "$left" -le "$all" ] || { echo "$left temporary files left"; exit 1; }
