#!/usr/bin/env bash
# Does a run repeat bit for bit? Runs one recipe four times, each from an empty
# stage store: twice with 2 threads, once with 1, and once killed with -9 ten times
# on the way and resumed. Prints the hash of each results.json; exits 1 if any differs.
#
#   bench/repeat.sh [RECIPE] [--set key=value ...]
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=${1:-easy-to-hard}
shift || true
cargo build --release -p gradus-cli
gradus=$PWD/target/release/gradus
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

run() { # NAME THREADS ARGUMENTS...
    local name=$1 threads=$2
    shift 2
    GRADUS_RUNS=$place/$name "$gradus" run "$recipe" --out "$place/$name/run" \
        --threads "$threads" --no-progress -q "$@"
}

started=$SECONDS
run first 2 "$@"
whole=$((SECONDS - started))
echo "undisturbed: $whole s" >&2
run second 2 "$@"
run one-thread 1 "$@"

# Ten kills, spread over the time that an undisturbed run takes.
kills=0
for attempt in $(seq 1 10); do
    resume=()
    [ -e "$place/killed/run/run.json" ] && resume=(--resume)
    GRADUS_RUNS=$place/killed "$gradus" run "$recipe" --out "$place/killed/run" \
        --threads 2 --no-progress -q "$@" "${resume[@]}" &
    pid=$!
    sleep "$(awk -v whole="$whole" -v seed="$attempt" 'BEGIN { srand(seed); print whole * (0.06 + 0.08 * rand()) }')"
    if kill -9 "$pid" 2>/dev/null; then kills=$((kills + 1)); fi
    wait "$pid" 2>/dev/null || true
done
if [ -e "$place/killed/run/results.json" ]; then
    echo "the killed run ended before its tenth kill" >&2
else
    run killed 2 "$@" --resume
fi
echo "killed $kills times" >&2

cd "$place"
sha256sum first/run/results.json second/run/results.json one-thread/run/results.json killed/run/results.json
[ "$(sha256sum ./*/run/results.json | cut -d' ' -f1 | sort -u | wc -l)" = 1 ]
