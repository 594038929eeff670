#!/bin/sh
# The pages of slbsr eval --html and train --html in headless Chromium (Debian: chromium), where there is one: they are
# drawn, with scripts and without; the viewer of eval stands over the pictures, its slider slides and its zoom enlarges.
set -u
command -v chromium >/dev/null || { echo "skipped: there is no chromium"; exit 77; }
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
fail() {
    echo "$1"
    exit 1
}
# Time in the page passes as fast as nothing is left to load or draw: what is seen does not depend on the machine's speed.
browse() {
    rm -rf profile
    timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
        --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$work/profile" \
        --virtual-time-budget=4000 "$@" 2>/dev/null
}

mkdir set
"$program" downscale "$source/data/hr/cat.png" set/cat.png -s 2 || fail "downscale"
"$program" downscale "$source/data/hr/coffee.png" set/coffee.png -s 2 || fail "downscale"
"$program" eval -d set -s 2 --html page.html >/dev/null || fail "eval"

browse --dump-dom "file://$work/page.html" >dom || fail "chromium"
# One viewer, of the first picture; the other one is built when it is opened.
[ "$(grep -o 'class="viewer"' dom | wc -l)" = 1 ] || fail "viewers: $(grep -o 'class="viewer"' dom | wc -l)"
[ "$(grep -o 'Slider and zoom' dom | wc -l)" -ge 2 ] || fail "no sliders"
grep -q -- '--cut: *50%' dom || fail "the slider does not stand in the middle"
[ "$(grep -o '<option>[^<]*' dom | sort -u | wc -l)" = 2 ] || fail "the viewer offers other pictures"

# As a hand would do it: the divider to the left, the zoom up by two.
{
    cat page.html
    echo '<script>addEventListener("load", () => setTimeout(() => {
        const slider = document.querySelector(".viewer input"), larger = document.querySelectorAll(".viewer button")[1];
        slider.value = 20;
        slider.oninput();
        larger.click();
        larger.click();
    }, 500))</script>'
} >used.html
browse --dump-dom "file://$work/used.html" >used || fail "chromium"
grep -q -- '--cut: *20%' used || fail "the slider does not slide"
zoom() {
    grep -o '<output>.[0-9]*' "$1" | grep -o '[0-9]*$'
}
[ $(($(zoom dom) + 2)) = "$(zoom used)" ] || fail "zoom from $(zoom dom) to $(zoom used)"
width=$(grep -o 'class="pair" style="[^"]*width: [0-9]*' used | grep -o '[0-9]*$')
[ "$width" = $((96 * $(zoom used))) ] || fail "the crop is $width wide at zoom $(zoom used)"

# Draws page $1.html at width $2: $3 bytes at least. Under heavy load a picture is taken before the page is drawn, now and
# then: three tries.
shoot() {
    for try in 1 2 3; do
        browse --window-size="$2",1200 --screenshot="$work/$1$2.png" "file://$work/$1.html" >/dev/null
        [ -e "$1$2.png" ] && [ "$(wc -c <"$1$2.png")" -gt "$3" ] && return
    done
    fail "$1 at $2: an empty screenshot after $try tries"
}
sed "s/script-src 'unsafe-inline'/script-src 'none'/" page.html >without.html
cmp -s page.html without.html && fail "scripts are not switched off"
for page in page without; do
    for width in 1200 400; do
        shoot $page $width 60000 # a page without its pictures takes a tenth of this
        "$program" info $page$width.png | grep -q "picture, ${width}x" || fail "$page at $width: no screenshot"
    done
done
cmp -s page1200.png without1200.png && fail "the script changes nothing"

# The curves of a training run.
printf 'input y bicubic\nconv 4 3x3 full relu\nconv 4 3x3 low norm relu\nconv 1 3x3 full\nadd input\n' >tiny.net
"$program" train --data set --val set --net tiny.net --scale 2 --bits 1 --steps 12 --val-every 4 --batch 2 --patch 24 \
    -j 1 --out run.safetensors --html run.html 2>/dev/null || fail "training"
grep -q '<script' run.html && fail "the curves need a script"
shoot run 1200 25000
