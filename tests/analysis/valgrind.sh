#!/bin/sh
# valgrind's memcheck on the program: every command once with small inputs, training for a few steps, and the ways out
# after errors. Uninitialized values decide nothing, no access is out of bounds, no block is lost.
#   tests/analysis/valgrind.sh build/slbsr
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
corpus=$source/tests/fuzz/corpus
command -v valgrind >/dev/null || { echo "valgrind is missing: sh src/setup.sh analysis"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset SLBSR_CPU
export OMP_WAIT_POLICY=passive
bad=0 runs=0

# exit_code arguments...
checked() {
    want=$1
    shift
    runs=$((runs + 1))
    # Blocks that are only reachable or "possibly lost" are those of libgomp's threads, which live as long as the process.
    valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --num-callers=30 "$program" "$@" >printed 2>errors </dev/null
    code=$?
    [ $code = "$want" ] && ! grep -q '^==[0-9]*==' errors && return
    echo "slbsr $*: exit code $code, wanted $want"
    head -n 60 errors
    bad=1
}

mkdir data
for i in 1 2; do # pictures of 24 x 24 pixels, of bytes that are neither flat nor random
    { printf 'P5 24 24 255\n' && tail -c +$((i * 3000)) "$program" | head -c 576; } >data/$i.pgm
done
for model in "$corpus"/model/w[0-9]*; do
    case $model in *crc) continue ;; esac
    checked 0 upscale "$corpus/png/meta.png" "$(basename "$model").png" -m "$model" -j 3
done
checked 0 upscale "$corpus/jpeg/meta.jpg" out.jpg -m "$corpus/model/w2-a8" -s 1.5 -j 1
checked 0 upscale "$corpus/pnm/p7-4.pam" out.pam -m "$corpus/model/w1-a8" --tta
checked 0 upscale "$corpus/png/palette-4.png" default.png
checked 0 upscale "$corpus/y4m/420" out.y4m -m "$corpus/model/w2-a8"
checked 0 downscale "$corpus/png/interlaced-rgb.png" out.bmp -s 2
checked 0 compare "$corpus/pnm/p6.ppm" "$corpus/pnm/p6.ppm"
checked 0 info "$corpus/model/w4-a8"
checked 0 pack data pictures.pack
checked 0 train --data data --net "$source/tests/train/tiny.net" --bits 2 --batch 2 --patch 16 --steps 3 --val data \
    --val-every 2 --checkpoint-minutes 0.001 --out model -j 2
checked 0 train --data pictures.pack --net "$source/tests/train/tiny-sbn.net" --bits 1 --act-bits 1 --batch 2 --patch 16 \
    --steps 2 --out other -j 1 --teacher model
checked 0 calibrate model seven --data data --act-bits 7 --patch 16
checked 0 export model model.onnx
checked 0 export model floats.safetensors
checked 0 import floats.safetensors imported --net "$source/tests/train/tiny.net"
checked 0 models
checked 0 bench model --size 32 --repeat 1 -j 2
checked 0 eval --data data --scale 2 --model model
checked 0 plot "$corpus/log/run.csv" --html plot.html
checked 0 --help
# Damaged pictures, models, networks, packs; options and files that are wrong.
checked 3 upscale "$source"/tests/bad/pictures/* -O damaged -m "$corpus/model/w2-a8"
checked 3 upscale missing.png out.png
checked 4 upscale "$corpus/pnm/p6.ppm" no-such-folder/out.png -m "$corpus/model/w2-a8"
checked 5 upscale "$corpus/pnm/p6.ppm" out2.png -m "$corpus/net/wrong"
checked 5 info "$corpus/model/no-metadata"
checked 3 train --data "$source/tests/bad/pack/offset-beyond-memory" --steps 1 --bits 32 --out no
checked 2 upscale --no-such-option
checked 3 upscale "$corpus/png/rgb-8.png" out3.png -m "$corpus/model/w2-a8" --max-pixels 10
[ $bad = 0 ] && echo "valgrind: clean, $runs runs"
