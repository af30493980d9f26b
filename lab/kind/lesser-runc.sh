#!/usr/bin/env bash
# runc that asks for no CAP_SYS_RESOURCE, nor for what needs it. The engine's default runtime where even root has none: kind
# asks for every capability, and runc fails when it can't pass one on. It gains nothing, the capability stays missing.
set -euo pipefail

command='' bundle=$PWD process='' previous=''
for argument in "$@"; do
    case $previous in
    --bundle | -b) bundle=$argument ;;
    --process | -p) process=$argument ;;
    esac
    case $argument in
    create | run | restore | exec) command=${command:-$argument} ;;
    esac
    previous=$argument
done

# Both files hold a process: the bundle's under that name, exec's as the whole. Lowering an OOM score needs the capability.
lessen() { # file path
    [[ -f "$1" ]] || return 0
    local lesser
    lesser=$(jq -c "$2 |= ((.capabilities // {}) |= map_values(if type == \"array\" then . - [\"CAP_SYS_RESOURCE\"] else . end)
        | if (.oomScoreAdj // 0) < 0 then .oomScoreAdj = 0 else . end)" "$1")
    printf '%s\n' "$lesser" >"$1"
}

case $command in
create | run | restore) lessen "$bundle/config.json" .process ;;
exec) lessen "$process" . ;;
esac
exec runc "$@"
