#!/usr/bin/env bash
# Runs two commands at once, and succeeds when both do: scripts/beside.sh "ONE COMMAND" ANOTHER COMMAND…
# Where the other fails or is interrupted, the first is ended with all that it started.
set -euo pipefail

set -m # a process group of its own
bash -c "$1" </dev/null &
beside=$!
set +m
trap 'kill -- -$beside 2>/dev/null || true; wait $beside 2>/dev/null || true' EXIT
shift
"$@"
wait $beside
trap - EXIT
