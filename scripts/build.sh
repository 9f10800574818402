#!/bin/sh
# Builds sgpt (Release, for any CPU of the architecture) into build/; the program is then build/sgpt. What is built already
# is not built again. Arguments are targets; without any, everything is built, tests included.
set -eu
cd "$(dirname "$0")/.."

# A build folder made elsewhere (a moved or copied checkout) is of no use to CMake.
home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' build/CMakeCache.txt 2> /dev/null || true)
if [ "$home" != "$PWD" ] || [ ! -e build/build.ninja ]; then
  rm -rf build
  cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release > build.log.$$ 2>&1 || {
    cat build.log.$$ >&2
    rm -f build.log.$$
    exit 1
  }
  rm -f build.log.$$
fi

# One compiler a core, but no more than memory allows: a file takes up to about 1 GB.
cores=$(nproc)
fits=$(awk '/^MemAvailable/ { print int($2 / 1000000) }' /proc/meminfo)
jobs=$cores
[ "$fits" -ge "$jobs" ] || jobs=$fits
[ "$jobs" -ge 1 ] || jobs=1
exec cmake --build build --parallel "$jobs" ${1:+--target "$@"}
