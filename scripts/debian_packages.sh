#!/bin/sh
# Makes a retrieval data set (a BEIR folder) from the catalogue of Debian packages that this machine's apt knows: the
# one-line description of a package asks, its long description answers.   usage: debian_packages.sh FOLDER [LANGUAGE]
# LANGUAGE is one that Debian's descriptions are translated to (de, fr, it, ja, …), by default en.
# The catalogue (16 MB) is fetched into FOLDER.apt, so neither root nor a change of the machine is needed.
set -eu
[ $# = 1 ] || [ $# = 2 ] || { echo "usage: $0 FOLDER [LANGUAGE]" >&2; exit 2; }
folder=$1
language=${2:-en}
scripts=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder.apt/partial"
lists=$(cd "$folder.apt" && pwd)

# Containers often switch translations off; the long English descriptions are one of them.
options="-qq -o Acquire::Languages=$language -o Dir::State::Lists=$lists/ -o APT::Sandbox::User=$(id -un)"
echo "Fetching the catalogue of Debian packages" >&2
# An unreachable mirror of somebody else's packages is no reason to stop: what counts is what has come, looked at below.
apt-get $options update >&2 || true

# The files of one kind, Debian's own only, in an order that doesn't change from run to run.
index() { apt-get $options indextargets --format '$(FILENAME)' "Origin: Debian" "Created-By: $1" | LC_ALL=C sort; }
packages=$(index Packages)
descriptions=$(index Translations)
if [ -z "$packages" ] || [ -z "$descriptions" ]; then
  echo "debian_packages: apt-get update brought no catalogue with descriptions in '$language': is a Debian mirror reachable, and" \
       "is one named in /etc/apt/sources.list or /etc/apt/sources.list.d/?" >&2
  exit 1
fi

rm -rf "$folder.partial"
mkdir "$folder.partial" "$folder.partial/qrels"
read_index() { /usr/lib/apt/apt-helper $options cat-file "$@"; }
{ read_index $packages; read_index $descriptions; } | perl "$scripts/debian_packages.pl" "$folder.partial" "$language" >&2
rm -rf "$folder"
mv "$folder.partial" "$folder"
rm -rf "$folder.apt"
