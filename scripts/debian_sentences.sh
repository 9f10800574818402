#!/bin/sh
# Makes files in the form of AllNLI.tsv and stsbenchmark.tsv from the one-line descriptions of Debian's packages and the
# tags that people gave to them: two descriptions are the more alike the more tags they share.
# usage: debian_sentences.sh FOLDER
# Reads the catalogue that this machine's apt has (apt-get update brings it).
set -eu
[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
scripts=$(cd "$(dirname "$0")" && pwd)
packages=$(apt-get indextargets --format '$(FILENAME)' "Origin: Debian" "Created-By: Packages" | LC_ALL=C sort)
[ -n "$packages" ] || { echo "debian_sentences: this machine has no catalogue; run apt-get update" >&2; exit 1; }
mkdir -p "$1"
/usr/lib/apt/apt-helper cat-file $packages | perl "$scripts/debian_sentences.pl" "$1" >&2
