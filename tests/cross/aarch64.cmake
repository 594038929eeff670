# Builds for 64-bit Arm on a Debian machine of another kind and runs the tests there under qemu:
#
#   sh src/setup.sh cross
#   cmake -B build-aarch64 --toolchain tests/cross/aarch64.cmake
#   cmake --build build-aarch64 -j"$(nproc)"
#   qemu-aarch64 build-aarch64/slbsr info
#
# Libraries are Debian's own for arm64 (multiarch), so no other root folder is needed.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
