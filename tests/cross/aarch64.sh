#!/bin/sh
# Builds the library for 64-bit Arm and runs tests of it under qemu, on a processor with dot products and 8-bit matrices
# and on one without. Installs nothing: without the compiler, qemu-user or Debian's arm64 libraries it is skipped.
#   tests/cross/aarch64.sh BUILD_FOLDER TEST...
set -u
build=$1
shift
source=$(realpath "$(dirname "$0")/../..")
missing=
for tool in qemu-aarch64 aarch64-linux-gnu-gcc; do
    command -v $tool >/dev/null || missing="$missing $tool"
done
for library in libpng libjpeg zlib libcjson cmocka; do
    [ -f /usr/lib/aarch64-linux-gnu/pkgconfig/$library.pc ] || missing="$missing $library:arm64"
done
if [ -n "$missing" ]; then
    echo "skipped: no$missing; sh src/setup.sh cross installs them"
    exit 77
fi
cmake -S "$source" -B "$build" --toolchain "$source/tests/cross/aarch64.cmake" -DCMAKE_BUILD_TYPE=Release >/dev/null &&
    cmake --build "$build" -j2 --target "$@" >/dev/null || exit 1
for cpu in max cortex-a53; do
    for test in "$@"; do
        echo "$test on $cpu"
        qemu-aarch64 -cpu $cpu "$build/tests/$test" || exit 1
    done
done
