#!/bin/sh
# Makes the Debian package of this build, unpacks it, runs what is inside and shows it to lintian (where that is
# installed). Skipped where there is no dpkg-shlibdeps, and for builds with sanitizers.
set -u
build=$(realpath "$(dirname "$1")")
for tool in cpack dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null || { echo "no $tool here"; exit 77; }
done
grep -q '^SLBSR_SANITIZE:STRING=.' "$build/CMakeCache.txt" && { echo "a build with sanitizers"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0
complain() {
    echo "$1"
    bad=1
}

(cd "$build" && cpack -G DEB -B "$work") >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
set -- "$work"/slbsr_*.deb
[ $# = 1 ] && [ -f "$1" ] || { cat "$work/log"; exit 1; }
dpkg-deb -f "$1" Depends | grep -q 'libc6.*libpng16' || complain "the package does not say what it needs"
dpkg-deb -x "$1" "$work/root"
"$work/root/usr/bin/slbsr" upscale data/cat.png "$work/large.png" || complain "the packaged program fails"
zcat "$work/root/usr/share/man/man1/slbsr-upscale.1.gz" | grep -q '^\.SH OPTIONS' || complain "no manual"
[ -s "$work/root/usr/share/zsh/vendor-completions/_slbsr" ] || complain "no completions for zsh where Debian wants them"
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning,info "$1" || complain "lintian complains"
else
    echo "no lintian here: left out"
fi
exit $bad
