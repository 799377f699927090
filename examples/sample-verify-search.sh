#!/usr/bin/env bash
# From problems to a report with one model: sample, grade, select, report, and a log that
# inspect reads. The model is any that gradus knows: a folder, gguf/FILE, hf/org/name,
# openai/NAME (with --base-url), or a script (fake/oracle:0.9,0.5). Rows have the same
# fields whatever the model is. Run it again to go on after a kill.
#
#   examples/sample-verify-search.sh PROBLEMS OUT MODEL [OPTIONS OF gradus sample]
#   examples/sample-verify-search.sh problems.jsonl out gguf/model.gguf --n 4 --limit 20
#   examples/sample-verify-search.sh problems.jsonl out openai/NAME --base-url http://localhost:8000/v1
#
# PROBLEMS: JSON Lines of `id`, `question`, `answer` (`gradus import gsm8k FILE` makes them).
# GRADUS names the program where it is not on the path.
set -euo pipefail
if [ "$#" -lt 3 ]; then
    sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2
    exit 2
fi
problems=$1 out=$2 model=$3
shift 3
gradus="${GRADUS:-gradus}"
mkdir -p "$out"

"$gradus" sample "$problems" --model "$model" --prompt chain-of-thought \
    --out "$out/rows.jsonl" --resume "$@"
"$gradus" verify samples "$out/rows.jsonl" --problems "$problems" --json > "$out/graded.jsonl"
"$gradus" search "$out/graded.jsonl" --problems "$problems" --json > "$out/curves.jsonl"
"$gradus" report "$out/graded.jsonl" --problems "$problems"
"$gradus" export inspect "$out/graded.jsonl" --problems "$problems" --out "$out/inspect"
