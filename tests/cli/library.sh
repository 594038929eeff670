#!/bin/sh
# The library as others meet it: what it shows of itself; the example compiled against the installed library by
# pkg-config and by CMake, shared and static; its pixels are those of the program.
set -u
program=$(realpath "$1")
build=$(dirname "$program")
source=$(realpath "$(dirname "$0")/../..")
command -v pkg-config >/dev/null || { echo "no pkg-config here"; exit 77; }
grep -q '^SLBSR_SANITIZE:STRING=.' "$build/CMakeCache.txt" && { echo "a build with sanitizers"; exit 77; }
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
cc=$(cached CMAKE_C_COMPILER)
nm=$(cached CMAKE_NM)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0
complain() {
    echo "$1"
    bad=1
}

cmake --install "$build" --prefix "$work/usr" >"$work/log" || { cat "$work/log"; exit 1; }
pc=$(find "$work/usr" -name slbsr.pc)
lib=$(dirname "$(dirname "$pc")")
[ "$(cd "$work/usr/include" && echo *)" = slbsr.h ] || complain "more than slbsr.h in include/"

# Exported: what slbsr.h declares, no more and no less, by both kinds.
grep -A1 '^SLBSR_API' "$source/src/slbsr.h" | grep -o 'slbsr_[a-z_]*(' | tr -d '(' | sort >"$work/declared"
"$nm" -D --defined-only "$lib/libslbsr.so" | awk 'NF == 3 { print $3 }' | sort >"$work/shared"
"$nm" -g --defined-only "$lib/libslbsr.a" | awk 'NF == 3 { print $3 }' | sort >"$work/static"
[ "$(wc -l <"$work/declared")" -gt 10 ] || complain "slbsr.h: no declarations were found"
diff "$work/declared" "$work/shared" || complain "libslbsr.so exports (>) something else than slbsr.h declares (<)"
diff "$work/declared" "$work/static" || complain "libslbsr.a shows (>) something else than slbsr.h declares (<)"
version=$("$program" --version | cut -d' ' -f2)
[ "$(readlink "$lib/libslbsr.so")" = "libslbsr.so.${version%.*}" ] || complain "libslbsr.so: links to no soname"
! command -v readelf >/dev/null || readelf -d "$lib/libslbsr.so" | grep -q "SONAME.*libslbsr.so.${version%.*}]" ||
    complain "libslbsr.so: its soname is not libslbsr.so.${version%.*}"

# The header alone is C and C++, without a warning.
echo '#include <slbsr.h>' >"$work/alone.c"
"$cc" -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$work/usr/include" "$work/alone.c" || complain "slbsr.h as C99"
for cxx in c++ g++ clang++ ''; do [ -z "$cxx" ] || ! command -v "$cxx" >/dev/null || break; done
[ -z "$cxx" ] || "$cxx" -x c++ -std=c++98 -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$work/usr/include" \
    "$work/alone.c" || complain "slbsr.h as C++98"

"$program" downscale "$source/data/cat.png" "$work/small.ppm" --scale 2 || complain "cannot make a PPM"
"$program" upscale "$work/small.ppm" "$work/large.ppm" --bits 1 --scale 1.6 || complain "the program fails"
try() { # how, the example
    "$2" 1.6 <"$work/small.ppm" >"$work/out.ppm" 2>"$work/err" || { cat "$work/err"; complain "$1: the example fails"; }
    cmp "$work/out.ppm" "$work/large.ppm" || complain "$1: other pixels than those of the program"
}
export LD_LIBRARY_PATH="$lib" PKG_CONFIG_PATH="$lib/pkgconfig"
example=$source/tests/api/enlarge.c
# shellcheck disable=SC2046 # words
{
    "$cc" -Wall -Wextra -Werror "$example" -o "$work/a" $(pkg-config --cflags --libs slbsr) &&
        try "pkg-config" "$work/a"
    "$cc" "$example" -o "$work/b" $(pkg-config --cflags slbsr) -Wl,-Bstatic -L"$lib" -lslbsr -Wl,-Bdynamic \
        $(pkg-config --libs --static slbsr | sed 's/-lslbsr//') && try "pkg-config --static" "$work/b"
} || complain "the example cannot be compiled"
mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.13)
project(example C)
find_package(slbsr ${version%.*} REQUIRED)
foreach(kind slbsr static)
  add_executable(with_\${kind} "$example")
  target_link_libraries(with_\${kind} slbsr::\${kind})
endforeach()
EOF
if cmake -S "$work/project" -B "$work/project/build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$work/usr" >"$work/log" 2>&1 &&
    cmake --build "$work/project/build" >>"$work/log" 2>&1; then
    try "CMake" "$work/project/build/with_slbsr"
    try "CMake, static" "$work/project/build/with_static"
else
    cat "$work/log"
    complain "the example cannot be compiled by CMake"
fi
exit $bad
