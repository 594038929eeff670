#!/bin/sh
# The last step of README's first command, word for word, with the program under test: the built-in
# models of every advertised bit-width make a picture larger.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

command=$(sed -n 's|.*\(build/slbsr upscale .*\)$|\1|p' "$source/README.md" | head -1)
[ -n "$command" ] || { echo "README.md: the first command does not upscale"; exit 1; }
mkdir "$work/build"
ln -s "$program" "$work/build/slbsr"
ln -s "$source/data" "$work/data"
cd "$work" || exit 1
sh -c "$command" || { echo "README's command failed: $command"; exit 1; }
"$program" info build/large.png | grep -q '450x300, RGB' || { echo "not twice as large"; exit 1; }

for bits in 1 2 32; do
    for scale in 2 3 4; do
        "$program" upscale data/cat.png out.png --bits $bits -s $scale -y || exit 1
        "$program" info out.png | grep -q "$((225 * scale))x$((150 * scale)), RGB" || exit 1
    done
done
