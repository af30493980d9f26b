//! `filter serve` from outside: the plugin's process, real sockets, the real filter, a real upstream.
#![cfg(all(unix, feature = "simulate"))]

#[path = "serve/echo.rs"]
mod echo;
#[path = "serve/kit.rs"]
mod kit;
#[path = "serve/limits.rs"]
mod limits;
#[path = "serve/page.rs"]
mod page;
#[path = "serve/passing_on.rs"]
mod passing_on;
#[path = "serve/reloading.rs"]
mod reloading;
#[path = "serve/starting.rs"]
mod starting;

use kit::{POLICY, Serve, root, token};
use serde_json::json;

#[test]
fn an_allowed_request_shows_what_an_upstream_would_see() {
    let server = Serve::policy(POLICY);
    let answer = server.get("/orders?page=2", "x-forwarded-for: 203.0.113.9\r\n");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(
        answer.json(),
        json!({
            "outcome": "allow",
            "reason": null,
            "client": "203.0.113.9",
            "request": {
                "method": "GET",
                "path": "/orders?page=<redacted>",
                "host": "shop.example",
                "headers": {
                    "x-client-ip": "203.0.113.9",
                    "x-forwarded-for": "203.0.113.9",
                    "x-forwarded-proto": "http",
                },
                "bodyBytes": 0,
            },
        })
    );
    server.line("GET /orders?page=<redacted> allow 200 - 203.0.113.9");
}

#[test]
fn a_forged_chain_and_a_forged_client_header_change_nothing() {
    let server = Serve::policy(POLICY);
    let forged = "x-forwarded-for: 10.6.6.6\r\nX-Client-Ip: 10.6.6.6\r\nX_Client_Ip: 10.6.6.6\r\nx-forwarded-for: 203.0.113.9\r\n";
    let request = &server.get("/", forged).json()["request"];
    assert_eq!(
        request["headers"],
        json!({
            "x-client-ip": "203.0.113.9",
            "x-forwarded-for": "203.0.113.9",
            "x-forwarded-proto": "http",
        })
    );
}

#[test]
fn a_refusal_is_the_filters_own() {
    let server = Serve::policy(POLICY);
    let answer = server.get("/", "x-forwarded-for: 203.0.113.66\r\n");
    assert_eq!(
        (
            answer.status,
            answer.header("content-type"),
            answer.body.as_str()
        ),
        (
            403,
            Some("application/problem+json"),
            r#"{"type":"about:blank","title":"Forbidden","status":403}"#
        )
    );
    server.line("GET / deny 403 ClientDenied 203.0.113.66");
    // Nothing in front of the gateway but the client itself: one hop is missing.
    assert_eq!(server.get("/", "").status, 400);
    server.line("GET / deny 400 TooFewHops unknown");
}

#[test]
fn a_token_is_judged_and_never_shown() {
    let server = Serve::file(&root().join("examples/shop.yaml"), &[]);
    let chain = "x-forwarded-for: 203.0.113.9\r\n";
    let refused = server.get("/orders", chain);
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some("Bearer realm=\"protected\""))
    );
    let ann = token("ann");
    let bearer = format!("{chain}authorization: Bearer {ann}\r\nx-user: root\r\n");
    let path = format!("/orders?access_token={ann}&t={ann}");
    let answer = server.get(&path, &bearer);
    let seen = answer.json();
    assert_eq!(
        (
            &seen["request"]["headers"]["x-user"],
            &seen["request"]["headers"]["authorization"]
        ),
        (&json!("ann"), &json!("Bearer <redacted>"))
    );
    server.line("GET /orders?access_token=<redacted>&t=<redacted> allow 200 - 203.0.113.9");
    assert_eq!(server.get("/admin/x", &bearer).status, 403);
    server.line("GET /admin/x deny 403 ClaimMismatch 203.0.113.9");
    let stopped = server.stop();
    for part in ann.split('.') {
        assert!(!stopped.stderr.contains(part) && !answer.body.contains(part));
    }
}

#[test]
fn at_a_sidecar_the_peer_is_known_by_its_identity() {
    let policy = POLICY.replace("Gateway", "SidecarInbound").replace(
        "hops: 1",
        "hops: 1, identities: [spiffe://cluster.local/ns/istio-system/sa/gateway]",
    );
    // The gateway sends the chain as it was: the balancer in front of it is the hop.
    let chain = "x-forwarded-for: 203.0.113.9, 198.51.100.7\r\n";
    let trusted = "spiffe://cluster.local/ns/istio-system/sa/gateway";
    let server = Serve::policy_with(&policy, &["--peer-identity", trusted]);
    assert_eq!(server.get("/", chain).json()["client"], "203.0.113.9");
    let server = Serve::policy_with(&policy, &[]);
    assert_eq!(server.get("/", chain).status, 403);
    server.line("GET / deny 403 ClientUnknown unknown");
}

#[test]
fn a_filter_that_traps_is_started_again() {
    let module = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(module.path(), wat::parse_str(TRAPS_ON_REQUESTS).unwrap()).unwrap();
    let module = module.path().display().to_string();
    let server = Serve::policy_with(POLICY, &["--filter", &module]);
    let trapped = "GET / fail 500 - - (the filter trapped (Guest in `proxy_on_request_headers`), the VM was started again)";
    for times in 1..=2 {
        assert_eq!(server.get("/", "").status, 500);
        server.lines(trapped, times);
    }
}

const TRAPS_ON_REQUESTS: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
    (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable))"#;
