#!/usr/bin/env bash
# Builds a release a second time, in another target folder, and fails when a byte differs: `release/compare.sh FOLDER-OF-THE-FIRST`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
first=$(cd "${1:?the folder of the first build}" && pwd -P)
work=${RELEASE_SECOND:-${XDG_CACHE_HOME:-$HOME/.cache}/kyma-istio/target-release-second}
# An old target folder would answer with what was built before.
rm -rf "$work"
mkdir -p "$work"
"$here/build.sh" "$work/out" "$work/target"
if ! diff "$first/SHA256SUMS" "$work/out/SHA256SUMS"; then
    echo "release: two builds differ: compare $first with $work/out" >&2
    exit 1
fi
echo "release: two builds have the same bytes" >&2
