#!/usr/bin/env bash
# Builds the do-nothing filter and prints where it is. Quick when nothing changed.
#
# With a wasm32 standard library (rustup target add wasm32-unknown-unknown) it is an ordinary build; else Debian's matched
# set of packages (rustc-web cargo-web rust-web-src lld) builds that library too.
set -euo pipefail
cd "$(dirname "$0")"

# Cargo tells its children which toolchain and flags it runs with. They are meant for the host.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTC CARGO RUSTUP_TOOLCHAIN
target="${CARGO_TARGET_DIR:-$PWD/../../target}/noop-filter"
build=(build --quiet --release --locked --target wasm32-unknown-unknown --target-dir "$target")

if [[ -d "$(rustc --print sysroot 2> /dev/null)/lib/rustlib/wasm32-unknown-unknown" ]]; then
    cargo "${build[@]}" >&2
elif [[ -d "$(/usr/bin/rustc --print sysroot 2> /dev/null)/lib/rustlib/src" ]]; then
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
        /usr/bin/cargo "${build[@]}" -Zbuild-std=std,panic_abort >&2
else
    echo "noop-filter: no wasm32 standard library: rustup target add wasm32-unknown-unknown, or install Debian's rustc-web cargo-web rust-web-src lld" >&2
    exit 1
fi
realpath "$target/wasm32-unknown-unknown/release/noop_filter.wasm"
