//! Policies, and an Envoy that runs one.

use std::path::PathBuf;

use lab::{Bootstrap, Envoy, Listener, Node, Wasm, repository};
use policy::Policy;
use serde_json::{Value, json};
use signature::Software;

/// The real filter.
pub fn module() -> PathBuf {
    std::env::var_os("KYMA_ISTIO_WASM")
        .expect("KYMA_ISTIO_WASM is not set: run `make test`, or `make wasm` first")
        .into()
}

pub fn jwks() -> Value {
    let path = repository().join("testdata/keys/jwks.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A policy that uses everything: the chain, tokens from three places, rules by path and claims, headers of its own.
pub fn full_policy(hops: u32, revision: &str) -> String {
    json!({ "apiVersion": policy::API_VERSION, "spec": {
        "revision": revision,
        "position": "Gateway",
        "forwarded": {
            "trust": { "hops": hops }, "outbound": "Replace", "clientIpHeader": "x-client-ip",
            "deny": ["198.51.100.66/32"],
        },
        "jwt": {
            "providers": [{
                "name": "login", "issuer": "https://login.example.com", "audiences": ["shop"], "jwks": jwks(),
                "fromHeaders": [{ "name": "authorization", "prefix": "Bearer " }], "fromCookies": ["t"], "fromParams": ["t"],
                "maxTokenBytes": 65536, "token": "Remove", "payloadHeader": "x-payload",
                "claimsToHeaders": [{ "claim": "sub", "header": "x-user" }, { "claim": "groups", "header": "x-groups", "encoding": "Json" }],
            }],
            "rules": [
                { "name": "public", "paths": ["/public/*"], "access": "Open" },
                { "name": "admin", "paths": ["/admin/*"], "access": "Require", "claims": [{ "claim": "groups", "contains": "admins" }] },
            ],
            "otherwise": "Require",
        },
    }})
    .to_string()
}

/// What the gauge reads while this policy runs.
pub fn gauge_of(policy: &str) -> u64 {
    let policy = Policy::from_json(policy.as_bytes(), &Software);
    policy
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .fingerprint()
        .gauge()
}

/// This module with this policy.
pub fn filter(module: PathBuf, policy: &str) -> Wasm {
    Wasm {
        name: PLUGIN.to_owned(),
        ..Wasm::new(module, policy)
    }
}

pub fn start(listener: Listener, upstream: Option<std::net::SocketAddr>) -> Envoy {
    Envoy::start(&Bootstrap {
        listeners: vec![listener],
        upstream,
        ..Bootstrap::new(Node::Router)
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

pub const LISTENER: &str = "edge";
pub const GAUGE: &str = "wasmcustom.kyma_istio.header_policy.filter.policy_fingerprint";
const PLUGIN: &str = "filter";
