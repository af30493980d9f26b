#!/usr/bin/env bash
# Makes the test keys under testdata/keys that are missing, and jwks.json from all of them. Keys that exist are kept: cases and
# signatures in the repository are made with them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../testdata/keys"

generate() {
    local name=$1
    shift
    [[ -e $name.pem ]] || openssl genpkey -quiet -out "$name.pem" "$@"
}

generate rsa-a -algorithm RSA -pkeyopt rsa_keygen_bits:2048
generate rsa-b -algorithm RSA -pkeyopt rsa_keygen_bits:2048
generate rsa-1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024
generate stranger -algorithm RSA -pkeyopt rsa_keygen_bits:2048
generate ec-a -algorithm EC -pkeyopt ec_paramgen_curve:P-256
generate ec384-a -algorithm EC -pkeyopt ec_paramgen_curve:P-384
generate ed-a -algorithm ED25519
chmod 644 ./*.pem

python3 - >jwks.json <<'E2'
import base64, json, subprocess

def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

def encoded(number):
    return base64.urlsafe_b64encode(number).rstrip(b"=").decode()

def tlv(der):
    """The value of the first element of `der`, and what follows it."""
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    return der[start:start + length], der[start + length:]

def rsa(name, alg):
    sequence, _ = tlv(openssl("rsa", "-in", f"{name}.pem", "-RSAPublicKey_out", "-outform", "DER"))
    modulus, rest = tlv(sequence)
    exponent, _ = tlv(rest)
    return {"kty": "RSA", "alg": alg, "n": encoded(modulus.lstrip(b"\0")), "e": encoded(exponent.lstrip(b"\0"))}

def point(name, width):
    """The end of a SubjectPublicKeyInfo is the key itself, whose width the curve fixes."""
    return openssl("pkey", "-in", f"{name}.pem", "-pubout", "-outform", "DER")[-width:]

def ec(name, alg, curve, width):
    xy = point(name, 2 * width)
    return {"kty": "EC", "alg": alg, "crv": curve, "x": encoded(xy[:width]), "y": encoded(xy[width:])}

def ed25519(name):
    return {"kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "x": encoded(point(name, 32))}

keys = {
    "rsa-a": rsa("rsa-a", "RS256"),
    "rsa-b": rsa("rsa-b", "PS256"),
    "ec-a": ec("ec-a", "ES256", "P-256", 32),
    "ec384-a": ec("ec384-a", "ES384", "P-384", 48),
    "ed-a": ed25519("ed-a"),
}
print(json.dumps({"keys": [{"kid": kid, "use": "sig", **key} for kid, key in keys.items()]}, indent=2))
E2
