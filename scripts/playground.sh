#!/usr/bin/env bash
# Builds `playground` for wasm32 and writes its JavaScript: `scripts/playground.sh [nodejs|web]…`, by default nodejs.
# nodejs → out/playground/node/, web → out/playground/web/; each holds playground.js and playground_bg.wasm.
# KYMA_ISTIO_WASM_TARGET_DIR: where cargo builds.
set -euo pipefail

target_dir=${KYMA_ISTIO_WASM_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio/target-wasm}
# shellcheck source=scripts/wasm-toolchain.sh
source "$(dirname "${BASH_SOURCE[0]}")/wasm-toolchain.sh"

targets=("$@")
((${#targets[@]})) || targets=(nodejs)

# The glue reads from a section, which the profile would strip, what the module may use; it drops what is left of names and debug info itself.
(cd "$root/playground" && wasm_cargo rustc "${build[@]:1}" --lib -- -C strip=debuginfo)

for target in "${targets[@]}"; do
    folder=$root/out/playground/${target%js}
    mkdir -p "$folder"
    "$cargo" run --quiet --locked --manifest-path "$root/playground/glue/Cargo.toml" --target-dir "$cache/target-tools" -- \
        "$target_dir/$triple/release/playground.wasm" "$folder" "$target"
    no_paths_in "$folder/playground_bg.wasm"
    say "${folder#"$root"/} $(stat -c %s "$folder/playground_bg.wasm") bytes, sha256 $(sha256sum "$folder/playground_bg.wasm" | cut -c 1-12)"
done
