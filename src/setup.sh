#!/bin/sh
# Installs the Debian packages that slbsr needs and that are missing here: those to build it, and with the
# argument "tests" those of its tests too. Does nothing, and asks for no rights, when all are there.
set -eu

packages="gcc libc6-dev make cmake pkg-config libpng-dev libjpeg-dev zlib1g-dev libstb-dev libcjson-dev"
case "${1-}" in
tests) packages="$packages libcmocka-dev curl unzip zip python3 mandoc zsh fish" ;;
"") ;;
*)
    echo "usage: sh src/setup.sh [tests]" >&2
    exit 2
    ;;
esac

missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing"
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
