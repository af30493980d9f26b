//! The JSON function, natively. What it decides is the corpus's business; here stands what its answers look like.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decide;

const POLICY: &str = r#"{
    "apiVersion": "policy.kyma-istio.dev/v1alpha1", "kind": "HeaderPolicy", "metadata": {"name": "shop"},
    "spec": {
        "position": "Gateway",
        "forwarded": {"trust": {"hops": 1}, "outbound": "Replace", "clientIpHeader": "x-client-ip"},
        "jwt": {
            "providers": [{"name": "login", "issuer": "https://login.example.com", "audiences": ["shop"], "jwks": {"keys": [KEY]}}],
            "rules": [{"name": "health", "paths": ["/healthz"], "access": "Open"}],
            "otherwise": "Require"
        },
        "replies": {"realm": "shop"}
    }
}"#;
/// RFC 8037, appendix A.2.
const KEY: &str = r#"{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn policy() -> String {
    POLICY.replace("KEY", KEY)
}

fn answer(policy: &str, request: &str) -> Value {
    serde_json::from_str(&decide(policy, request)).unwrap()
}

fn asked(request: &Value) -> Value {
    answer(&policy(), &request.to_string())
}

/// Path, what was found, and the hint, of each problem.
fn problems(answer: &Value) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let problems = answer["error"].as_array().expect("an error").iter();
    problems
        .map(|problem| {
            assert!(problem["expected"].is_string(), "{problem}");
            (
                text(&problem["path"]).unwrap(),
                text(&problem["found"]).unwrap(),
                text(&problem["hint"]),
            )
        })
        .collect()
}

#[test]
fn an_allow_shows_what_the_next_hop_gets() {
    let answer = asked(&json!({
        "id": {"row": 7}, "now": 1_700_000_000, "peer": "192.0.2.1", "path": "/healthz",
        "headers": [["host", "shop.example.com"], ["X-Forwarded-For", "203.0.113.9"], ["x-client-ip", "10.0.0.1"], ["x-raw", {"hex": "FF00"}], ["x-text", {"hex": "6869"}]],
    }));
    assert_eq!(
        answer,
        json!({
            "id": {"row": 7}, "outcome": "allow", "client": "203.0.113.9", "clientFrom": "chain", "rule": "health", "position": "Gateway",
            "chain": {"elements": 2, "trusted": 1, "clientIndex": 1, "peerTrusted": true, "anomalies": []},
            "edits": [{"set": ["x-forwarded-for", "203.0.113.9"]}, {"set": ["x-client-ip", "203.0.113.9"]}],
            "headers": [
                [":method", "GET"], [":path", "/healthz"], [":authority", "shop.example.com"], [":scheme", "http"],
                ["x-raw", {"hex": "ff00"}], ["x-text", "hi"], ["x-forwarded-proto", "http"],
                ["x-forwarded-for", "203.0.113.9"], ["x-client-ip", "203.0.113.9"],
            ],
        })
    );
}

#[test]
fn a_refusal_shows_the_reply() {
    let answer = asked(
        &json!({"now": 1_700_000_000, "peer": "192.0.2.1", "headers": [["x-forwarded-for", "203.0.113.9"]]}),
    );
    let said = [
        &answer["outcome"],
        &answer["status"],
        &answer["reason"],
        &answer["rule"],
    ];
    assert_eq!(
        json!(said),
        json!(["deny", 401, "MissingToken", "otherwise"])
    );
    assert!(answer.get("headers").is_none(), "{answer}");
    let headers = answer["reply"]["headers"].as_array().unwrap();
    assert!(
        headers.contains(&json!(["www-authenticate", "Bearer realm=\"shop\""])),
        "{answer}"
    );
    assert!(
        answer["reply"]["body"]
            .as_str()
            .is_some_and(|body| body.contains("401")),
        "{answer}"
    );
}

#[test]
fn a_request_without_a_time_is_an_error() {
    let hint = Some("in JavaScript, `Date.now() / 1000`".to_owned());
    let without = vec![("request.now".to_owned(), "nothing".to_owned(), hint.clone())];
    assert_eq!(problems(&asked(&json!({}))), without);
    assert_eq!(problems(&asked(&json!({"now": null}))), without);
    let far = problems(&asked(&json!({"now": 1_763_000_000_000_u64})));
    assert_eq!(
        far,
        vec![(
            "request.now".to_owned(),
            "`1763000000000`".to_owned(),
            hint.clone()
        )]
    );
    assert_eq!(
        problems(&asked(&json!({"now": -1}))),
        vec![("request.now".to_owned(), "`-1`".to_owned(), hint)]
    );
}

