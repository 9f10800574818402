#!/usr/bin/env bash
# Counts the instructions of a few small fixed jobs (valgrind's callgrind) and fails when a job needs 1.3 times what is
# written below: unlike times, counts do not depend on what else the machine does. One thread; valgrind knows no AVX-512, so
# every x86 machine with AVX2 runs the same kernels. After an intended change: scripts/instruction_counts.sh --print
set -euo pipefail
cd "$(dirname "$0")/.."

# job, millions of instructions; loading the program and its tokenizer are among them
expected="
tokenize 103
encode   163
score    89
"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sgpt=$PWD/build/sgpt
export OMP_NUM_THREADS=1

# Inputs from plain arithmetic, the same on every machine.
awk 'BEGIN {
  split("the flow of heat along a thin plate at high speed is studied by exact methods and tables for engines", words, " ")
  for (line = 0; line < 2000; ++line) {
    text = ""
    for (i = 0; i < 24; ++i) text = text words[(line * 7 + i * i * 13 + i * line) % 19 + 1] " "
    printf "{\"text\": \"%sno. %d\"}\n", text, line * line
  }
}' > "$work/texts.jsonl"
head -n 100 "$work/texts.jsonl" > "$work/first.jsonl"
awk 'BEGIN {
  for (q = 0; q < 100; ++q) {
    for (d = 0; d < 100; ++d) {
      printf "q%d Q0 d%d %d %.3f sgpt\n", q, (d * 37 + q) % 500, d + 1, 100 - d / 2 > "'"$work/run"'"
      if (d % 9 == 0) printf "q%d 0 d%d %d\n", q, (d * 11 + q) % 500, d % 3 > "'"$work/qrels"'"
    }
  }
}'
"$sgpt" tokenizer train --input "$work/texts.jsonl" --vocab_size 1000 --output "$work/tokenizer.json" 2> "$work/log"
"$sgpt" init --tokenizer "$work/tokenizer.json" --hidden 64 --layers 2 --heads 4 --output "$work/model" 2>> "$work/log"

count() {  # JOB ARGUMENT…: millions of instructions
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$sgpt" "${@:2}" > /dev/null 2> "$work/$1.log" || {
    cat "$work/$1.log" >&2
    exit 1
  }
  sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/$1.log" | awk '{ printf "%.0f", $1 / 1e6 }'
}

check() {
  local counted most
  counted=$(count "$@")
  most=$(echo "$expected" | awk -v job="$1" '$1 == job { printf "%.0f", $2 * 1.3 }')
  echo "$1: $counted million instructions, at most $most"
  [ "${print:-}" ] || [ "$counted" -le "$most" ] || failed=$1
}

[ "${1:-}" != --print ] || print=1
failed=""
check tokenize tokenize --tokenizer "$work/tokenizer.json" --input "$work/texts.jsonl" --output "$work/ids.jsonl"
check encode encode --model "$work/model" --document --specb --input "$work/first.jsonl" --output "$work/out.npy"
check score score --qrels "$work/qrels" --run "$work/run"
[ -z "$failed" ] || {
  echo "instruction counts: '$failed' needs more than 1.3 times the instructions that scripts/instruction_counts.sh expects" >&2
  exit 1
}
