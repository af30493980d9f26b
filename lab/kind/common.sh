# shellcheck shell=bash disable=SC2034,SC2154 # sourced: variables are shared
# What the scripts of this folder share. Sourced, never run. stdout is for answers, the story goes to stderr.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
kind_dir="$root/lab/kind"
# shellcheck source=scripts/versions.sh
. "$root/scripts/versions.sh"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio"
state="$cache/kind"
# One cluster per machine: it has one bridge, one firewall rule and, here, two cores.
cluster=kyma-istio
# The repository of all images made here.
prefix=kyma-istio-e2e
kubeconfig="$state/kubeconfig"

say() { printf '%5d s  %s\n' "$SECONDS" "$*" >&2; }
die() {
    echo "e2e: $1" >&2
    [[ -z "${2-}" ]] || echo "hint: $2" >&2
    exit 1
}

# The folder of a component of lab/tools, built when missing. What runs in the node is Linux's, wherever we are.
tools() { "$root/scripts/go-tools.sh" "$1"; }
node_tools() { GOOS=linux tools "$1"; }

# The folder of a module's sources, by the compiler that builds the tools.
module_of() { # component module
    local go
    go=$("$root/scripts/tools.sh" go)
    (cd "$root/lab/tools/$1" && GOWORK=off "$go" mod download -json "$2" | jq -r .Dir)
}

# A name for everything that decides what is built: our files by content; the rest, such as paths in the cache whose names say
# what they are made of, as words.
fingerprint() {
    local part
    for part in "$@"; do
        if [[ "$part" == "$root"/* && -f "$part" ]]; then cat "$part"; else echo "$part"; fi
    done | sha256sum | cut -c1-12
}
