#!/bin/sh
# Exit code 6: memory that cannot be had is one line, and leaves no file. Skipped where the program does not even start
# with so little (a build with sanitizers).
set -u
program=$(realpath "$1")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
limited() {
    (ulimit -v 300000 && exec "$program" "$@")
}
limited --version >/dev/null 2>&1 || { echo "skipped: does not start within 300 MB"; exit 77; }

# 400 million samples, of which none has to be there: room for them comes first.
echo 'P5 20000 20000 255' >large.pgm
for command in 'downscale large.pgm out.png -s 2' 'compare large.pgm large.pgm'; do
    # shellcheck disable=SC2086 # a list of words
    limited $command 2>errors
    code=$?
    [ $code = 6 ] && grep -qx 'slbsr: out of memory: a picture of 20000 x 20000 pixels' errors && [ "$(ls -A)" = "errors
large.pgm" ] || { echo "$command: exit code $code"; cat errors; ls -A; exit 1; }
done
