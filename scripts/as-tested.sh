#!/usr/bin/env bash
# Says which dependencies of the demo's plugin have other features in the tests' build: those are compiled a second time by `make test` on a
# new machine. Features are added to `as-tested` in kubectl-kyma-istio/Cargo.toml. $demo_plugin, $all_tests: cargo's arguments, as the Makefile sets them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

read -ra demo <<<"${demo_plugin:?cargo\'s arguments}"
read -ra tests <<<"${all_tests:?cargo\'s arguments}"

# Every crate with its features, a line each.
features() {
    cargo tree --locked --format '{p} [{f}]' --prefix none "$@" | sed 's/ (\*)$//; s/ (proc-macro)//' | LC_ALL=C sort -u
}

# Before they are compared: what fails inside `<(…)` would be taken for an empty list.
demo_features=$(features --edges normal,build "${demo[@]}")
tests_features=$(features --edges all "${tests[@]}")

# The client's half of hyper-util would bring more crates than it saves; the plugin itself is another one.
others=$(LC_ALL=C comm -23 <(printf '%s\n' "$demo_features") <(printf '%s\n' "$tests_features") | grep -vE '^(hyper-util|kubectl-kyma-istio) ' || true)
[[ -z $others ]] || { printf 'compiled again for the tests, which have other features of:\n%s\n' "$others" >&2; exit 1; }
