#!/usr/bin/env bash
# Runs the tests that need a real API server, istiod, istioctl or registry (`make test-mesh`). Those programs are built by Go in the
# background, istioctl first, while cargo compiles the tests; each test binary starts when all are there. Arguments go to cargo test.
# $mesh_tests: cargo's arguments that name these tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

make go-tools &
building=$!
trap 'kill $building 2>/dev/null || true' EXIT

cargo build -p kubectl-kyma-istio
read -ra tests <<<"${mesh_tests:?cargo arguments, see the Makefile}"
cargo test "${tests[@]}" --no-run
wait $building
trap - EXIT

ISTIOCTL=$(scripts/go-tools.sh istio)/istioctl
export ISTIOCTL KYMA_ISTIO=${CARGO_TARGET_DIR:?}/debug/kubectl-kyma_istio
cargo test "${tests[@]}" "$@"
# The registry's own program judges what the registry of `make test` judged.
KYMA_LAB_REGISTRY=distribution cargo test -p delivery -p kubectl-kyma-istio --test delivery --test filter_cli "$@"
