#!/usr/bin/env bash
# Shows the real filter at work, under wasmtime: requests to the gateway of examples/shop.yaml, each with the verdict and why. KYMA_ISTIO: the plugin's binary; POLICY: another policy.
# Exits with 1 when a request is not judged as its line says. Everything is computed: change the policy and see.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

plugin=${KYMA_ISTIO:-kubectl-kyma_istio}
policy=${POLICY:-examples/shop.yaml}
failed=0

# show EXPECTED-EXIT TITLE FLAG…: one request from a client at 203.0.113.9, through the load balancer at 198.51.100.7.
show() {
    local expected=$1 title=$2 status=0
    shift 2
    printf '\n── %s\n' "$title"
    "$plugin" filter simulate --policy "$policy" --peer 198.51.100.7 "$@" || status=$?
    if ((status != expected)); then
        printf '!! expected exit code %d, got %d\n' "$expected" "$status"
        failed=1
    fi
}

token() { echo "@examples/tokens/$1.jwt"; }

echo "The policy is $policy: one trusted load balancer, tokens of https://login.example.com."
show 0 "a good token: accepted, and the shop behind is told who calls from where" \
    --xff 203.0.113.9 --token "$(token ann)"
show 0 "a spoofed chain: the client writes 10.0.0.1 in front, and it changes nothing" \
    --xff '10.0.0.1, 203.0.113.9' --token "$(token ann)" --header 'x-client-ip: 10.0.0.1' --header 'x-user: root'
show 1 "a malformed chain: refused, not guessed at" \
    --xff 'not-an-address' --token "$(token ann)"
show 1 "no token" \
    --xff 203.0.113.9
show 1 "an expired token" \
    --xff 203.0.113.9 --token "$(token expired)"
show 1 "a forged token: signed by a key that is not the provider's" \
    --xff 203.0.113.9 --token "$(token forged)"
show 1 "a smuggled token: Ann's in the header, the admin's in a cookie" \
    --xff 203.0.113.9 --token "$(token ann)" --header "cookie: session=$(<examples/tokens/admin.jwt)"
show 1 "a good token that may not do this: Ann is no admin" \
    --xff 203.0.113.9 --token "$(token ann)" --path /admin/users
show 0 "the health check needs no token" \
    --xff 203.0.113.9 --path /healthz
exit "$failed"
