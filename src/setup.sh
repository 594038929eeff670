#!/bin/sh
# Installs the Debian packages that slbsr needs and that are missing here: those to build it; with the argument "tests"
# those of its tests too; with "fuzz" and "analysis" those of tests/fuzz and tests/analysis; with "mpi" also those of a
# build with SLBSR_MPI; with "cross" those that build it for 64-bit Arm on an x86-64 machine and run it there, and older
# processors, by emulation (tests/cross). Does nothing, and asks for no rights, when all are there.
set -eu

packages="gcc libc6-dev make cmake pkg-config libpng-dev libjpeg-dev zlib1g-dev libstb-dev libcjson-dev liblcms2-dev"
tests="libcmocka-dev curl unzip zip python3 python3-onnx mandoc zsh fish dpkg-dev file"
clang="clang llvm libclang-rt-14-dev libomp-14-dev"
case "${1-}" in
tests) packages="$packages $tests" ;;
fuzz) packages="$packages $clang" ;;
analysis) packages="$packages $tests $clang clang-tidy cppcheck valgrind libc6-dbg" ;;
mpi) packages="$packages $tests libopenmpi-dev openmpi-bin" ;;
cross)
    packages="$packages $tests gcc-aarch64-linux-gnu qemu-user"
    for library in libpng-dev libjpeg-dev zlib1g-dev libstb-dev libcjson-dev liblcms2-dev libcmocka-dev libgomp1; do
        packages="$packages $library:arm64"
    done
    ;;
"") ;;
*)
    echo "usage: sh src/setup.sh [tests|fuzz|analysis|mpi|cross]" >&2
    exit 2
    ;;
esac

native=$(dpkg --print-architecture)
missing=
for package in $packages; do
    case $package in *:*) want=${package#*:} ;; *) want=$native ;; esac
    dpkg-query -W -f '${Architecture} ${db:Status-Status}\n' "${package%:*}" 2>/dev/null |
        grep -qxE "($want|all) installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
[ -z "$sudo" ] || command -v sudo >/dev/null || {
    echo "missing, and there is no sudo to install it; as root: apt-get install$missing" >&2
    exit 1
}
echo "installing:$missing"
case $missing in
*:arm64*) [ "$native" = arm64 ] || $sudo dpkg --add-architecture arm64 ;;
esac
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
