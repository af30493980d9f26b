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
    proxy_on_delete
)

# A caller's settings are meant for its own build: cargo tells its children about toolchain and flags.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio
target_dir=${KYMA_ISTIO_WASM_TARGET_DIR:-$cache/target-wasm}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
triple=wasm32-unknown-unknown

crate=$(cd "${1:-$root/wasm-filter}" && pwd -P)
package=$(sed -n 's/^name *= *"\(.*\)"/\1/p' "$crate/Cargo.toml" | head -n 1)
case $package in
    wasm-filter) output=$root/out/header-policy.wasm ;;
    noop-filter)
        output=$root/out/noop-filter.wasm
        ;;
    *) output=$root/out/$package.wasm ;;
esac

say() { echo "wasm: $*" >&2; }

# A compiler that has the wasm32 standard library, as rustup gives it.
has_wasm_std() {
    local libdir
    libdir=$(rustc --print target-libdir --target "$triple" 2>/dev/null) && compgen -G "$libdir/libcore-*.rlib" >/dev/null
}

# Debian's compiler, Cargo and standard library sources are one matched set: it builds the library itself.
has_debian_set() {
    [[ -x /usr/bin/rustc && -x /usr/bin/cargo ]] && command -v wasm-ld >/dev/null &&
        [[ -e $(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml ]]
}

install_debian_set() {
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 1
    say "installing rustc-web cargo-web rust-web-src lld"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends rustc-web cargo-web rust-web-src lld; } >&2
}

build=(build --release --target "$triple" --target-dir "$target_dir")
if has_wasm_std; then
    cargo=cargo
    rustc=rustc
elif has_debian_set || { install_debian_set && has_debian_set; }; then
    cargo=/usr/bin/cargo
    rustc=/usr/bin/rustc
    export RUSTC=$rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld
    build+=("-Zbuild-std=std,panic_abort")
else
    say "no $triple standard library: run \`rustup target add $triple\`"
    exit 1
fi

# The name of the folder under registry/src depends on the registry, so it must exist before it can be mapped away.
if ! compgen -G "$cargo_home/registry/src/*/" >/dev/null; then
    (cd "$crate" && "$cargo" fetch --quiet)
fi

# Panic locations carry paths. The last rule that matches wins.
sysroot=$("$rustc" --print sysroot)
flags=()
map() { flags+=("--remap-path-prefix=$1=$2"); }
map "$HOME" home
map "$cargo_home" cargo
for registry in "$cargo_home"/registry/src/*/; do
    map "${registry%/}" crates
done
map "$root" .
map "$crate" .
map "$target_dir" target
map "$sysroot" rust
library=$sysroot/lib/rustlib/src/rust
map "$library" rust
if [[ -e $library/library ]]; then
    map "$(cd "$library/library" && pwd -P)" rust/library
fi
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS

(cd "$crate" && "$cargo" "${build[@]}")
built=$target_dir/$triple/release/${package//-/_}.wasm
if [[ ! -e $built ]]; then
    say "$package built no module: its Cargo.toml needs \`crate-type = [\"cdylib\"]\`"
    exit 1
fi

unset CARGO_ENCODED_RUSTFLAGS RUSTC RUSTC_BOOTSTRAP
mkdir -p "$root/out"
"$cargo" run --quiet --release --locked --manifest-path "$root/scripts/lean-exports/Cargo.toml" --target-dir "$cache/target-tools" -- \
    "$built" "$output" "${exports[@]}"

for path in "$HOME" "$root" "$cargo_home" "$target_dir" "$sysroot/lib/rustlib" /usr/src /usr/share; do
    if grep -qaF -- "$path/" "$output"; then
        say "${output#"$root"/} contains the path $path"
        exit 1
    fi
done
say "${output#"$root"/} $(stat -c %s "$output") bytes, sha256 $(sha256sum "$output" | cut -c 1-12)"
