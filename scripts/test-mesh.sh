#!/usr/bin/env bash
# Runs the tests that need a real API server, istiod, istioctl or registry (`make test-mesh`). Those programs are built by Go in the
# background, istioctl first, while cargo compiles the tests; each test binary starts when all are there. Arguments go to cargo test.
# $all_tests: the packages, as cargo's arguments.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

read -ra tests <<<"${all_tests:?the packages, as the Makefile sets them}"
# Binaries that are called `go_…` are left out by cargo unless they are named (`test = false`).
scripts/beside.sh "make go-tools" cargo test "${tests[@]}" --test 'go_*' --no-run

ISTIOCTL=$(scripts/go-tools.sh istio)/istioctl
export ISTIOCTL KYMA_ISTIO=${CARGO_TARGET_DIR:?}/debug/kubectl-kyma_istio
cargo test "${tests[@]}" --test 'go_*' "$@"
# The registry's own program judges what the registry of `make test` judged.
KYMA_LAB_REGISTRY=distribution cargo test "${tests[@]}" --test delivery --test filter_cli "$@"
# Go's reading of paths beside those of `make test`.
KYMA_LAB_PATH_JUDGE=$(scripts/go-tools.sh path-judge)/path-judge
export KYMA_LAB_PATH_JUDGE
cargo test "${tests[@]}" --test spellings "$@"
