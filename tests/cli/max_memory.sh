#!/bin/sh
# --max-memory holds: the most that the program had in memory at a time, as the system counts it, for formats that
# stream; and the pixels are those of a run without a limit.
set -u
program=$(realpath "$1")
grep -q '^SLBSR_SANITIZE:STRING=.' "$(dirname "$program")/CMakeCache.txt" && { echo "a build with sanitizers"; exit 77; }
command -v python3 >/dev/null || { echo "no python3 here"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0
complain() {
    echo "$1"
    bad=1
}
source=$(realpath "$(dirname "$0")/../..")
cd "$work" || exit 1
printf 'input y bicubic\nconv 8 3x3 full relu\nconv 8 3x3 low norm relu\nconv 1 3x3 full\nadd input\n' >tiny.net
"$program" train --data "$source/data/hr" --net tiny.net --bits 2 --steps 2 --batch 2 --patch 24 --out m.safetensors \
    2>log || { cat log; exit 1; }
{ printf 'P6\n1500 2000\n255\n'; yes 'a picture that goes on and on, 61 bytes a line, all the same.' | head -c 9000000; } >in.ppm

cat >run.py <<'PYTHON'
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(code)
PYTHON
upscale() { # MiB that it took, to $used
    used=$(python3 run.py "$program" upscale -m m.safetensors -j 2 -y "$@") || complain "$*: failed"
}
upscale in.ppm want.ppm
[ "$used" -gt 100 ] || complain "without a limit only $used MiB were taken: this tests nothing"
for out in out.ppm out.png; do
    upscale in.ppm $out --max-memory 48M
    [ "$used" -le 48 ] || complain "in.ppm to $out: $used MiB of 48 were taken"
    "$program" compare want.ppm $out --min-psnr 1000 >log 2>&1 || { cat log; complain "$out: other pixels"; }
done
"$program" upscale in.ppm in.png -s 1 -m m.safetensors && upscale in.png out.jpg --max-memory 48M
[ "$used" -le 48 ] || complain "in.png to out.jpg: $used MiB of 48 were taken"

# What a dry run tells is a bound, and counts every thread's part of the network.
told() { # MiB, with so many threads
    "$program" upscale in.ppm told.png -m light-x2-w4 -y -n -j "$1" | sed 's/.*, \([0-9]*\) MiB, about .*/\1/'
}
used=$(python3 run.py "$program" upscale in.ppm told.png -m light-x2-w4 -j 4) || complain "with 4 threads: failed"
[ "$used" -le "$(told 4)" ] || complain "a dry run tells of $(told 4) MiB, $used were taken"
[ "$(told 64)" -gt $(($(told 1) + 10)) ] || complain "64 threads take $(told 64) MiB, one takes $(told 1)"

# What a small picture brings along: 14 MiB each of EXIF and XMP, ahead of the pixels or behind them.
python3 - <<'PYTHON'
import struct, zlib

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

exif = chunk(b"eXIf", b"MM\0*\0\0\0\10\0\0" + bytes(14 << 20))
xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x tiff:XResolution='72/1'/>" + b" " * (14 << 20))
head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0))
data, end = chunk(b"IDAT", zlib.compress(bytes(17 * 16))), chunk(b"IEND", b"")
open("early.png", "wb").write(head + exif + xmp + data + end)
open("late.png", "wb").write(head + data + exif + xmp + end)
text = chunk(b"zTXt", b"Key\0\0" + zlib.compress(bytes(14 << 20)))
open("early_more.png", "wb").write(head + exif + xmp + text + data + end)
open("late_more.png", "wb").write(head + data + exif + xmp + text + end)
open("mixed_more.png", "wb").write(head + exif + data + xmp + text + end)
size = struct.pack(">H", 65535)
icc = b"".join(b"\xff\xe2" + size + b"ICC_PROFILE\0" + bytes([i, 240]) + bytes(65519) for i in range(1, 241))
jpeg = open("out.jpg", "rb").read()
open("icc.jpg", "wb").write(jpeg[:2] + icc + jpeg[2:])
PYTHON
# While a picture is opened, too: it is refused before that is too much.
for in in early.png early_more.png late.png late_more.png mixed_more.png icc.jpg; do
    for most in 32 48 96; do # MiB
        used=$(python3 run.py "$program" upscale $in small.png -m m.safetensors -j 2 --max-memory ${most}M 2>log)
        [ $? = 6 ] && [ ! -e small.png ] && [ "$used" -le $most ] || complain "$in: $used MiB of $most were taken, $(cat log)"
        grep -Eq "^slbsr: $in: (more than [0-9]* MiB are needed|its metadata need more .* left for them); raise --max-memory$" log ||
            complain "$in, $most MiB: $(cat log)"
    done
done
for in in early late mixed_more; do
    for wrap in none y; do # streamed, and as a whole
        upscale $in.png small.png --wrap $wrap --max-memory 176M
        [ "$used" -gt 60 ] && [ "$used" -le 176 ] || complain "$in.png, --wrap $wrap: $used MiB of 176 were taken"
    done
    rm -f small.png
done

# Several of them in one run take no more than one.
mkdir several && for i in 1 2 3; do ln early.png several/$i.png; done
upscale -r several -O larger --max-memory 176M
[ "$used" -le 176 ] || complain "three pictures: $used MiB of 176 were taken"
rm -rf several larger

# Video, which is not refused but for what it needs.
{ printf 'YUV4MPEG2 W1500 H1000 F25:1 Ip C420jpeg\n'
  for i in 1 2 3; do printf 'FRAME\n' && tail -c +$((i * 1000)) in.ppm | head -c 2250000; done; } >in.y4m
upscale in.y4m want.y4m
[ "$used" -gt 84 ] || complain "without a limit only $used MiB were taken by a video: this tests nothing"
upscale in.y4m out.y4m --max-memory 84M
[ "$used" -le 84 ] || complain "in.y4m: $used MiB of 84 were taken"
cmp want.y4m out.y4m || complain "out.y4m: other frames"
rm out.y4m
"$program" upscale in.y4m out.y4m -m m.safetensors --max-memory 40M 2>log
[ $? = 6 ] && [ ! -e out.y4m ] && grep -q '^slbsr: in.y4m: more than [0-9]* MiB are needed; raise --max-memory$' log ||
    complain "40 MiB for a video: $(cat log)"
exit $bad