#[test]
fn every_problem_of_a_request_is_told() {
    let request = json!({
        "position": "Waypoint", "peer": "192.0.2.256", "tls": 1, "xff": "", "method": ["GET"],
        "headers": [["a", "b"], ["a"], {"authorization": "Bearer secret"}, ["a", 1]],
    });
    let answer = asked(&request);
    let paths: Vec<(String, String)> = problems(&answer)
        .into_iter()
        .map(|(path, found, _)| (path, found))
        .collect();
    let expected = [
        ("request.headers[1]", "a list"),
        ("request.headers[2]", "an object"),
        ("request.headers[3]", "a list"),
        ("request.method", "a list"),
        ("request.peer", "`192.0.2.256`"),
        ("request.position", "`Waypoint`"),
        ("request.tls", "a number"),
        ("request.xff", "an unknown field"),
        ("request.now", "nothing"),
    ];
    assert_eq!(
        paths,
        expected.map(|(path, found)| (path.to_owned(), found.to_owned()))
    );
    assert!(!answer.to_string().contains("secret"), "{answer}");
}

#[test]
fn a_request_that_is_none_is_an_error() {
    let found = |request: &str| {
        let problems = problems(&answer(&policy(), request));
        assert_eq!(problems.len(), 1, "{request}: {problems:?}");
        let (path, found, _) = problems.into_iter().next().unwrap();
        format!("{path}: {found}")
    };
    assert_eq!(found("[null, \"Gateway\"]"), "request: a list");
    assert_eq!(found("\"GET /\""), "request: text");
    assert_eq!(
        found("GET /"),
        "request: text that is no JSON at line 1, column 1"
    );
    assert_eq!(
        found(r#"{"now": 1, "path": "/a", "path": "/b"}"#),
        "request: a field that stands twice"
    );
    assert_eq!(
        found(r#"{"now": 1, "headers": "authorization: Bearer secret"}"#),
        "request.headers: text"
    );
    for hex in ["f", "fg", "é"] {
        let request = json!({"now": 1, "headers": [["a", "b"], ["c", {"hex": hex}]]});
        assert_eq!(
            found(&request.to_string()),
            "request.headers[1]: a `hex` that is no bytes"
        );
    }
}

#[test]
fn problems_of_policy_and_request_come_together() {
    let broken = policy().replace("\"hops\": 1", "\"hop\": 1");
    let paths: Vec<String> = problems(&answer(&broken, "{}"))
        .into_iter()
        .map(|(path, ..)| path)
        .collect();
    assert_eq!(paths, ["spec.forwarded.trust.hop", "request.now"]);
    let none = problems(&answer("apiVersion: yaml", r#"{"now": 1}"#));
    assert_eq!(none.len(), 1, "{none:?}");
}

#[test]
fn deep_json_is_an_error() {
    let deep = "[".repeat(200_000);
    assert!(answer(&deep, &deep)["error"].is_array());
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let request =
        format!(r#"{{"now": 1, "id": {deep}, "headers": [["authorization", "Bearer {deep}"]]}}"#);
    assert!(answer(&policy(), &request).is_object());
}

proptest! {
    #[test]
    fn any_two_texts_get_an_answer(policy in ".*", request in ".*") {
        prop_assert!(answer(&policy, &request)["error"].is_array());
    }

    #[test]
    fn any_request_gets_an_answer(now in any::<f64>(), peer in any::<std::net::IpAddr>(), path in ".*", headers in proptest::collection::vec(("x-forwarded-for|authorization|cookie|forwarded|.*", ".*"), 0..4)) {
        let request = json!({"now": now, "peer": peer, "path": path, "headers": headers});
        let answer = asked(&request);
        prop_assert!(answer["outcome"].is_string() || answer["error"].is_array());
    }

    #[test]
    fn any_bytes_get_an_answer(values in proptest::collection::vec(("x-forwarded-for|authorization|cookie|forwarded", proptest::collection::vec(any::<u8>(), 0..64)), 0..4)) {
        let headers: Vec<Value> = values.iter().map(|(name, value)| {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            json!([name, {"hex": hex}])
        }).collect();
        let answer = asked(&json!({"now": 1_700_000_000, "headers": headers}));
        prop_assert!(answer["outcome"].is_string());
    }
}
