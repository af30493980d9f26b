#!/usr/bin/env bash
# Prints the folders of programs built from Go modules, building first what this machine lacks.
#
#   scripts/go-tools.sh                 what `make test-mesh` needs, a line each
#   scripts/go-tools.sh etcd istio      these
#   scripts/go-tools.sh istio@1.30.4    the same Istio, stamped with another version (for tests of version checks)
#   scripts/go-tools.sh --list          the components
#   scripts/go-tools.sh --older         the version of that second Istio
#
# A component is a folder of lab/tools: its go.mod and go.sum pin it, its `tool` lines are the programs; one may be its own.
# Each has a module of its own, because one graph would raise all of them to versions that none was released with.
# The compiler is the one that tools/requirements.txt pins. Running it twice, or twice at once, is fine: the second waits, and a folder appears by one rename, complete.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
tools="$root/lab/tools"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio"

say() { echo "go-tools.sh: $*" >&2; }
die() { say "$@"; exit 1; }

components() { (cd "$tools" && for mod in */go.mod; do dirname "$mod"; done); }

# shellcheck source=scripts/versions.sh
. "$root/scripts/versions.sh"

# What a program says it is. Without a stamp, istioctl and istiod say `unknown` and the API server v0.0.0.
stamps() { # component version
    local containerd=github.com/containerd/containerd/v2
    case $1 in
    # The pin is a commit near this tag: no module proxy serves the commits of Istio's release branches.
    istio | istio-cni)
        local istio=istio.io/istio/pkg/version
        echo "-X $istio.buildVersion=${2:-$(istio_says default)} -X $istio.buildHub=docker.io/istio -X $istio.buildStatus=Clean"
        ;;
    kubernetes | kubernetes-node)
        local package=k8s.io/component-base/version version
        version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
        echo "-X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
        ;;
    containerd)
        echo "-X $containerd/version.Version=$(go list -m -f '{{.Version}}' "$containerd")"
        ;;
    crictl)
        echo "-X sigs.k8s.io/cri-tools/pkg/version.Version=$(go list -m -f '{{.Version}}' sigs.k8s.io/cri-tools)"
        ;;
    esac
}

build() { # component flags folder
    local started=$SECONDS work
    work=$(mktemp -d "$cache/.go-$1.XXXXXX")
    say "building $1, which takes minutes the first time"
    # Nobody debugs these programs: no debug information. A larger heap for the compiler costs memory and saves a tenth of its time.
    GOGC=400 nice go build -trimpath -gcflags=all=-dwarf=false -ldflags "$2" -o "$work/" tool &
    local compiler=$!
    # shellcheck disable=SC2064
    trap "kill $compiler 2>/dev/null || true; rm -rf '$work'" EXIT
    trap 'exit 143' TERM INT
    # `tail` ends with the compiler.
    until timeout 30 tail --pid=$compiler -f /dev/null & wait $!; do
        say "building $1, $((SECONDS - started)) s"
    done
    wait $compiler || die "go build failed in lab/tools/$1"
    # Go names a program after its path, and this one's ends in etcd/server/v3.
    [[ "$1" != etcd ]] || mv "$work/server" "$work/etcd"
    chmod 755 "$work"
    rm -rf "$3"
    mv -T "$work" "$3"
    trap - EXIT
    say "built $1 in $((SECONDS - started)) s, $(du -sm "$3" | cut -f1) MB"
}

folder() { # component[@version]
    local component=${1%%@*} version='' flags hash home
    [[ "$1" == *@* ]] && version=${1#*@}
    [[ -f "$tools/$component/go.mod" ]] || die "no component \`$component\`; there are: $(components | paste -sd' ')"
    [[ -z "$version" || "$component" == istio || "$component" == istio-cni ]] || die "only istio and istio-cni take a version, found \`$1\`"
    [[ "$version" =~ ^[0-9A-Za-z.-]*$ ]] || die "\`$version\` is no version"
    cd "$tools/$component"
    flags="-s -w $(stamps "$component" "$version")"
    hash=$({ sed 's,//.*,,; /^[[:space:]]*$/d' go.mod; cat go.sum; find . -name '*.go' -exec cat {} +; echo "$flags"; go env GOVERSION GOOS GOARCH; } | sha256sum | cut -c1-12)
    home="$cache/go-$component-$hash"
    if [[ ! -d "$home" ]]; then
        mkdir -p "$cache"
        # The lock stays with the open file when the process that took it ends.
        exec 9>"$cache/.go-$component.lock"
        python3 -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
        [[ -d "$home" ]] || build "$component" "$flags" "$home"
        exec 9>&-
    fi
    echo "$home"
}

if [[ "${1-}" == --older ]]; then
    istio_says older
    exit 0
fi
if [[ "${1-}" == --list ]]; then
    components
    exit 0
fi
go=$("$root/scripts/tools.sh" go)
export PATH="${go%/*}:$PATH" CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOWORK=off
unset GOROOT
if [[ $# == 0 ]]; then
    # The others are parts of the kind cluster (e2e/up.sh).
    set -- etcd istio kubernetes kwok
fi
# Whoever ends this script ends the compiler, too.
child=''
trap '[[ -z "$child" ]] || kill "$child" 2>/dev/null; exit 143' TERM INT
for one in "$@"; do
    (folder "$one") &
    child=$!
    wait "$child"
done
