# shellcheck shell=bash disable=SC2034  # read by the scripts that source this file
# The compilers of a release, for scripts that source this file; they have `set -euo pipefail`.
# It sets root, cache, cargo_home, triple, cargo, rustc, tools and the array `build_std`, and gives say, die, remap_flags, need_tools and release_cargo.

unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO CFLAGS CC AR

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio
cargo_home=${CARGO_HOME:-$HOME/.cargo}
triple=x86_64-unknown-linux-musl
tools=$cache/release-tools

# Pinned, because both write into what is shipped.
auditable_version=0.7.7
cyclonedx_version=0.5.9

# shellcheck source=scripts/remap-paths.sh
source "$root/scripts/remap-paths.sh"
say() { echo "release: $*" >&2; }
die() { say "$*"; exit 1; }

# A compiler that has the standard library for musl, as rustup gives it; else Debian's, whose sources and compiler are one matched set: it builds the library itself.
libdir=$(rustc --print target-libdir --target "$triple" 2>/dev/null) || libdir=
build_std=()
if [[ -n $libdir ]] && compgen -G "$libdir/libcore-*.rlib" >/dev/null; then
    cargo=$(command -v cargo)
    rustc=$(command -v rustc)
elif [[ -x /usr/bin/cargo && -e $(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std/Cargo.toml ]]; then
    cargo=/usr/bin/cargo
    rustc=/usr/bin/rustc
    build_std=("-Zbuild-std=std,panic_abort")
else
    die "no $triple standard library: run \`rustup target add $triple\`, or install Debian's rustc-web, cargo-web and rust-web-src"
fi

# Zig, cargo-zigbuild, cargo-auditable and cargo-cyclonedx, once.
need_tools() {
    mkdir -p "$tools"
    # A virtual environment is of no use any more where Python itself was replaced.
    if ! cmp -s "$root/release/requirements.txt" "$tools/requirements.txt" || ! "$tools/venv/bin/python" --version >/dev/null 2>&1; then
        say "fetching zig and cargo-zigbuild"
        python3 -m venv --clear "$tools/venv" >&2
        "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --require-hashes --requirement "$root/release/requirements.txt" >&2
        cp "$root/release/requirements.txt" "$tools/requirements.txt"
    fi
    local pin
    for pin in "cargo-auditable@$auditable_version" "cargo-cyclonedx@$cyclonedx_version"; do
        if [[ ! -x $tools/bin/${pin%@*} || ! -e $tools/$pin ]]; then
            say "building $pin"
            cargo install --quiet --debug --locked --force --root "$tools" --target-dir "$cache/target-release-tools" "$pin" >&2
            touch "$tools/$pin"
        fi
    done
    zig=$(compgen -G "$tools/venv/lib/python3*/site-packages/ziglang" | head -n 1)
}

# Cargo with these compilers, and a list of what is linked in the result. `cargo auditable` sets the two variables for `cargo build`, but not for `cargo rustc`, which gives arguments to the last link only: `release_cargo TARGET-DIR ARGUMENTS…`.
release_cargo() {
    local target=$1 settings=()
    shift
    if ((${#build_std[@]})); then
        settings=(RUSTC_BOOTSTRAP=1)
    fi
    env "${settings[@]}" RUSTC="$rustc" CARGO="$cargo" PATH="$tools/venv/bin:$tools/bin:$(dirname "$cargo"):$PATH" CARGO_ZIGBUILD_ZIG_PATH="$zig/zig" CARGO_TARGET_DIR="$target" \
        CARGO_ENCODED_RUSTFLAGS="$(remap_flags "$target")" CARGO_ZIGBUILD_CACHE_DIR="$tools/zigbuild" \
        RUSTC_WORKSPACE_WRAPPER="$tools/bin/cargo-auditable" CARGO_AUDITABLE_ORIG_ARGS='{"offline":false,"locked":true,"frozen":false,"config":[]}' \
        "$tools/venv/bin/cargo-zigbuild" "$@"
}
