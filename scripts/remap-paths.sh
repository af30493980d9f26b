# shellcheck shell=bash disable=SC2154  # root, cargo_home and rustc are set by the script that sources this
# Panic locations carry paths of the machine: rustc's flags that map them away. Sourced.

remap_flags() { # TARGET-DIR; flags as CARGO_ENCODED_RUSTFLAGS has them. The last rule that matches wins.
    local sysroot library registry flags=()
    map() { flags+=("--remap-path-prefix=$1=$2"); }
    sysroot=$("$rustc" --print sysroot)
    library=$sysroot/lib/rustlib/src/rust
    map "$HOME" home
    map "$cargo_home" cargo
    for registry in "$cargo_home"/registry/src/*/; do
        map "${registry%/}" crates
    done
    map "$root" .
    map "$1" target
    map "$sysroot" rust
    map "$library" rust
    if [[ -e $library/library ]]; then
        map "$(cd "$library/library" && pwd -P)" rust/library
    fi
    (IFS=$'\x1f'; echo "${flags[*]}")
}
