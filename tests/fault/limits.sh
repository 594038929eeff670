#!/bin/sh
# Files that claim more than any machine has are refused before memory is taken: one line that says why, the right exit
# code, a peak of memory of a few dozen megabytes, and seconds at most of a processor. Each of them is small and made here.
#   tests/fault/limits.sh build/slbsr
. "$(dirname "$0")/setup.inc"
command -v python3 >/dev/null || { echo "python3 is missing"; exit 77; }
export OMP_NUM_THREADS=1

python3 - "$corpus/jpeg/rgb.jpg" "$corpus/jpeg/cmyk-profile.jpg" <<'PY' || exit 1
import json, struct, sys, zlib

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

def png(name, width, height, extra=b"", rows=b"", depth=8, kind=0):
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    with open(name, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b""))

def zeros(count, byte=b"\0"):  # compressed, without holding them
    z, out, block = zlib.compressobj(9), [], byte * (1 << 20)
    for _ in range(count >> 20):
        out.append(z.compress(block))
    return b"".join(out) + z.compress(byte * (count & (1 << 20) - 1)) + z.flush()

one = zlib.compress(b"\0\0")
png("bomb.png", 60000, 60000, rows=zeros(1 << 24))
png("sides.png", 2**31 - 1, 2**31 - 1, rows=one)
png("wide.png", 2**31 - 1, 1, rows=one, depth=16, kind=6)
png("icc.png", 1, 1, chunk(b"iCCP", b"p\0\0" + zeros(100 << 20)), one)
large = zeros(15 << 20, b"x")
png("empty.png", 1, 1, chunk(b"zTXt", b"k\0\0" + zeros(15 << 20)) * 64, one)  # a zero byte ends them
png("text.png", 1, 1, chunk(b"zTXt", b"k\0\0" + large) * 64, one)
head = open("text.png", "rb").read()
texts = head[33:-len(chunk(b"IDAT", one) + chunk(b"IEND", b""))]
open("both.png", "wb").write(head[:-12] + texts + head[-12:])
png("xmp.png", 1, 1, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + large) * 64, one)
png("exif.png", 1, 1, rows=one)
data = open("exif.png", "rb").read()
open("exif.png", "wb").write(data[:33] + struct.pack(">I", 0x50000000) + b"eXIf" + data[33:])
with open(sys.argv[1], "rb") as f:  # of segments that libjpeg keeps
    data = f.read()
open("segments.jpg", "wb").write(data[:2] + b"\xff\xfe\0\2" * 200000 + data[2:])
with open(sys.argv[2], "rb") as f:
    data = f.read()
# A profile with a chain of matrices, all of them one; lcms would go through it with every mixture of 4 inks.
links, matrix = 8000, struct.pack(">4sIHH20f", b"matf", 0, 4, 4, *[i % 5 == 0 for i in range(16)], 0, 0, 0, 0)
last = struct.pack(">4sIHH15f", b"matf", 0, 4, 3, *[0.1] * 15)
at = 16 + 8 * (links + 1)
mpet = struct.pack(">4sIHHI", b"mpet", 0, 4, 3, links + 1) + struct.pack(">II", at, len(matrix)) * links
mpet += struct.pack(">II", at + len(matrix), len(last)) + matrix + last
icc = bytearray(128) + struct.pack(">I", 2)
icc += struct.pack(">4sII4sII", b"D2B0", 156, len(mpet), b"D2B1", 156, len(mpet)) + mpet
icc[0:4], icc[8:12], icc[12:24], icc[36:40] = struct.pack(">I", len(icc)), b"\4\x30\0\0", b"prtrCMYKXYZ ", b"acsp"
icc[68:80] = struct.pack(">III", 0xf6d6, 0x10000, 0xd32d)
at = data.index(b"\xff\xe2")  # the profile that was there
data = data[:at] + b"\xff\xe2" + struct.pack(">H", len(icc) + 16) + b"ICC_PROFILE\0\1\1" + icc + \
    data[at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]:]
open("chain.jpg", "wb").write(data)
png("limit.png", 300, 200, rows=zlib.compress(bytes(301 * 200)))
open("huge.ppm", "wb").write(b"P6\n4294967295 4294967295\n255\n")
open("huge.pam", "wb").write(b"P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 4\nMAXVAL 65535\nENDHDR\n")
open("huge.jpg", "wb").write(b"\xff\xd8\xff\xc2\0\x11\x08\xff\xdc\xff\xdc\3\1\x11\0\2\x11\0\3\x11\0\xff\xd9")

def model(name, header, data=b""):
    text = json.dumps(header).encode()
    open(name, "wb").write(struct.pack("<Q", len(text)) + text + data)

