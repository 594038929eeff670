#!/bin/sh
# slbsr eval --html in headless Chromium, where there is one: the script puts a viewer over the pictures and the page is
# drawn, with the script and without it.
set -u
command -v chromium >/dev/null || exit 77
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
fail() {
    echo "$1"
    exit 1
}
browse() {
    rm -rf profile
    timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
        --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$work/profile" \
        "$@" 2>/dev/null
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

# In a sandboxed frame scripts do not run.
printf '<!doctype html><body style="margin:0"><iframe sandbox src="page.html" style="width:100%%;height:1200px;border:0">' \
    >without.html
for page in page without; do
    for width in 1200 400; do
        browse --window-size=$width,1200 --screenshot="$work/$page$width.png" "file://$work/$page.html" >/dev/null
        "$program" info "$page$width.png" | grep -q "picture, ${width}x" || fail "$page at $width: no screenshot"
        # A page without its pictures takes a tenth of this.
        [ "$(wc -c <"$page$width.png")" -gt 60000 ] || fail "$page at $width: an empty screenshot"
    done
done
cmp -s page1200.png without1200.png && fail "the script changes nothing"
exit 0
