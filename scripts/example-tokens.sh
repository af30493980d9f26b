#!/usr/bin/env bash
# Makes examples/tokens/ anew, with OpenSSL and the published test keys. They are good for nothing but the examples: whoever has this repository can sign more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# sign KEY CLAIMS: a token for kid rsa-a, signed with KEY.
sign() {
    local input
    input=$(printf '%s' '{"alg":"RS256","kid":"rsa-a"}' | base64url).$(printf '%s' "$2" | base64url)
    printf '%s.%s\n' "$input" "$(printf '%s' "$input" | openssl dgst -sha256 -sign "testdata/keys/$1.pem" | base64url)"
}

# From 2026-01-01 to 2036-01-01; `expired` ends on 2026-01-02.
claims() { printf '{"iss":"https://login.example.com","aud":"shop","sub":"%s","groups":["%s"],"iat":1767225600,"exp":%s}' "$@"; }

sign rsa-a "$(claims ann buyers 2082758400)" >examples/tokens/ann.jwt
sign rsa-a "$(claims root admins 2082758400)" >examples/tokens/admin.jwt
sign rsa-a "$(claims ann buyers 1767312000)" >examples/tokens/expired.jwt
sign stranger "$(claims ann admins 2082758400)" >examples/tokens/forged.jwt
