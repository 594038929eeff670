#!/bin/sh
# Makes the Debian packages of this build, unpacks them, runs what is inside, compiles a program against the library and
# shows them to lintian (where that is installed). Skipped where there is no dpkg-shlibdeps, and for builds with sanitizers.
set -u
build=$(realpath "$(dirname "$1")")
for tool in cpack dpkg-deb dpkg-shlibdeps file pkg-config; do
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

# Nothing depends on the umask.
(cd "$build" && umask 077 && DEBFULLNAME='A Maintainer' DEBEMAIL=a@example.org cpack -G DEB -B "$work") >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
depends() { dpkg-deb -f "$work/$1"_*.deb Depends; }
so=$("$1" --version | sed 's/slbsr \(.*\)\..*/\1/')
for package in slbsr "libslbsr$so" libslbsr-dev; do
    [ "$(echo "$work/$package"_*.deb | wc -w)" = 1 ] || complain "$package: not one package"
    [ "$(dpkg-deb -f "$work/$package"_*.deb Maintainer)" = 'A Maintainer <a@example.org>' ] ||
        complain "$package: the maintainer is $(dpkg-deb -f "$work/$package"_*.deb Maintainer)"
    dpkg-deb -c "$work/$package"_*.deb | grep -v '^.rw.r-.r-.\|^lrwxrwxrwx' && complain "$package: not for all to read"
    dpkg-deb -x "$work/$package"_*.deb "$work/root" || { cat "$work/log"; exit 1; }
done
depends slbsr | grep -q 'libc6.*libpng16' || complain "the package does not say what it needs"
depends "libslbsr$so" | grep -q 'libcjson1' || complain "libslbsr$so does not say what it needs"
depends libslbsr-dev | grep -qF "libslbsr$so (= " || complain "libslbsr-dev does not need its library"
dpkg-deb -I "$work/libslbsr$so"_*.deb symbols | grep -q "slbsr_upscale@Base $so.0" || complain "no file of symbols"
"$work/root/usr/bin/slbsr" upscale data/cat.png "$work/large.png" || complain "the packaged program fails"
zcat "$work/root/usr/share/man/man1/slbsr-upscale.1.gz" | grep -q '^\.SH OPTIONS' || complain "no manual"
[ -s "$work/root/usr/share/zsh/vendor-completions/_slbsr" ] || complain "no completions for zsh where Debian wants them"
pc=$(dirname "$(find "$work/root" -name slbsr.pc)")
# shellcheck disable=SC2046 # words
cc tests/api/enlarge.c -o "$work/enlarge" $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs slbsr) &&
    "$1" upscale data/cat.png "$work/small.ppm" --scale 1 && "$1" upscale "$work/small.ppm" "$work/large.ppm" --bits 1 &&
    LD_LIBRARY_PATH=${pc%/*} "$work/enlarge" 2 <"$work/small.ppm" >"$work/of_library.ppm" 2>"$work/log" &&
    cmp "$work/of_library.ppm" "$work/large.ppm" || complain "the packaged library fails"
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning,info "$work"/*.deb || complain "lintian complains"
else
    echo "no lintian here: left out"
fi
exit $bad
