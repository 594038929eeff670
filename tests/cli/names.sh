#!/bin/sh
# Names and texts that a terminal would obey, or that are no UTF-8: JSON stays JSON, with all that can be kept of them.
set -u
program=$(realpath "$1")
command -v python3 >/dev/null || { echo "python3 is missing"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0

# ESC, BEL, CSI as a character of UTF-8 and as a byte, DEL: none of them may get through; the cat has to.
name=$(printf 'a\033[31m\a\302\2331m\233\377\177\360\237\220\210')
mkdir "$name" || exit 1
printf 'P5 24 24 255\n' >"$name/$name.pgm"
tail -c +3000 "$program" | head -c 576 >>"$name/$name.pgm"
cp "$name/$name.pgm" 1.pgm
printf '# %s\ninput y bicubic\nconv 2 3x3 full relu\nconv 1 3x3 full\nadd input\n' "$name" >"$name.net"

# name command...: standard output is JSON in UTF-8, a line each or one in all, and `name` has the cat in it.
json() {
    key=$1
    shift
    "$program" "$@" >out 2>err
    python3 - "$key" <<'PY' || { echo "$*: no JSON:" | cat -v; cat -v out err; bad=1; }
import json, sys
text = open("out", "rb").read().decode()
try: found = [json.loads(text)]
except ValueError: found = [json.loads(line) for line in text.splitlines()]
def values(x):
    if isinstance(x, dict):
        for k, v in x.items(): yield from [v] if k == sys.argv[1] else values(v)
    elif isinstance(x, list):
        for v in x: yield from values(v)
whole = "a\x1b[31m\a\x9b1m\ufffd\ufffd\x7f\U0001f408"
sys.exit(not found or not all(any(whole in v for v in values(x)) for x in found))
PY
}

json set eval --data "$name" --scale 2 --json
json name eval --data "$name" --scale 2 --json
json input upscale "$name/$name.pgm" out.pgm --json
json output upscale 1.pgm "$name.pgm" --json --dry-run
json net bench train --data "$name" --net "$name.net" --batch 1 --patch 16 --repeat 1 -j 1 --json
exit $bad
