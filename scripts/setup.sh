#!/bin/sh
# Installs the Debian 12 packages that sgpt is built with, and nothing else; says nothing when all of them are there.
# Further packages may be named as arguments (CI asks for its checkers so). Keep in step with cmake/Dependencies.cmake.
# (OpenCL is only asked for by libdnnl-dev's own CMake files.)
set -eu

packages="g++ cmake ninja-build pkg-config
  libdnnl-dev ocl-icd-opencl-dev libhwy-dev libsimdjson-dev nlohmann-json3-dev libcli11-dev libonig-dev libfmt-dev
  libxxhash-dev zlib1g-dev libboost-dev libcurl4-openssl-dev libssl-dev ca-certificates
  openmpi-bin libopenmpi-dev
  libgtest-dev libgmock-dev $*"

command -v dpkg-query > /dev/null && command -v apt-get > /dev/null || {
  echo "setup: this is no Debian machine: install by hand what corresponds to these Debian 12 packages:" $packages >&2
  exit 1
}

missing=""
for package in $packages; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=env
elif command -v sudo > /dev/null; then
  as_root="sudo env"
else
  echo "setup: these packages are missing:$missing" >&2
  echo "setup: installing them needs root: become root or install sudo, or have them installed, then try again" >&2
  exit 1
fi
apt="$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0"
install() { $apt install --yes --no-install-recommends $missing > "$log" 2>&1; }

echo "Installing with apt-get:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The lists of packages are fetched anew only when apt-get can't install from those at hand.
if ! install; then
  echo "Fetching the lists of packages (apt-get update)" >&2
  $apt update >&2
  if ! install; then
    cat "$log" >&2
    echo "setup: apt-get could not install:$missing (its own words are above; Debian 12 has all of them)" >&2
    exit 1
  fi
fi
