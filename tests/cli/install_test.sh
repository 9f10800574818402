#!/bin/sh
# Installs a build into a folder of its own, builds examples/ against it as a stranger's project would (find_package), and
# runs what comes out.   usage: install_test.sh BUILD_FOLDER EXAMPLES_FOLDER COMPILER BUILD_TYPE
set -eu
build=$1 examples=$2 compiler=$3 type=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --prefix "$folder/installed" > "$folder/log" || { cat "$folder/log"; exit 1; }
cmake -S "$examples" -B "$folder/build" -G Ninja -DCMAKE_PREFIX_PATH="$folder/installed" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_BUILD_TYPE="$type" -DCMAKE_CXX_FLAGS="$(sed -n 's/^CMAKE_CXX_FLAGS:STRING=//p' "$build/CMakeCache.txt")"
cmake --build "$folder/build"

# The installed program and the example work together: the one makes a model, the other embeds with it.
sgpt=$folder/installed/bin/sgpt
for i in 1 2 3 4 5 6 7 8 9; do echo "some text number $i to learn a tokenizer from"; done > "$folder/text.txt"
"$sgpt" tokenizer train --input "$folder/text.txt" --vocab_size 280 --output "$folder/tokenizer.json"
"$sgpt" init --output "$folder/model" --tokenizer "$folder/tokenizer.json" --hidden 16 --layers 1 --heads 2
answer=$("$folder/build/similarity" "$folder/model" "some text" "some text")
echo "$answer"
echo "$answer" | grep -Eq "^-?[01](\.[0-9]+)?$" || { echo "the example printed no cosine"; exit 1; }
