#!/usr/bin/env bash
# Runs the scenarios on a cluster, and says what each took. e2e/README.md tells more.
#
#   e2e/run.sh                      brings up the kind cluster (e2e/up.sh), installs Istio with the plugin, runs everything
#   e2e/run.sh sidecar tokens       only scenarios with one of these in their names
#   KUBECONFIG=… KYMA_E2E_CLUSTER=… KYMA_E2E_IMAGE=… e2e/run.sh     on somebody's own cluster
#
# KEEP=1 keeps the scenarios' namespaces. What is known of failures goes to out/e2e (KYMA_E2E_ARTIFACTS).
set -euo pipefail
# shellcheck source=lab/kind/common.sh
. "$(dirname "$0")/../lab/kind/common.sh"
cd "$root"

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
export KYMA_ISTIO_WASM=${KYMA_ISTIO_WASM:-$root/out/header-policy.wasm}
if [[ -z "${KYMA_E2E_ARTIFACTS-}" ]]; then
    KYMA_E2E_ARTIFACTS=$root/out/e2e
    rm -rf "$KYMA_E2E_ARTIFACTS"
fi
export KYMA_E2E_ARTIFACTS
for tool in kubectl jq cargo; do
    command -v "$tool" >/dev/null || die "no \`$tool\` in PATH"
done
[[ -f "$KYMA_ISTIO_WASM" ]] || die "no filter at $KYMA_ISTIO_WASM" "make wasm"

# Ours, unless somebody brings another. First, because a machine that can't have one is told so before anything is built.
own=${KUBECONFIG-}
KUBECONFIG=${own:-$(e2e/up.sh)}
export KUBECONFIG
export KYMA_E2E_CLUSTER=${KYMA_E2E_CLUSTER:-$(dirname "$KUBECONFIG")/cluster.json}
[[ -f "$KYMA_E2E_CLUSTER" ]] || die "no $KYMA_E2E_CLUSTER, which says what a kubeconfig doesn't" "e2e/README.md, \"Your own cluster\""

# What the plugin is, what it renders with, and an image of both.
if [[ -z "${KYMA_ISTIO-}" ]]; then
    cargo build -q -p kubectl-kyma-istio
    KYMA_ISTIO=$CARGO_TARGET_DIR/debug/kubectl-kyma_istio
fi
ISTIOCTL=${ISTIOCTL:-$(tools istio)/istioctl}
export KYMA_ISTIO ISTIOCTL

fact() { jq -re ".$1" "$KYMA_E2E_CLUSTER"; }

# In no registry: the node gets it as it got the others.
if [[ -z "${KYMA_E2E_IMAGE-}" ]]; then
    [[ "$KUBECONFIG" == "$kubeconfig" ]] || die "KYMA_E2E_IMAGE names no image of the plugin that this cluster can pull" "scripts/image.sh builds one"
    # shellcheck source=lab/kind/engine.sh
    . "$kind_dir/engine.sh"
    KYMA_E2E_IMAGE=$(scripts/image.sh)
    find_engine || die "no Docker engine answers, and KYMA_E2E_IMAGE names no image"
    node=$cluster-control-plane
    docker exec "$node" crictl inspecti "docker.io/$KYMA_E2E_IMAGE" >/dev/null 2>&1 ||
        docker save "$KYMA_E2E_IMAGE" | docker exec -i "$node" ctr --namespace=k8s.io images import --digests - >/dev/null
fi
export KYMA_E2E_IMAGE
say "image of the plugin: $KYMA_E2E_IMAGE"

# What killed runs left, and what this one will.
sweep() { kubectl delete namespace --selector=kyma-istio.test/e2e --ignore-not-found "$@" >/dev/null; }
finish() {
    local status=$?
    [[ -n "${KEEP-}" ]] || sweep --wait=false || true
    ((status == 0)) || echo "e2e: failed; what is known is in $KYMA_E2E_ARTIFACTS" >&2
    exit "$status"
}
sweep --timeout=180s
trap finish EXIT

KYMA_E2E_OLDER_ISTIOCTL=${KYMA_E2E_OLDER_ISTIOCTL:-$(older=$(fact older_tag); tools "istio@${older%-distroless}")/istioctl}
export KYMA_E2E_OLDER_ISTIOCTL
"$KYMA_ISTIO" install --profile evaluation --filename "$(fact overlay)" --hub "$(fact hub)" --tag "$(fact tag)" --yes >&2
say "Istio is installed"
built=$(cargo test -q -p e2e-kind --no-run --message-format=json)
say "the scenarios are built"

# Runs a test binary with seconds for each test, which only this switch gives.
run() { # test threads [name…]
    local test=$1 threads=$2 binary
    shift 2
    binary=$(jq -r --arg test "$test" 'select(.executable and .target.name == $test).executable' <<<"$built")
    RUSTC_BOOTSTRAP=1 RUST_BACKTRACE=0 "$binary" --test-threads="$threads" -Zunstable-options --report-time "$@"
}
not_run() { # test why
    local names name
    mapfile -t names < <(run "$1" 1 --list | sed -n 's/: test$//p')
    for name in "${names[@]}"; do echo "not run: $name: $2"; done
    echo "${#names[@]} scenarios not run"
}
failed=()
# Three at a time: two cores bring up no more proxies faster.
run scenarios 3 "$@" || failed+=(scenarios)
say "scenarios with namespaces of their own: done"
run mesh_wide 1 "$@" || failed+=(mesh_wide)
say "scenarios that change the mesh: done"
run delivery 3 "$@" || failed+=(delivery)
say "scenarios of the filter's delivery: done"
# On a cluster that is nobody's: they take Istio away with everything that anybody built on it.
if [[ "$(jq -r '.disposable // false' "$KYMA_E2E_CLUSTER")" == true ]]; then
    run lifecycle 1 "$@" || failed+=(lifecycle)
    say "scenarios of Istio's coming and going: done"
else
    not_run lifecycle "this cluster isn't called disposable"
fi

# What wants more than this cluster has: told and counted.
if [[ "$(jq -r '.network_policy // false' "$KYMA_E2E_CLUSTER")" == true ]]; then
    run network_policy 2 "$@" || failed+=(network_policy)
else
    not_run network_policy "nothing enforces NetworkPolicy here"
fi
((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
