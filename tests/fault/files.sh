#!/bin/sh
# Writing goes wrong in every way that there is: no space left, input/output errors, short writes, a full device; at
# each of the first calls of each kind, then at fewer and fewer until there is none left (SLBSR_ALL_FAULTS: at every
# one). What may come of it: the same output as ever,
# or exit code 4, one line that names the file and the reason, no new file and no temporary one, and what stood at the
# output's name before still there. Training that failed so goes on afterwards and ends with the same bytes.
#   tests/fault/files.sh build/slbsr build/tests/fault/libinterpose.so
. "$(dirname "$0")/setup.inc"
export OMP_NUM_THREADS=1
faults=0
writing="open::ENOSPC write::ENOSPC write::EIO pwrite::ENOSPC pwrite::short fsync::EIO fclose::EIO link::EIO rename::EIO"
kinds= # of these that came to pass
next() { # n, all up to
    if [ -n "${SLBSR_ALL_FAULTS-}" ] || [ "$1" -lt "$2" ]; then echo $(($1 + 1)); else echo $(($1 * 2)); fi
}

complain() {
    echo "$name, ${fault-}: $1"
    head -c 2000 errors
    bad=$((bad + 1))
}

# One line of error that names a file of here/ and says why.
check_message() {
    lines=$(grep -a '^slbsr: ' errors | grep -av ': note: ')
    [ "$(printf '%s\n' "$lines" | wc -l)" = 1 ] || complain "not one message"
    case $lines in
    *here/*"No space left on device"* | *here/*"Input/output error"* | *here/*"write error"*) ;;
    *) complain "the message does not say which file and why" ;;
    esac
}

# name output command...: runs the command with each fault of each kind.
each_fault() {
    name=$1 out=$2
    shift 2
    rm -rf here && mkdir here
    unset fault
    "$@" 2>errors || { complain "fails by itself"; return; }
    cp "$out" whole
    for kind in $writing; do
        n=1
        while :; do
            fault=${kind%%:*}:$n:${kind##*:}
            rm -rf here hit && mkdir here
            [ "$old" = none ] || echo "what stood there" >"$out"
            inject "$fault" "$@" 2>errors
            code=$?
            [ -e hit ] || break
            faults=$((faults + 1)) kinds="$kinds $kind"
            if [ $code = 0 ]; then
                cmp -s whole "$out" || complain "done, but with another output"
            else
                [ $code = 4 ] || complain "exit code $code"
                check_message
                if [ "$old" = none ]; then
                    [ -z "$(ls -A here)" ] || complain "left behind: $(ls -A here)"
                else
                    [ "$(cat here/*)" = "what stood there" ] && [ "$(ls -A here | wc -l)" = 1 ] ||
                        complain "the old file is gone or not alone: $(ls -A here)"
                fi
            fi
            [ $bad -lt 10 ] || break 2
            # The first calls and the last are the interesting ones.
            n=$(next $n 12)
        done
    done
}

old=none
for end in png jpg ppm pam bmp; do
    each_fault "upscale to $end" here/out.$end \
        "$program" upscale "$corpus/png/rgb-8.png" here/out.$end --model "$corpus/model/w2-a8" -j 1
done
small_pictures
each_fault "pack" here/out.pack "$program" pack data here/out.pack
each_fault "plot" here/out.html "$program" plot "$corpus/log/run.csv" --html here/out.html
old=kept
each_fault "upscale over an old file" here/out.png \
    "$program" upscale "$corpus/png/meta.png" here/out.png -y --model "$corpus/model/w2-a8" -j 1

# Training: a checkpoint, a record and a model are written.
train() {
    "$program" train --data data --net "$source/tests/train/tiny.net" --bits 2 --batch 2 --patch 16 --steps 30 \
        --checkpoint-minutes 0.001 --out here/out.safetensors -j 1
}
name=train
rm -rf here && mkdir here
train 2>errors || complain "fails by itself"
cp here/out.safetensors whole
for kind in open::ENOSPC write::ENOSPC fsync::EIO fclose::EIO rename::EIO link::EIO; do
    n=1
    while :; do
        fault=${kind%%:*}:$n:${kind##*:}
        rm -rf here hit && mkdir here
        inject "$fault" train 2>errors
        code=$?
        [ -e hit ] || break
        faults=$((faults + 1))
        if [ $code != 0 ]; then
            [ $code = 4 ] || complain "exit code $code"
            check_message
            [ ! -e here/out.safetensors ] || complain "failed, and yet there is a model"
            train 2>errors || complain "does not go on"
        fi
        cmp -s whole here/out.safetensors || complain "another model"
        [ -z "$(ls -A here | grep '^\.')" ] || complain "left behind: $(ls -A here)"
        [ $bad -lt 10 ] || break 2
        n=$(next $n 6)
    done
done
unset fault

# A device that is full, as output and as standard output.
name="/dev/full"
"$program" upscale "$corpus/png/rgb-8.png" /dev/full --format png --model "$corpus/model/w2-a8" 2>errors
[ $? = 4 ] || complain "an output that is lost is no error"
grep -q '/dev/full: cannot be written: No space left' errors || complain "as output, without the reason"
[ -c /dev/full ] || complain "is gone"
"$program" info "$corpus/model/w2-a8" >/dev/full 2>errors
[ $? = 4 ] || complain "results that are lost are no error"
grep -q 'standard output: cannot be written: No space left' errors || complain "without the reason"

# The kernel itself: files of at most so many blocks of 512 bytes.
name="a limit of the size of files"
{ printf 'P5 64 64 255\n' && tail -c +5000 "$program" | head -c 4096; } >large.pgm
rm -rf here && mkdir here
(trap '' XFSZ && ulimit -f 1 && exec "$program" upscale large.pgm here/out.png --model "$corpus/model/w2-a8" 2>here.err)
code=$?
mv here.err errors
[ $code = 4 ] && [ -z "$(ls -A here)" ] || complain "exit code $code, files: $(ls -A here)"

# A file system that is full, where one may be mounted.
name="a full file system"
mkdir small
if mount -t tmpfs -o size=8k tmpfs small 2>/dev/null; then
    "$program" upscale large.pgm small/out.pgm --model "$corpus/model/w2-a8" 2>errors
    code=$?
    grep -q 'small/out.pgm: .*No space left' errors || complain "without the reason"
    [ $code = 4 ] && [ -z "$(ls -A small)" ] || complain "exit code $code, files: $(ls -A small)"
else
    echo "no file system may be mounted here: that part was left out"
fi
echo "$faults faults"
[ $faults -gt 50 ] || complain "too few"
for kind in $writing; do
    case "$kinds " in *" $kind "*) ;; *) complain "$kind never came to pass" ;; esac
done
finish
