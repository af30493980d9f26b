# shellcheck shell=bash disable=SC2034,SC2154  # set here for the script that sources this, or the other way round
# A compiler for wasm32, for scripts that source this file; they set `target_dir` first and have `set -euo pipefail`.
# It sets root, cache, cargo_home, triple, cargo, rustc and the array `build` (cargo's arguments), and gives say, wasm_cargo, remap_flags and no_paths_in.

# A caller's settings are meant for its own build: cargo tells its children about toolchain and flags.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio
cargo_home=${CARGO_HOME:-$HOME/.cargo}
triple=wasm32-unknown-unknown

# shellcheck source=scripts/remap-paths.sh
source "$root/scripts/remap-paths.sh"
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

# The ordinary way. Where rustup's server doesn't answer, this fails at once.
add_target() {
    command -v rustup >/dev/null || return 1
    say "rustup target add $triple"
    timeout 300 rustup --quiet target add "$triple" >&2 && has_wasm_std
}

install_debian_set() {
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 1
    say "installing rustc-web cargo-web rust-web-src lld"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends rustc-web cargo-web rust-web-src lld; } >&2
}

build=(build --release --target "$triple" --target-dir "$target_dir")
if has_wasm_std || { ! has_debian_set && add_target; }; then
    cargo=cargo
    rustc=rustc
elif has_debian_set || { install_debian_set && has_debian_set; }; then
    cargo=/usr/bin/cargo
    rustc=/usr/bin/rustc
    build+=("-Zbuild-std=std,panic_abort")
else
    say "no $triple standard library: \`rustup target add $triple\` brings it; without rustup on Debian, apt-get install rustc-web cargo-web rust-web-src lld"
    exit 1
fi

# What `wasm_cargo` needs beside its arguments, and nobody else should inherit.
wasm_cargo() {
    local settings=()
    if [[ $rustc == /usr/bin/rustc ]]; then
        settings=(RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld)
    fi
    env "${settings[@]}" "CARGO_ENCODED_RUSTFLAGS=$(remap_flags "$target_dir")" "$cargo" "$@"
}

# The name of the folder under registry/src depends on the registry, so it must exist before it can be mapped away.
if ! compgen -G "$cargo_home/registry/src/*/" >/dev/null; then
    (cd "$root" && "$cargo" fetch --quiet)
fi

# Fails when a file names a path of this machine.
no_paths_in() {
    local path
    for path in "$HOME" "$root" "$cargo_home" "$target_dir" "$("$rustc" --print sysroot)/lib/rustlib" /usr/src /usr/share; do
        if grep -qaF -- "$path/" "$1"; then
            say "${1#"$root"/} contains the path $path"
            return 1
        fi
    done
}
