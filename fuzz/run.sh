#!/usr/bin/env bash
# Runs every fuzz target, or the named ones: `fuzz/run.sh [SECONDS-EACH] [TARGET…]`, by default 10 s each.
#
# Needs no nightly compiler and no cargo-fuzz: libFuzzer's coverage flags are stable. What cargo-fuzz would add is the address
# sanitizer, and there is no unsafe code to look for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seconds=${1:-10}
targets=("${@:2}")
if ((${#targets[@]} == 0)); then
    for file in fuzz_targets/*.rs; do
        targets+=("$(basename "$file" .rs)")
    done
fi

host=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio/target-fuzz
flags=(
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Ccodegen-units=1
)
# With --target the flags are for the targets alone, and build scripts stay as they are.
RUSTFLAGS="${flags[*]}" cargo build --quiet --release --target "$host" --target-dir "$target_dir"

for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    log=$(mktemp)
    # A slow input is a finding too.
    if "$target_dir/$host/release/$target" -max_total_time="$seconds" -max_len=65536 -timeout=5 -print_final_stats=1 \
        -artifact_prefix="artifacts/$target/" "corpus/$target" >"$log" 2>&1; then
        echo "fuzz $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s, no finding"
        rm -f "$log"
    else
        tail -n 40 "$log" >&2
        echo "fuzz $target: a finding under fuzz/artifacts/$target; run it again with $target_dir/$host/release/$target FILE" >&2
        exit 1
    fi
done
