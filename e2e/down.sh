#!/usr/bin/env bash
# Removes the kind cluster of e2e/up.sh and ends the Docker engine if up.sh started it. What was built stays in the cache.
# KEEP=1 leaves everything running and says where.
set -euo pipefail
# shellcheck source=lab/kind/common.sh
. "$(dirname "$0")/../lab/kind/common.sh"
# shellcheck source=lab/kind/engine.sh
. "$kind_dir/engine.sh"

if [[ "${KEEP-}" == 1 ]]; then
    say "kept: KUBECONFIG=$kubeconfig"
    exit 0
fi
mkdir -p "$state"
exec 9>"$state/lock"
flock 9
if command -v docker >/dev/null && find_engine; then
    "$(tools kind)/kind" delete cluster --name "$cluster" --kubeconfig "$kubeconfig" -q
    docker network rm "$network" >/dev/null 2>&1 || true
    say "cluster $cluster removed"
fi
stop_engine
rm -f "$kubeconfig" "$state"/cluster{,.json}
