#!/usr/bin/env bash
# Locks the doors between rooms: a file under src/ROOM may include its own room, and those that the room links.
# usage: check_doors.sh TABLE       TABLE has a line "room: room room …" for each room (CMake writes it: cmake/Rooms.cmake)
# Folders inside a room (backend/cpu, train/watch …) are its own, but for the program's (cli).
set -euo pipefail
table=$1
cd "$(dirname "$0")/.."

grep -roE --include='*.h' --include='*.cpp' '^#include "[a-z_]+/[^"]+"' src | sed -E 's/^src\/([^:]*):#include "(.*)"/\1 \2/' |
  awk -v table="$table" '
    BEGIN {
      while ((getline line < table) > 0) {
        n = split(line, words, /[: ]+/)
        known[words[1]] = 1
        for (i = 1; i <= n; ++i) open[words[1], words[i]] = 1
      }
    }
    {
      split($1, from, "/"); parts = split($2, to, "/")
      if (to[1] == "sgpt") next
      if (!(from[1] in known)) { print "src/" $1 ": \"" from[1] "\" is no room of src/CMakeLists.txt"; bad = 1; next }
      if (from[1] == to[1]) next
      if (!((from[1], to[1]) in open)) {
        print "src/" $1 ": includes \"" $2 "\", but " from[1] " does not link " to[1]
        bad = 1
      } else if (parts > 2 && from[1] != "cli") {
        print "src/" $1 ": includes \"" $2 "\", which is the inside of " to[1]
        bad = 1
      }
    }
    END { exit bad }'
