#!/bin/sh
# What is different on a terminal: a bar is drawn and wiped, in colour unless NO_COLOR is set, and binary data is
# neither written there nor waited for.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
python3 -c 'import os; os.openpty()' 2>/dev/null || { echo "no python3 or no pseudo-terminals here"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
cp "$source/data/cat.png" .
unset NO_COLOR SLBSR_CPU

# Runs slbsr with the named ones of its standard files on a terminal; prints what appears there and the exit code.
cat >run.py <<'PYTHON'
import os, pty, subprocess, sys
ends, words = sys.argv[1], sys.argv[2:]
master, slave = pty.openpty()
def end(name, other): return slave if name in ends.split(",") else other
child = subprocess.Popen(["timeout", "--foreground", "120"] + words, stdin=end("in", subprocess.DEVNULL),
                         stdout=end("out", subprocess.DEVNULL), stderr=end("err", subprocess.DEVNULL))
os.close(slave)
seen = b""
while True:
    try: part = os.read(master, 4096)
    except OSError: break
    if not part: break
    seen += part
print(ascii(seen.decode()).strip("'"), child.wait())
PYTHON
bad=0
check() { # environment, terminals, arguments, grep's options and pattern
    wanted=$4
    # shellcheck disable=SC2086 # lists of words
    env $1 python3 run.py "$2" "$program" $3 >seen 2>&1
    grep -qE "$wanted" seen || { echo "$1 $2 $3: wanted $wanted, seen:"; cat seen; bad=1; }
    rm -f out.png
}

check TERM=xterm err 'upscale cat.png out.png' '^\\rupscaling \[\\x1b\[32m.*\\x1b\[0m.*\] +[0-9]+ %.*\\r\\x1b\[K 0$'
check 'TERM=xterm NO_COLOR=1' err 'upscale cat.png out.png' '^\\rupscaling \[[#.]{20}\] +[0-9]+ %\\x1b\[K\\r'
# Nothing else is in the whole run (test_progress has the times: rate and time left come after a second).
bar='\\rupscaling \[[#.]{20}\] +[0-9]+ %(  [0-9.e-]+ Mpixel/s)?(  left [0-9]+:[0-9]{2})?\\x1b\[K'
check 'TERM=xterm NO_COLOR=1' err 'upscale cat.png out.png --tta' "^($bar)+\\\\r\\\\x1b\[K 0\$"
check TERM=xterm err 'upscale cat.png cat.png -O out --name {name}.{ext} -y' 'would both become out/cat.png'
check TERM=xterm err 'upscale cat.png gone.png -O out' 'upscaling 1/2 .*\\r\\x1b\[Kslbsr: gone.png: cannot be opened.* 1$'
check TERM=dumb err 'upscale cat.png out.png' '^(slbsr: upscaling: [^\\]*\\r\\n)* 0$' # a line every ten seconds
check TERM=xterm err 'upscale cat.png out.png --progress none' '^ 0$'
check TERM=xterm err 'upscale cat.png out.png --quiet' '^ 0$'
check TERM=dumb err 'upscale cat.png out.png --progress bar' '^\\rupscaling'
check TERM=xterm out,err 'upscale cat.png -' '^slbsr: standard output: is a terminal, .* 4$'
check TERM=xterm in,err 'upscale - out.png' '^slbsr: standard input: is a terminal; .* 3$'
exit $bad
