#!/bin/sh
# Every allocation of whole commands fails once: the n-th of them, for every n, until there is none left. What may come
# of it: exit code 6, one line that says so, no output and no temporary file; or the same output as ever, where a
# library can do without. Nothing else: no crash, no other message, no half a file. With the argument "leaks", for a
# program built with -DSLBSR_SANITIZE=address, leaks count too.
#   tests/fault/memory.sh build/slbsr build/tests/fault/libinterpose.so [leaks]
. "$(dirname "$0")/setup.inc"
export OMP_NUM_THREADS=1 ASAN_OPTIONS="verify_asan_link_order=0:allocator_may_return_null=1"
long=${SLBSR_ALL_FAULTS-}
[ "${3-}" = leaks ] || ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0

complain() {
    echo "$name, allocation $n: $1"
    head -c 2000 errors
    bad=$((bad + 1))
}

# What the command has made: names and bytes of files, and what it printed. Training logs hold times.
outcome() {
    (cd here && find . -type f ! -name '*.csv' -exec cksum {} + | sort -k 3 && cksum ../printed)
}

check() {
    # AddressSanitizer asks the C library for the stack of every new thread, and ends the process where that fails.
    grep -q 'CHECK failed: sanitizer_.*pthread_getattr_np' errors && return
    if [ $code = 0 ]; then
        outcome >now
        cmp -s whole now || complain "done, but with another result"
        grep -q '^slbsr: out of memory' errors && complain "done, but out of memory"
        return
    fi
    [ $code = 6 ] || { complain "exit code $code"; return; }
    grep -q '^slbsr: .*out of memory' errors || complain "no word of memory"
    [ "$(grep -c '^slbsr: ' errors)" = 1 ] || grep -v ': note: ' errors | grep -c '^slbsr: ' | grep -qx 1 ||
        complain "more than one message"
    left=$(find here -type f ! -name '*.csv' ! -name '*.ckpt')
    [ -z "$left" ] || complain "left behind: $left"
}

# name step command...: "here" is the folder for outputs. Every `step`-th allocation; all with SLBSR_ALL_FAULTS.
each_allocation() {
    name=$1 step=$2
    shift 2
    [ -z "$long" ] || step=1
    n=0
    rm -rf here && mkdir here
    "$@" >printed 2>errors || { complain "fails by itself"; return; }
    outcome >whole
    n=1
    while :; do
        rm -rf here hit && mkdir here
        inject "malloc:$n" "$@" >printed 2>errors
        code=$?
        [ -e hit ] || break
        check
        [ $bad -lt 20 ] || break
        n=$((n + step))
    done
    [ $n -gt $((step * 9)) ] || complain "$name: only $n allocations; are they failed at all?"
    echo "$name: $n allocations"
}

small_pictures
each_allocation "upscale a PNG with metadata" 5 \
    "$program" upscale "$corpus/png/meta.png" here/out.png --model "$corpus/model/w2-a8" -j 1
each_allocation "upscale a JPEG with metadata" 5 \
    "$program" upscale "$corpus/jpeg/meta.jpg" here/out.jpg --model "$corpus/model/w32" -j 1
each_allocation "upscale a PGM" 5 \
    "$program" upscale "$corpus/pnm/p5-16.pgm" here/out.pam --model "$corpus/model/w4-a8" -j 1
each_allocation "upscale with a built-in model" 331 \
    "$program" upscale "$corpus/png/rgba-16.png" here/out.png -j 1
each_allocation "train" 211 \
    "$program" train --data data --net "$source/tests/train/tiny.net" --bits 2 --batch 2 \
    --patch 16 --steps 2 --out here/out.safetensors -j 1
each_allocation "pack" 1 "$program" pack data here/out.pack -j 1
each_allocation "downscale" 1 "$program" downscale "$corpus/png/interlaced-rgb.png" here/out.bmp -s 2
each_allocation "compare" 1 "$program" compare "$corpus/pnm/p6.ppm" "$corpus/pnm/p6.ppm"
each_allocation "info about a model" 7 "$program" info "$corpus/model/w1-a8"
each_allocation "plot" 1 "$program" plot "$corpus/log/run.csv" --html here/out.html
finish
