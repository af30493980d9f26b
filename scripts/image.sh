#!/usr/bin/env bash
# shellcheck disable=SC2154 # lab/kind/*.sh set what is shared
# An image of the plugin, istioctl and what they load, nothing else; nobody's root. Prints its name.
#
#   scripts/image.sh                    builds the plugin with the profile `plugin`
#   KYMA_ISTIO=FILE scripts/image.sh    takes this one (Linux), as the tests do with a debug build
#   IMAGE=NAME:TAG scripts/image.sh     another name
#
# Needs a Docker engine; where none answers, root's own is started as e2e/up.sh does it.
set -euo pipefail
# shellcheck source=lab/kind/common.sh
. "$(dirname "$0")/../lab/kind/common.sh"
# shellcheck source=lab/kind/engine.sh
. "$kind_dir/engine.sh"
# shellcheck source=lab/kind/images.sh
. "$kind_dir/images.sh"

plugin=${KYMA_ISTIO-}
if [[ -z "$plugin" ]]; then
    (cd "$root" && cargo build --profile plugin -p kubectl-kyma-istio >&2)
    plugin=${CARGO_TARGET_DIR:-$cache/target}/plugin/kubectl-kyma_istio
fi
[[ -x "$plugin" ]] || die "no plugin at $plugin" "cargo build -p kubectl-kyma-istio"
istioctl=${ISTIOCTL:-$(node_tools istio)/istioctl}
certificates=/etc/ssl/certs/ca-certificates.crt

mkdir -p "$state"
need_engine

# A program is dynamic where its libraries are this machine's: they go with it, under their own paths.
libraries() { ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || true; }

parts=$(fingerprint "$(sha256sum <"$plugin")" "$(sha256sum <"$istioctl")" "$root/scripts/image.sh")
image=${IMAGE:-$prefix/kubectl-kyma-istio:$parts}
if ! is_built "$image" "$parts"; then
    work=$(mktemp -d "$state/.image.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    mkdir -p "$work"/{usr/local/bin,tmp}
    chmod 1777 "$work/tmp"
    install -m 755 "$plugin" "$work/usr/local/bin/kubectl-kyma_istio"
    install -m 755 "$istioctl" "$work/usr/local/bin/istioctl"
    for library in $(libraries "$plugin") $(libraries "$istioctl"); do
        install -D -m 755 "$(realpath "$library")" "$work$library"
    done
    [[ ! -f "$certificates" ]] || install -D -m 644 "$certificates" "$work$certificates"
    import_folder "$image" "$parts" "$work" 'USER 65532:65532' 'ENV PATH=/usr/local/bin' 'ENV ISTIOCTL=/usr/local/bin/istioctl' \
        'ENV HOME=/tmp' 'ENTRYPOINT ["/usr/local/bin/kubectl-kyma_istio"]'
fi
echo "$image"
