#!/bin/sh
# A program that is ended by a signal leaves no half-written file and says which signal it was.
set -u
program=$(realpath "$1")
pictures=$(realpath "$(dirname "$0")/../../data/hr")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Noise, because it is slow to write as PNG.
{ printf 'P5 4000 4000 255\n' && head -c 16000000 /dev/urandom; } >in.pgm

# Ends the program with signal $1 (number $2) while it writes its output.
try() {
    # sh starts background jobs with SIGINT ignored, and the program leaves ignored signals alone.
    env --default-signal=INT,HUP,TERM "$program" downscale in.pgm out.png -s 2 2>errors &
    child=$!
    while kill -0 $child 2>/dev/null; do
        set -- "$1" "$2" .out.png.*
        [ -e "$3" ] && break
    done
    kill -s "$1" $child 2>/dev/null
    wait $child
    code=$?
    left=$(ls -A)
    if [ -e out.png ]; then
        rm -f out.png
        return 1 # it was faster: not a failure yet
    fi
    if [ $code != $((128 + $2)) ] || [ "$left" != "$(printf 'errors\nin.pgm')" ] || [ -s errors ]; then
        echo "SIG$1: exit code $code, files: $left"
        cat errors
        exit 1
    fi
}

for signal in INT:2 TERM:15 HUP:1; do
    for attempt in 1 2 3 4 5; do
        try "${signal%:*}" "${signal#*:}" && continue 2
        echo "attempt $attempt: done before the signal came"
    done
    echo "SIG${signal%:*}: never in time"
    exit 1
done

# nohup: a signal that is ignored stays so.
trap '' HUP
ignored=0
for attempt in 1 2 3 4 5; do
    rm -f out.png
    "$program" downscale in.pgm out.png -s 8 &
    child=$!
    until [ -n "$(find . -name '.out.png.*')" ] || [ -e out.png ]; do :; done
    [ -e out.png ] || { kill -s HUP $child && ignored=1; }
    wait $child || { echo "an ignored SIGHUP ended the program"; exit 1; }
    [ $ignored = 0 ] || break
done
[ $ignored = 1 ] || { echo "ignored SIGHUP: never in time"; exit 1; }

# Many files: one signal is enough where the program waits for the other end of a pipe, in whatever it does.
printf 'P5 6 4 255\nabcdefghijklmnopqrstuvwx' >a.pgm
mkfifo stalled.pgm stalled.y4m
feeder=
trap 'kill $feeder 2>/dev/null; rm -rf "$work"' EXIT
# stall_in name begin option...: the next input gives `begin` and no more; without that, nobody has opened it.
stall_in() {
    stalled=$1 begin=$2
    shift 2
    rm -rf many
    if [ -n "$begin" ]; then
        sh -c "exec >$stalled; printf '$begin'; exec sleep 100" &
        feeder=$!
    fi
    timeout --foreground -s KILL 60 "$program" upscale a.pgm "$stalled" -O many "$@" 2>errors &
    child=$!
    for i in $(seq 300); do [ ! -e many/a.pgm ] || break; sleep 0.1; done
    sleep 0.3 # for the next one to be waited for
    kill -s TERM $child
    wait $child
    code=$?
    [ -z "$begin" ] || kill $feeder
    if [ $code != 143 ] || [ "$(ls -A many)" != a.pgm ] ||
        [ "$(cat errors)" != "slbsr: 2 files: 1 done, 1 left; stopped by signal 15" ]; then
        echo "$stalled behind '$begin': exit code $code, files: $(ls -A many)"
        cat errors
        exit 1
    fi
}
stall_in stalled.pgm ''
stall_in stalled.pgm 'P5 60'
stall_in stalled.pgm 'P5 60 40 255 abc'
stall_in stalled.pgm 'P5 60 40 255 abc' --max-memory 256M
stall_in stalled.y4m 'YUV4MPEG2 W16 H16 F25:1 C420\n'

# Training writes a checkpoint first, and the same command goes on from it.
trap - HUP
printf 'input y bicubic\nconv 4 3x3 low norm relu\nconv 1 3x3 full\nadd input\n' >tiny.net
train() {
    rm -f errors # of the run before: a signal must not come before the program is there
    env --default-signal=INT,HUP,TERM "$program" train --data "$pictures" --net tiny.net --bits 1 --batch 1 --patch 16 \
        --steps 200000 --out model.safetensors -j 1 2>errors &
    child=$!
    # The first report says that the steps are under way.
    while kill -0 $child 2>/dev/null && ! grep -qs '^step' errors; do sleep 0.05; done
    kill -s INT $child 2>/dev/null
    wait $child
}
steps() {
    grep '^step' errors | head -1 | sed 's/^step \([0-9]*\).*/\1/'
}
train
code=$?
first=$(steps)
if [ $code != 130 ] || [ ! -e model.safetensors.ckpt ] || [ -e model.safetensors ]; then
    echo "training that was stopped: exit code $code"
    tail -n 5 errors
    exit 1
fi
train
code=$?
second=$(steps)
if [ $code != 130 ] || [ "$second" -le "$first" ]; then
    echo "training that goes on: exit code $code, first report at step $second after $first"
    tail -n 5 errors
    exit 1
fi
