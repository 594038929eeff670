#!/bin/sh
# Fetches the DIV2K training and validation pictures (several GB) from the home page of the set into
# FOLDER: FOLDER/DIV2K_train_HR/0001.png ... 0800.png, FOLDER/DIV2K_valid_HR/0801.png ... 0900.png.
#
#     sh data/fetch_div2k.sh FOLDER
#
# A download that broke off goes on where it was when the command is given again; what is complete is
# left alone. Every archive is tested (its CRCs) before it is unpacked, its pictures are counted,
# and it is removed. The pictures are for academic research only; see the home page,
# https://data.vision.ee.ethz.ch/cvl/DIV2K/.
#
# Environment: DIV2K_URL, where the archives are; DIV2K_PARTS, "NAME:COUNT ..." (for tests).
set -eu

url=${DIV2K_URL:-https://data.vision.ee.ethz.ch/cvl/DIV2K}
parts=${DIV2K_PARTS:-DIV2K_train_HR:800 DIV2K_valid_HR:100}

fail() {
    echo "fetch_div2k: $1" >&2
    exit "$2"
}

[ $# = 1 ] || fail "usage: sh data/fetch_div2k.sh FOLDER" 2
for tool in curl unzip; do
    command -v $tool >/dev/null || fail "$tool is missing: apt-get install curl unzip" 8
done
mkdir -p "$1" || fail "$1: cannot be made" 4
cd "$1"

count() {
    find "$1" -maxdepth 1 -name '*.png' 2>/dev/null | wc -l
}

for part in $parts; do
    name=${part%:*}
    wanted=${part#*:}
    if [ "$(count "$name")" = "$wanted" ] && [ ! -e "$name.part" ]; then
        echo "$name: complete, $wanted pictures"
        continue
    fi
    if [ ! -e "$name.zip" ]; then
        # Exit 33 or 416: the server has nothing to add to what is here, so it may be complete.
        curl --fail --location --retry 5 --continue-at - --output "$name.zip.part" \
            "$url/$name.zip" || [ -s "$name.zip.part" ] ||
            fail "$url/$name.zip: cannot be fetched; give the same command again to go on" 3
        if ! unzip -tqq "$name.zip.part" >/dev/null 2>&1; then
            fail "$name.zip: not complete yet, or damaged: give the same command again; if that does \
not help, remove $1/$name.zip.part first" 3
        fi
        mv "$name.zip.part" "$name.zip"
    fi
    # The mark says that unpacking has begun, so that half of it is not taken for the whole.
    : >"$name.part"
    unzip -qo "$name.zip" || fail "$name.zip: cannot be unpacked" 4
    found=$(count "$name")
    [ "$found" = "$wanted" ] || fail "$name: $found pictures instead of $wanted" 3
    rm -f "$name.part" "$name.zip"
    echo "$name: $wanted pictures"
done