meta = {"format": "slbsr 1", "weight_bits": "32", "act_bits": "32"}
big = {"dtype": "F32", "shape": [1 << 30, 1 << 30], "data_offsets": [0, 1 << 52]}
model("claims.safetensors", {"__metadata__": dict(meta, net="input y bicubic\nconv 1 1x1 full\n"), "conv00.weight": big})
wraps = {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 0]}
model("wraps.safetensors", {"__metadata__": meta, "a": wraps})
net = "input y bicubic\nconv 1024 1x1 full\n" + "repeat 1000\n" * 3 + "conv 1024 3x3 full\n" + "end\n" * 3 + "conv 1 1x1 full\n"
model("deep.safetensors", {"__metadata__": dict(meta, net=net)})
open("deep.net", "w").write(net)
repeats = "input y bicubic\nconv 1 1x1 full\n" + "repeat 1024\nrepeat %d\n" + "%s" + "end\nend\n"
open("blank.net", "w").write(repeats % (15, "\n" * 65000))
open("comment.net", "w").write(repeats % (1024, "#" * 65000 + "\n"))
open("loop.net", "w").write("input y bicubic\n" + "repeat 1024\n" * 8 + "name a\n" + "end\n" * 8 + "conv 1 1x1 full\n")
with open("length.safetensors", "wb") as f:
    f.write(struct.pack("<Q", 2**63))
    f.truncate(1 << 40)  # a sparse file of a terabyte
with open("sparse.safetensors", "wb") as f:
    f.write(struct.pack("<Q", 2) + b"{}")
    f.truncate(1 << 40)
text = b"[" * (1 << 21)
open("nested.safetensors", "wb").write(struct.pack("<Q", len(text) + 5) + b'{"a":' + text)
open("pack", "wb").write(b"SLBPACK2" + struct.pack("<QII", 1 << 60, 0, 0))
PY

# code words most_MiB command...: the exit code, words of the message, the most memory; in $seconds of a processor.
seconds=5
refused() {
    want=$1 words=$2 most=$3
    shift 3
    rm -f out.png
    python3 -c '
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, timeout=60).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_maxrss // 1024, int(used.ru_utime + used.ru_stime))' "$@" >result 2>errors
    read -r code peak took <result
    message=$(grep -v ': note: ' errors)
    case $message in
    "slbsr: "*"$words"*) ;;
    *) [ "$want" = 0 ] || { echo "$*: message: $message"; bad=1; } ;;
    esac
    [ "$want" = 0 ] || [ "$(printf '%s\n' "$message" | wc -l)" = 1 ] || { echo "$*: more than a line"; bad=1; }
    [ "$code" = "$want" ] || { echo "$*: exit code $code, not $want"; bad=1; }
    [ "$peak" -le "$most" ] || { echo "$*: took $peak MiB, more than $most"; bad=1; }
    [ "$took" -lt "$seconds" ] || { echo "$*: took $took seconds, more than $seconds"; bad=1; }
    [ "$want" = 0 ] || [ ! -e out.png ] || { echo "$*: has an output"; bad=1; }
}

for file in bomb.png sides.png wide.png huge.ppm huge.pam huge.jpg; do
    for command in "upscale $file out.png" "downscale $file out.png -s 2" "compare $file $file"; do
        # shellcheck disable=SC2086 # words
        refused 3 "$file: " 64 "$program" $command
    done
done
refused 3 "over the limit of 1073741824" 64 "$program" info bomb.png
refused 3 "over the limit of 59999" 64 "$program" downscale limit.png out.png -s 2 --max-pixels 59999
refused 3 "over the limit of 59999" 64 "$program" upscale limit.png out.png --max-pixels 59999
refused 3 "over the limit of 59999" 64 "$program" compare limit.png limit.png --max-pixels 59999
refused 0 "" 64 "$program" downscale limit.png out.png -s 2 --max-pixels 60000
refused 0 "" 64 "$program" info icc.png # such a profile is left out, and so is the rest
seconds=2
for file in empty text xmp; do
    refused 0 "" 80 "$program" info $file.png
done
refused 0 "" 112 "$program" info both.png
refused 0 "" 128 "$program" upscale both.png 2.png
seconds=5
refused 0 "" 64 "$program" info segments.jpg
seconds=2
refused 0 "" 64 "$program" info chain.jpg
seconds=5
refused 3 "exif.png: damaged PNG" 64 "$program" info exif.png
for file in claims wraps deep length sparse nested; do
    refused 5 "$file.safetensors: " 160 "$program" upscale limit.png out.png --model $file.safetensors
done
refused 5 "/dev/zero: " 64 "$program" upscale limit.png out.png --model /dev/zero
refused 5 "more weights than the limit" 64 "$program" info deep.net
for file in loop blank comment; do
    seconds=2
    refused 5 "the repeats run too long" 64 "$program" info $file.net
done
seconds=5
refused 3 "pack: is a damaged pack file" 64 "$program" train --data pack --out model --steps 1 --bits 32
# Width alone would take more than there may be: the weights of that resize are counted before they are made.
printf 'P5 20 1 255\n01234567890123456789' >row.pgm
refused 6 "more memory with --max-memory" 64 "$program" upscale row.pgm out.png --width 4000000 --height 1 --max-memory 64M
finish
