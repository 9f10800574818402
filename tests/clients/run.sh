#!/usr/bin/env bash
# Real clients against a server: each script compares what its client gives with what `sgpt encode` gives, bit for bit.
# usage: run.sh SGPT MODEL_FOLDER [PYTHON]       A script whose package is not installed is skipped, by name.
set -euo pipefail
sgpt=$(realpath "$1") model=$(realpath "$2") python=${3:-python3}
cd "$(dirname "$0")"
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || true; rm -rf "$work"' EXIT

for i in $(seq 1 130); do echo "thing $i, and the ring of number $((i * i))"; done > "$work/texts.txt"
for kind in query document; do
  "$sgpt" encode --model "$model" --specb --normalize --$kind --input "$work/texts.txt" --format lines --output "$work/$kind.npy" 2> "$work/encode.log"
done
"$sgpt" serve --model "$model" --specb --served_model_name sgpt --port 0 2> "$work/server.log" &
server=$!
for _ in $(seq 1 600); do
  url=$(sed -n 's/^listening on //p' "$work/server.log")
  [ -n "$url" ] && break
  kill -0 "$server" || { cat "$work/server.log" >&2; exit 1; }
  sleep 0.1
done

failed=0
for script in client_*.py; do
  if SGPT_URL=$url SGPT_FOLDER=$work "$python" "$script"; then :; else failed=1; echo "FAILED: $script"; fi
done
kill -TERM "$server"
wait "$server" || { echo "FAILED: the server ended with $?"; failed=1; }
server=
exit $failed
