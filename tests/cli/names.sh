#!/bin/sh
# Names and texts that a terminal would obey, or that are no UTF-8: no command shows them as they are, and JSON stays
# JSON, with all that can be kept of them.
set -u
program=$(realpath "$1")
command -v python3 >/dev/null || { echo "python3 is missing"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export OMP_NUM_THREADS=1
bad=0

# ESC, BEL, CSI as a character of UTF-8 and as a byte, DEL, a turned direction: none of them may get through; the cat has to.
name=$(printf 'a\033[31m\a\302\2331m\233\377\177\342\200\256\360\237\220\210')
mkdir "$name" log || exit 1
printf 'P5 24 24 255\n' >"$name/$name.pgm"
tail -c +3000 "$program" | head -c 576 >>"$name/$name.pgm"
cp "$name/$name.pgm" 1.pgm
printf '# %s\r\n#\ttab\ninput y bicubic\nconv 2 3x3 full relu\nconv 1 3x3 full\nadd input\n' "$name" >"$name.net"
{ printf 'YUV4MPEG2 W2 H2 F1:1 Cmono\nFRAME\n' && printf 1234; } >"$name.y4m"
python3 - "$name" <<'PY' || exit 1
import json, struct
tensors = {"\x1b[31mA\x9b\x7f\u202e\U0001f408.weight": {"dtype": "F32", "shape": [2, 1, 3, 3], "data_offsets": [0, 72]},
           "B.weight": {"dtype": "F32", "shape": [1, 2, 3, 3], "data_offsets": [72, 144]}}
text = json.dumps(tensors, ensure_ascii=False).encode()
open("foreign.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + bytes(144))
PY

# Runs a command; what it prints is looked at in the end.
runs=0
shown() {
    runs=$((runs + 1))
    "$program" "$@" >log/$runs 2>&1
}
set -- -j 1
model=$name.safetensors out=$name.out
shown import foreign.safetensors "$model" --net "$name.net" --scale 2
shown import "$name" "$name" --net "$name"
shown info "$name/$name.pgm"
shown info "$name.y4m"
shown info "$name.net"
shown info "$model"
shown info "$name"
shown upscale "$name/$name.pgm" "$name.pgm" --verbose --model "$model" "$@"
shown upscale "$name/$name.pgm" "$name.pgm"
shown upscale "$name/$name.pgm" "$name.png" --dry-run "$@"
shown upscale "$name" -r -O "$out" --skip-existing --verbose --model "$model" "$@"
shown upscale "$name" -r -O "$out" --skip-existing --verbose --model "$model" "$@"
shown upscale "$name" -r -O "$out" --json --progress json -y "$@"
shown upscale 1.pgm 2.pgm --model "$name"
shown downscale "$name/$name.pgm" "$name.pgm" -s 2
shown downscale "$name" 3.png -s 2
shown compare "$name/$name.pgm" "$name"
shown eval --data "$name" --scale 2 --model "$model"
shown eval --data "$name" --scale 2 --model "$model" --model "$model"
shown eval --data "$name" --scale 2 --json --model "$model"
printf 'P5' >"$name/b$name.pgm"
shown eval --data "$name" --scale 2
shown pack "$name" "$name.pack" "$@"
shown train --data "$name" --net "$name.net" --bits 32 --out "$name.t" --steps 1 --batch 1 --patch 16 --dry-run "$@"
shown train --data "$name" --net "$name.net" --bits 32 --out "$name.t" --steps 1 --batch 1 --patch 16 "$@"
shown plot "$name.t.csv" --html "$name"
shown calibrate "$name" 1.safetensors --data "$name" "$@"
shown calibrate light-x2-w4 "$name.no/1" --data "$name" --patch 16 "$@"
shown export "$model" "$name"
shown export "$name" 1.onnx
shown bench "$model" --repeat 1 --size 16 "$@"
shown bench train --data "$name" --net "$name.net" --batch 1 --patch 16 --repeat 1 "$@"
shown "$name"
shown help "$name"
shown info "--$name"
shown models "$name"
shown _doc "$name"
python3 - <<'PY' || bad=1
import glob, sys, unicodedata
bad = False
for path in glob.glob("log/*"):
    data = open(path, "rb").read()
    try: text = data.decode()
    except UnicodeDecodeError: text = "\x9b"
    wrong = any((unicodedata.category(c) == "Cc" and c not in "\n\t") or c == "\u202e" for c in text)
    if wrong or "\U0001f408" not in text:
        print("shown as it is:" if wrong else "no name shown:", path, data)
        bad = True
sys.exit(bad)
PY

# key command...: standard output is JSON in UTF-8, a line each or one in all, and `key` tells the name.
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
whole = "a\x1b[31m\a\x9b1m\ufffd\ufffd\x7f\u202e\U0001f408"
sys.exit(not found or not all(any(whole in v for v in values(x)) for x in found))
PY
}
json set eval --data "$name" --scale 2 --json
json name eval --data "$name" --scale 2 --json
json model eval --data "$name" --scale 2 --json --model "$model"
json input upscale "$name/$name.pgm" out.pgm --json
json output upscale 1.pgm "$name.png" --json --dry-run
json model bench "$model" --repeat 1 --size 16 -j 1 --json
json net bench train --data "$name" --net "$name.net" --batch 1 --patch 16 --repeat 1 -j 1 --json
exit $bad
