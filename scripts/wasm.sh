#!/usr/bin/env bash
# Builds a proxy-wasm filter for Envoy: `scripts/wasm.sh [CRATE-DIR]`, by default wasm-filter → out/header-policy.wasm.
# Another crate becomes out/<package>.wasm. The result names no path of this machine and is the same for the same sources and compiler.
# KYMA_ISTIO_WASM_TARGET_DIR: where cargo builds.
set -euo pipefail

# The callbacks that Envoy may call. The SDK exports all there are; what is not listed here is removed with its code.
exports=(
    memory
    _initialize
    proxy_abi_version_0_2_1
    malloc # what the SDK calls proxy_on_memory_allocate on this target; Envoy takes either
    proxy_on_context_create
    proxy_on_vm_start
    proxy_on_configure
    proxy_on_tick
    proxy_on_request_headers
    proxy_on_request_trailers # called only where there are trailers
    proxy_on_delete
)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
target_dir=${KYMA_ISTIO_WASM_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio/target-wasm}
# shellcheck source=scripts/wasm-toolchain.sh
source "$here/wasm-toolchain.sh"

crate=$(cd "${1:-$root/wasm-filter}" && pwd -P)
section=()
package=$(sed -n 's/^name *= *"\(.*\)"/\1/p' "$crate/Cargo.toml" | head -n 1)
output=$root/out/$package.wasm
if [[ $package == wasm-filter ]]; then
    output=$root/out/header-policy.wasm
    # Which policies the module accepts: who deploys it asks the image before it writes.
    versions=$(sed -n 's/^pub const API_VERSION: &str = "\(.*\)";$/\1/p' "$root/policy/src/spec/mod.rs")
    [[ -n $versions ]] || { say "policy/src/spec/mod.rs names no API_VERSION"; exit 1; }
    section=(--section kyma-istio.policy-versions "$versions")
fi

(cd "$crate" && wasm_cargo "${build[@]}")
built=$target_dir/$triple/release/${package//-/_}.wasm
if [[ ! -e $built ]]; then
    say "$package built no module: its Cargo.toml needs \`crate-type = [\"cdylib\"]\`"
    exit 1
fi

mkdir -p "$root/out"
cargo run --quiet --locked --manifest-path "$root/scripts/lean-exports/Cargo.toml" --target-dir "$cache/target-tools" -- \
    "${section[@]}" "$built" "$output" "${exports[@]}"
no_paths_in "$output"
say "${output#"$root"/} $(stat -c %s "$output") bytes, sha256 $(sha256sum "$output" | cut -c 1-12)"
