#!/bin/sh
# Video through pipes: ffmpeg makes a clip, slbsr enlarges it, ffmpeg takes it, and what comes out is the clip. Skipped
# where there is no ffmpeg.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || { echo "no ffmpeg here"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
complain() {
    echo "$1"
    bad=1
}
quiet="-v error -nostdin -y"

# A clip of four frames that moves, and the same at half its size.
# shellcheck disable=SC2086 # a list of words
ffmpeg $quiet -f lavfi -i mandelbrot=s=96x64:r=30000/1001 -frames:v 4 -vf setsar=4/3,format=yuv444p -c:v ffv1 large.mkv ||
    exit 1

# What there is in a stream: size, rate, shape of a pixel, format, frames.
facts() {
    ffprobe -v error -count_frames -of csv=p=0 -show_entries \
        stream=width,height,pix_fmt,sample_aspect_ratio,r_frame_rate,nb_read_frames "$1"
}

# Enlarges the half-size clip in pixel format $1 (with ffmpeg's options $2) and holds it against the large one: PSNR of
# each plane at least $3 dB, so that none is swapped, shifted or of other levels.
try() {
    # shellcheck disable=SC2086 # lists of words
    ffmpeg $quiet -i large.mkv $2 -vf scale=48:32:flags=bicubic,format=$1 -strict -1 -f yuv4mpegpipe - 2>errors |
        "$program" upscale - - 2>>errors | ffmpeg $quiet -f yuv4mpegpipe -i - -c:v ffv1 out.mkv 2>>errors
    [ -s errors ] && { complain "$1 $2: $(cat errors)"; return; }
    wanted="96,64,4:3,$(echo "$1" | sed s/yuvj/yuv/),30000/1001,4"
    [ "$(facts out.mkv)" = "$wanted" ] || complain "$1 $2: $(facts out.mkv), not $wanted"
    ffmpeg -nostdin -i out.mkv -i large.mkv -lavfi "[1]scale=flags=bicubic,format=$1[b];[0]format=$1[a];[a][b]psnr" \
        -f null - 2>&1 | sed -n 's/.*PSNR \(.*\) average.*/\1/p' | tr ' ' '\n' >psnr
    [ -s psnr ] || complain "$1 $2: no PSNR"
    awk -F: -v least="$3" '$2 != "inf" && $2 + 0 < least { bad = 1 } END { exit bad }' psnr ||
        complain "$1 $2: $(tr '\n' ' ' <psnr), less than $3 dB"
    rm -f out.mkv
}
try yuv420p '' 22
try yuv420p10le '' 22
try yuv422p '' 22
try yuv422p10le '' 22
try yuv444p '' 22
try yuv444p10le '' 22
try gray '' 22
try gray10le '' 22
try yuvj420p '' 22

# Levels: the mean of each plane stays within one level, in both ranges.
means() {
    ffmpeg -nostdin -v error -i "$1" -vf signalstats,metadata=print:file=- -f null - |
        sed -n 's/^lavfi.signalstats.\([YUV]AVG\)=\(.*\)/\1 \2/p'
}
for format in yuv420p yuvj420p; do
    # shellcheck disable=SC2086 # a list of words
    ffmpeg $quiet -f lavfi -i smptebars=s=48x32 -frames:v 1 -pix_fmt $format -f yuv4mpegpipe bars.y4m 2>errors || cat errors
    "$program" upscale bars.y4m large.y4m -y || complain "bars: exit code $?"
    means bars.y4m >before
    means large.y4m >after
    paste -d ' ' before after | awk '{ d = $2 - $4; if (d * d > 1 || NF != 4) bad = 1 } END { exit bad || NR != 3 }' ||
        complain "$format: levels shifted: $(paste -d ' ' before after | tr '\n' ' ')"
done

# The bytes do not depend on the number of threads, nor on pipes; headers and frames keep their words.
sed -e '1s/$/ XNOTE=kept/' -e '2s/FRAME/FRAME Ip/' bars.y4m >noted.y4m
"$program" upscale noted.y4m one.y4m -j 1 --quiet && "$program" upscale - - -j 3 <noted.y4m >three.y4m &&
    cmp one.y4m three.y4m || complain "other bytes through a pipe"
head -1 one.y4m | grep -q '^YUV4MPEG2 W96 H64 .* XNOTE=kept$' || complain "header: $(head -1 one.y4m)"
sed -n 2p one.y4m | grep -aq '^FRAME Ip$' || complain "the frame lost its words"

# The line of the README, word by word: the sound stays, byte for byte; and where there is none, all goes well too.
line=$(sed -n 's/^ *`\(ffmpeg -i in.mp4 .* out.mp4\)`.*/\1/p' "$source/README.md")
[ -n "$line" ] || complain "README.md: no line for video"
"$program" upscale --help | grep -qF "$line" || complain "the line of --help is another"
mkdir bin && ln -s "$program" bin/slbsr
packets() {
    ffprobe -v error -select_streams a -show_data_hash md5 -show_entries packet=data_hash -of csv=p=0 "$1"
}
for sound in '-f lavfi -i sine=duration=0.2' ''; do
    rm -f in.mp4 out.mp4
    # shellcheck disable=SC2086 # lists of words
    ffmpeg $quiet -i large.mkv $sound -pix_fmt yuv420p -c:v mpeg4 in.mp4 2>errors || cat errors
    (PATH="$work/bin:$PATH" && eval "$line") >errors 2>&1 </dev/null || complain "$line: $(cat errors)"
    [ "$(ffprobe -v error -select_streams v -show_entries stream=width,height -of csv=p=0 out.mp4)" = 192,128 ] ||
        complain "not 192x128: $line"
    packets in.mp4 >before
    packets out.mp4 >after
    cmp before after || complain "other sound, of '$sound'"
    [ -z "$sound" ] || [ -s after ] || complain "no sound"
done

# A file appears whole or not at all; what was sent before a cut stays sent.
head -c 1000 noted.y4m >cut.y4m
"$program" upscale cut.y4m gone.y4m 2>errors
[ $? = 3 ] && [ ! -e gone.y4m ] && grep -q '^slbsr: cut.y4m: damaged Y4M file: it ends in frame 1$' errors ||
    complain "cut: $(cat errors)"
# A reader that leaves ends it quietly.
mkfifo pipe
(head -c 100 >/dev/null <pipe) &
env --default-signal=PIPE "$program" upscale large.y4m - -s 4 >pipe 2>errors
[ $? = 141 ] && [ ! -s errors ] || complain "EPIPE: $(cat errors)"
wait
exit $bad
