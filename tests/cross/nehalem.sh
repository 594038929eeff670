#!/bin/sh
# Programs on a processor of 2008, without AVX (qemu's Nehalem): kernels must be chosen by what the processor has, and
# give the bytes they give elsewhere. Installs nothing: without qemu-user it is skipped.
#   tests/cross/nehalem.sh PROGRAM...
set -u
if ! command -v qemu-x86_64 >/dev/null; then
    echo "skipped: no qemu-x86_64; sh src/setup.sh cross installs it"
    exit 77
fi
for program in "$@"; do
    echo "$program"
    qemu-x86_64 -cpu Nehalem "$program" || exit 1
done
