#!/bin/sh
# slbsr train --html and slbsr plot: pages that stand alone, are well-formed and show what the log holds. Needs python3.
set -u
command -v python3 >/dev/null || exit 77
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
fail() {
    echo "$1"
    exit 1
}
check() { # page, tables expected
    said=$(python3 "$source/tests/cli/page_check.py" "$1") || fail "$1: $said"
    [ "$said" = "0 pictures, 1 tables" ] || fail "$1: $said"
}

printf 'input y bicubic\nconv 4 3x3 full relu\nconv 4 3x3 low norm relu\nconv 1 3x3 full\nadd input\n' >tiny.net
mkdir val
"$program" downscale "$source/data/hr/cat.png" val/cat.png -s 4 || fail "downscale"
train() {
    "$program" train --data "$source/data/hr" --val val --net tiny.net --scale 2,3 --steps 12 --val-every 4 --batch 2 \
        --patch 24 -j 1 "$@" 2>errors
}
train --bits 1 --out soft.safetensors --html soft.html || fail "training: $(cat errors)"
train --bits 32 --out 'a <b>.safetensors' || fail "training: $(cat errors)"
check soft.html
"$program" plot soft.safetensors.csv 'a <b>.safetensors.csv' --html both.html || fail "plot"
check both.html

# What the page tells of the end of a run, in words and in its table, is in the last row of the log.
python3 - <<'PYTHON' || exit 1
import csv, html, re, sys
for page, logs in (('soft.html', ['soft']), ('both.html', ['soft', 'a <b>'])):
    text = open(page, encoding='utf-8').read()
    table = [[html.unescape(re.sub('<[^>]*>', '', cell)) for cell in re.findall('<t[hd][^>]*>.*?</t[hd]>', row)]
             for row in re.findall('<tr><th scope="row">.*?</tr>', text)]
    want = []
    for name in logs:
        rows = list(csv.DictReader(open(name + '.safetensors.csv', encoding='utf-8')))
        last = rows[-1]
        assert last['step'] == '12', last
        for scale in '23':
            q, c, b = (float(last[f'{k}_x{scale}']) for k in ('psnr', 'psnr_soft', 'bicubic'))
            want.append([name, '12', '\u00d7' + scale] + [f'{v:.3f}' for v in (q, c, b, q - b)])
        said = f'<b>{html.escape(name)}</b>: step 12, loss {float(last["loss"]):.4g}.'
        assert said in text, f'{page} does not say: {said}'
    assert table == want, f'{page}: {table} is not {want}'
    titles = re.findall('<figure class="chart">\n<figcaption><b>(.*?)</b>', text)
    assert titles == ['Loss', 'PSNR on the validation pictures, \u00d72', 'PSNR on the validation pictures, \u00d73',
                      'Sharpness of the search', 'Learning rate'], titles
    # Validations after 4, 8 and 12 steps are three dots a solid line.
    figure = text[text.index('id="psnr-x2-title"'):]
    dots = figure[:figure.index('</svg>')].count('<circle')
    assert dots == 3 * len(logs), f'{page}: {dots} dots'
    # A legend names the runs that its chart shows: one with float weights has no sharpness.
    figures = {re.search('<b>(.*?)</b>', f)[1]: [html.unescape(n) for n in re.findall('</svg>(.*?)</li>', f)]
               for f in re.findall('<figure class="chart">.*?</figure>', text, re.S)}
    named = ['soft'] if len(logs) > 1 else []
    assert figures['Sharpness of the search'] == named, figures
    assert figures['Learning rate'] == (logs if len(logs) > 1 else []), figures
PYTHON

# A page of ours is replaced, nothing else is without -y: before a step is made, too.
"$program" plot soft.safetensors.csv --html both.html || fail "a page was not replaced"
echo precious >mine.html
"$program" plot soft.safetensors.csv --html mine.html 2>/dev/null && fail "mine.html was replaced"
train --bits 1 --out new.safetensors --html mine.html && fail "mine.html was replaced"
[ "$(cat mine.html)" = precious ] || fail "mine.html was touched"
[ -e new.safetensors.csv ] && fail "the run began before its page was looked at"
# Damaged logs.
for text in '' 'step,seconds\n' 'step,seconds,loss\n1,2\n' 'step,seconds,loss\n1,2,x\n' 'step,seconds,loss\n1,2,3,4\n'; do
    printf "$text" >bad.csv
    "$program" plot bad.csv --html bad.html 2>errors
    [ $? = 3 ] || fail "'$text' was taken: $(cat errors)"
    [ -e bad.html ] && fail "bad.html is left behind"
done
printf 'step,seconds,loss\n1,2,3\n2,3' >cut.csv # a row that is being written
"$program" plot cut.csv --html cut.html || fail "a log without its last row"
check cut.html
