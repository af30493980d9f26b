#!/usr/bin/env bash
# What only real releases of Istio show: each one that is rendered renders with its own istioctl, and the scenarios run with the
# official images and istioctl of each supported one. Needs the internet, Docker and `curl`.
#
#   e2e/conformance.sh               everything
#   e2e/conformance.sh render        only the rendering, which needs no cluster
#   KYMA_CONFORMANCE="1.30.4 1.31.1" e2e/conformance.sh      other releases than those below
#
# What can't be reached is told in one line and makes the exit code 1; the rest runs all the same.
set -euo pipefail
# shellcheck source=lab/kind/common.sh
. "$(dirname "$0")/../lab/kind/common.sh"
# shellcheck source=lab/kind/cluster.sh
. "$kind_dir/cluster.sh"
cd "$root"

[[ $# == 0 || "$*" == render ]] || die "\`$*\` is no part of this, expected \`render\` or nothing"
for tool in curl sha256sum tar cargo; do
    command -v "$tool" >/dev/null || die "no \`$tool\` in PATH"
done
[[ "$(uname -sm)" == "Linux x86_64" ]] || die "this is $(uname -sm), expected Linux x86_64: the archives are those of linux-amd64"

default=$(istio_says default) older=$(istio_says older)
# One release of each rendered minor, the oldest first; those at the ends are no default of anything.
read -ra releases <<<"${KYMA_CONFORMANCE:-1.29.3 $older $default 1.32.0}"
base=$(sed -n 's/^base = "\(.*\)"/\1/p' versions.toml)
hub=$(istio_hub)
# `["1.30", "1.31"]`
supported=$(sed -n 's/^supported = //p' versions.toml)
is_supported() { [[ "$supported" == *"\"${1%.*}\""* ]]; }

archive() { echo "${base//\{version\}/$1}/istioctl-$1-linux-amd64.tar.gz"; }
answers() { curl --silent --show-error --fail --location --head --max-time 20 --output /dev/null "$1" 2>/dev/null; }
# A manifest of the registry; public, so without a login.
image_answers() { # image tag
    local accept='application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json'
    curl --silent --fail --location --head --max-time 20 --header "Accept: $accept" --output /dev/null \
        "https://${hub%%/*}/v2/${hub#*/}/$1/manifests/$2" 2>/dev/null
}

# The istioctl of a release, kept for the next time. Its checksum is the one that Istio publishes beside it.
istioctl_of() { # version
    local home="$cache/istioctl-release-$1" url work
    url=$(archive "$1")
    if [[ ! -x "$home/istioctl" ]]; then
        mkdir -p "$cache"
        work=$(mktemp -d "$cache/.istioctl-release.XXXXXX")
        # Joined by `&&`: bash does not end a function by itself whose failure is asked about.
        (
            cd "$work" &&
                curl --silent --show-error --fail --location --remote-name "$url" --remote-name "$url.sha256" &&
                sha256sum --check --status "${url##*/}.sha256" &&
                tar -xzf "${url##*/}" istioctl
        ) || { rm -rf "$work"; return 1; }
        rm -rf "$home"
        mv -T "$work" "$home"
    fi
    echo "$home/istioctl"
}

# What of these versions answers, and what doesn't.
reached=() pulled=() no_istioctl=() no_images=() failed=()
for version in "${releases[@]}"; do
    if answers "$(archive "$version").sha256"; then reached+=("$version"); else no_istioctl+=("$version"); fi
    if [[ $# != 0 ]] || ! is_supported "$version"; then continue; fi
    found=yes
    for image in pilot proxyv2 install-cni; do
        image_answers "$image" "$version-distroless" || found=no
    done
    if [[ $found == yes ]]; then pulled+=("$version"); else no_images+=("$version"); fi
done
missing=()
((${#no_istioctl[@]} == 0)) || missing+=("istioctl ${no_istioctl[*]} at ${base%/*}")
((${#no_images[@]} == 0)) || missing+=("the images of ${no_images[*]} at $hub")
list() { local all; printf -v all '; %s' "$@"; echo "${all:2}"; }
((${#missing[@]} == 0)) || echo "conformance: could not reach $(list "${missing[@]}"): not run" >&2
((${#reached[@]})) || exit 1

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
export KYMA_ISTIO_WASM=${KYMA_ISTIO_WASM:-$root/out/header-policy.wasm}
[[ -f "$KYMA_ISTIO_WASM" ]] || scripts/wasm.sh >&2
cargo build -q -p kubectl-kyma-istio
KYMA_ISTIO=$CARGO_TARGET_DIR/debug/kubectl-kyma_istio
export KYMA_ISTIO

for version in "${reached[@]}"; do
    ISTIOCTL=$(istioctl_of "$version") || { failed+=("istioctl $version: the download, or its checksum"); continue; }
    export ISTIOCTL
    # Every field that is composed is one that this release knows, and appears in what it renders.
    cargo test -q -p mesh --test go_rendered || failed+=("the fields of $version")
    for profile in evaluation production; do
        "$KYMA_ISTIO" render --profile "$profile" --istio-version "$version" >/dev/null || failed+=("render $profile $version")
    done
    say "the rendering of Istio $version: done"
done
for version in "${pulled[@]}"; do
    # The release of the minor before, for the scenarios that change versions.
    before=''
    [[ " ${reached[*]} " == *" $version "* ]] || continue
    for previous in "${reached[@]}"; do
        [[ "${previous%.*}" != "${version%%.*}.$(($(cut -d. -f2 <<<"$version") - 1))" ]] || before=$previous
    done
    [[ -n "$before" ]] || { failed+=("the scenarios of $version: no release of the minor before was reached"); continue; }
    if ! ISTIOCTL=$(istioctl_of "$version") || ! KYMA_E2E_OLDER_ISTIOCTL=$(istioctl_of "$before"); then
        failed+=("the scenarios of $version: no istioctl")
        continue
    fi
    export ISTIOCTL KYMA_E2E_OLDER_ISTIOCTL
    KYMA_E2E_IMAGES=official KYMA_E2E_ISTIO=$version KYMA_E2E_ISTIO_OLDER=$before KYMA_E2E_ARTIFACTS="$root/out/e2e/$version" \
        e2e/run.sh || failed+=("the scenarios of $version")
    KEEP='' e2e/down.sh || true
    say "the scenarios of Istio $version: done"
done
((${#failed[@]} == 0)) || echo "conformance: failed: $(list "${failed[@]}")" >&2
((${#failed[@]} + ${#missing[@]} == 0))
