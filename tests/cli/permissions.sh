#!/bin/sh
# What may not be read or written is told, the rest is done; and what is replaced stays as private as it was. Nothing is
# forbidden to root, who becomes nobody here; skipped where that cannot be.
set -u
program=$(realpath "$1")
work=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
umask 022
bad=0
complain() {
    echo "$1"
    bad=1
}
if [ "$(id -u)" = 0 ]; then
    command -v setpriv >/dev/null || { echo "root, and no setpriv"; exit 77; }
    chown 65534 . && slbsr() { setpriv --reuid=65534 --regid=65534 --clear-groups "$program" "$@"; }
else
    slbsr() { "$program" "$@"; }
fi
slbsr --version >/dev/null 2>&1 || { echo "nobody may not run the program"; exit 77; }

# code of the run $1, standard error as in "wanted".
told() {
    [ "$2" = "$1" ] || complain "$3: exit code $2, not $1"
    diff wanted errors || complain "$3: other messages"
}

mkdir -p in/b/deep in/c in/names && for f in a b/deep/b c/c names/d; do printf 'P5 6 4 255\nabcdefghijklmnopqrstuvwx' >in/$f.pgm; done
chmod 000 in/b && chmod 444 in/names
slbsr upscale -r in -O out 2>errors
code=$?
cat >wanted <<'END'
slbsr: in/b: cannot be opened as a folder: Permission denied
slbsr: in/names/d.pgm: cannot be opened: Permission denied
slbsr: 4 files: 2 done, 2 failed
END
told 1 $code "a folder that is locked"
[ "$(cd out && find . -type f | sort | tr '\n' ' ')" = "./a.pgm ./c/c.pgm " ] || complain "other files: $(ls -R out)"
# The same again: nothing is skipped that is not there.
slbsr upscale -r in -O out --skip-existing 2>errors
code=$?
sed -i 's/2 done, 2 failed/0 done, 2 skipped, 2 failed/' wanted
told 1 $code "a folder that is locked, --skip-existing"
slbsr upscale -r in/b -O none 2>errors
code=$?
echo 'slbsr: in/b: cannot be opened as a folder: Permission denied' >wanted
told 3 $code "nothing but a folder that is locked"
slbsr upscale -r in/b -O none --json 2>/dev/null | grep -q '"input":"in/b","output":"none/","status":"failed","exit_code":3' ||
    complain "not in the results of --json"

# Folders that may not be written in: known to a dry run too, which makes nothing.
mkdir locked && chmod 555 locked
echo 'slbsr: locked/a.pgm: cannot be created: Permission denied' >wanted
for how in '' --dry-run; do
    slbsr upscale in/a.pgm locked/a.pgm $how 2>errors
    told 4 $? "a folder for reading $how"
done
echo 'slbsr: locked/sub: cannot be created: Permission denied' >wanted
slbsr upscale in/a.pgm -O locked/sub -n 2>errors
told 4 $? "a folder in a folder for reading -n"

# What is replaced keeps its permissions.
cp in/a.pgm private.pgm && chmod 600 private.pgm
[ "$(id -u)" != 0 ] || chown 65534 private.pgm
slbsr upscale private.pgm private.pgm -y || complain "private.pgm: exit code $?"
[ "$(stat -c %a private.pgm)" = 600 ] || complain "private.pgm has become $(stat -c %a private.pgm)"
[ "$(id -u)" = 0 ] || exit $bad

# Its owner and group, too, as far as may be: root may all; a process that is not in the group makes it no group's.
# replace RUNNER GROUP MODE WANTED: of a picture of nobody's that is GROUP's and of MODE.
replace() {
    cp in/a.pgm owned.pgm
    chown "65534:$2" owned.pgm 2>/dev/null || { echo "skipped: no group $2 here"; return; }
    chmod "$3" owned.pgm
    "$1" upscale in/a.pgm owned.pgm -y || complain "owned.pgm of $1: exit code $?"
    [ "$(stat -c %u:%g:%a owned.pgm)" = "$4" ] || complain "owned.pgm of $1: $(stat -c %u:%g:%a owned.pgm), not $4"
}
replace "$program" 54321 640 65534:54321:640
replace slbsr 54321 664 65534:65534:644
replace slbsr 54321 640 65534:65534:600
exit $bad
