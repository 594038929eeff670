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
exit $bad
