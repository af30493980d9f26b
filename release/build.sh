#!/usr/bin/env bash
# Builds what a release consists of: `release/build.sh OUTPUT-FOLDER TARGET-DIR`. The same commit and compiler give the same bytes.
# KYMA_ISTIO_WASM: the filter (`make wasm`). RELEASE_URL: where the archives will be; it stands in krew's manifest.
set -euo pipefail
umask 022
# shellcheck source=release/toolchain.sh
. "$(dirname "$0")/toolchain.sh"

output=${1:?the folder for the results}
target=${2:?the folder where cargo builds}
wasm=${KYMA_ISTIO_WASM:-$root/out/header-policy.wasm}
[[ -e $wasm ]] || die "found no filter at $wasm: run \`make wasm\`"
mkdir -p "$output" "$target"
output=$(cd "$output" && pwd -P)
target=$(cd "$target" && pwd -P)
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' "$root/Cargo.toml")
commit=$(git -C "$root" rev-parse HEAD)
[[ -z $(git -C "$root" status --porcelain) ]] || commit+=-modified
# Every time that an archive carries is the commit's.
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH KYMA_ISTIO_COMMIT=$commit KYMA_ISTIO_WASM=$wasm LC_ALL=C TZ=UTC
# A dependency's build script asks git for its commit: where cargo's folder lies in somebody's work tree, it would answer.
export GIT_CEILING_DIRECTORIES=${CARGO_HOME:-$HOME/.cargo}

need_tools
# The name of the folder under registry/src depends on the registry, so it must exist before it can be mapped away.
(cd "$root" && "$cargo" fetch --quiet --locked)
say "building $version of $commit for $triple"
# Zig brings musl's start files and libraries: rustc must not look for its own.
(cd "$root" && release_cargo "$target" rustc "${build_std[@]}" --target "$triple" --profile dist --locked -p kubectl-kyma-istio --bin kubectl-kyma_istio \
    -- -Clink-self-contained=no >&2)
binary=$target/$triple/dist/kubectl-kyma_istio
for path in "$HOME" "$root" "$cargo_home" "$target"; do
    ! grep -qaF -- "$path/" "$binary" || die "the plugin contains the path $path"
done

name=kubectl-kyma-istio-$version-linux-amd64
work=$(mktemp -d "$output/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# An archive that names no user, no time but the commit's, and has one order.
pack() { # ARCHIVE FOLDER-ABOVE ENTRY…
    local archive=$1 above=$2
    shift 2
    tar --create --directory "$above" --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --mode=u+rw,go+r,go-w "$@" | gzip -9 -n >"$archive"
}

say "the archive"
folder=$work/$name
mkdir -p "$folder"/{completions,man}
install -m 755 "$binary" "$folder/kubectl-kyma_istio"
install -m 644 "$root/LICENSE" "$folder/LICENSE"
(cd "$root" && python3 release/notice.py --cargo "$cargo" --target "$triple" --musl "$zig/lib/libc/musl/COPYRIGHT") >"$folder/NOTICE"
for shell in bash zsh fish powershell; do
    "$binary" completion "$shell" >"$folder/completions/kubectl-kyma_istio.$shell"
done
"$binary" completion install --dir "$folder" >/dev/null
"$binary" completion man "$folder/man" >/dev/null
pack "$output/$name.tar.gz" "$work" "$name"

say "the bill of materials"
# The tool writes beside each Cargo.toml; the sources are a copy.
git -C "$root" ls-files -z | (cd "$root" && tar --create --null --files-from=- --ignore-failed-read) | tar --extract --directory "$(mkdir "$work/source" && echo "$work/source")"
(cd "$work/source" && PATH="$(dirname "$cargo"):$PATH" CARGO="$cargo" "$tools/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 \
    --target "$triple" --no-build-deps --override-filename bom --manifest-path kubectl-kyma-istio/Cargo.toml >&2)
# Its references are paths of the copy.
sed "s|$work/source|.|g" "$work/source/kubectl-kyma-istio/bom.json" >"$output/$name.cdx.json"

say "the filter"
"$binary" filter save "$work/header-policy" --revision "$commit" >/dev/null
pack "$output/header-policy-$version.oci.tar.gz" "$work/header-policy" .
install -m 644 "$wasm" "$output/header-policy-$version.wasm"

say "krew's manifest"
sum=$(sha256sum "$output/$name.tar.gz" | cut -d ' ' -f 1)
sed -e "s|@VERSION@|$version|g" -e "s|@URL@|${RELEASE_URL:-https://example.com/kubectl-kyma-istio}|g" -e "s|@ARCHIVE@|$name|g" -e "s|@SHA256@|$sum|g" \
    "$root/release/krew.yaml" | sed '/^#/d' >"$output/kyma-istio.yaml"

(cd "$output" && sha256sum "$name.tar.gz" "$name.cdx.json" "header-policy-$version.oci.tar.gz" "header-policy-$version.wasm" kyma-istio.yaml >SHA256SUMS)
say "$output: $(stat -c %s "$binary") bytes of plugin, $(stat -c %s "$output/$name.tar.gz") bytes of archive"
say "missing: linux/arm64 and every other platform; only linux/amd64 is built"
