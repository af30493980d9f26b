//! `xff probe`: each layer's own word.

use e2e_kind::{Space, facts, kubectl, plugin, until};
use serde_json::{Value, json};

use crate::edge::{BANNED, Edge, WELCOME, policy, push};

#[test]
fn a_probe_tells_whom_envoy_the_policy_and_the_app_took_for_the_client() {
    let space = Space::new("probe");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    logs(&space);
    let url = url(&space);
    let probe = || probe(&url);
    // The first answers come from before the log is turned on.
    let (code, answer) = until("Envoy's view of all requests", || match probe() {
        (code, answer) if answer["requests"][1]["envoy"].is_object() => Ok((code, answer)),
        (_, answer) => Err(answer.to_string()),
    });
    let peer = edge.gateway.our_address().to_string();
    let [welcome, banned] = [0, 1].map(|index| answer["requests"][index].clone());
    // The gateway trusts nobody in front of it, the policy one: that is what a probe is to bring to light.
    assert_eq!(code, 1, "{answer}");
    assert_eq!(welcome["envoy"]["value"], json!(peer), "{answer}");
    assert_eq!(welcome["policy"]["value"], WELCOME, "{answer}");
    assert_eq!(welcome["backend"]["value"], WELCOME, "{answer}");
    assert_eq!(
        (&banned["status"], &banned["refused"]),
        (&json!(403), &json!("ClientDenied")),
        "{answer}"
    );
    let counted = &answer["counted"][edge.policy()];
    assert_eq!(
        (&counted["allowed"], &counted["denied.ClientDenied"]),
        (&json!(1), &json!(1)),
        "{answer}"
    );
}

#[test]
fn a_probe_waits_for_the_log_of_a_gateway_that_has_no_policy() {
    let space = Space::new("bare");
    let edge = Edge::new(&space);
    logs(&space);
    let url = url(&space);
    let is_seen = |answer: &Value| {
        let requests = answer["requests"].as_array().cloned().unwrap_or_default();
        requests.iter().all(|request| request["envoy"].is_object())
    };
    until("an access log that is turned on", || match probe(&url) {
        (_, answer) if is_seen(&answer) => Ok(()),
        (_, answer) => Err(answer.to_string()),
    });
    // Envoy keeps lines back for up to a second: a probe that doesn't wait misses some.
    for _ in 0..3 {
        let (code, answer) = probe(&url);
        assert!(code == 0 && is_seen(&answer), "{code}: {answer}");
        let peer = edge.gateway.our_address().to_string();
        assert_eq!(answer["requests"][0]["envoy"]["value"], json!(peer));
    }
}

/// The gateway's access log, turned on.
fn logs(space: &Space) {
    space.apply(&json!({
        "apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry", "metadata": { "name": "logs" },
        "spec": { "accessLogging": [{ "providers": [{ "name": "stdout-json" }] }] },
    }));
}

/// Where the gateway is asked.
fn url(space: &Space) -> String {
    let service = kubectl(["get", "service", "edge", "--output=json"])
        .within(space.name())
        .json();
    let port = &service["spec"]["ports"][0]["nodePort"];
    format!("http://{}:{port}/", facts().node_address)
}

/// `xff probe` with two chains; the exit code and the answer.
fn probe(url: &str) -> (i32, Value) {
    let ran = plugin(&[
        "xff",
        "probe",
        url,
        "--xff",
        WELCOME,
        "--xff",
        BANNED,
        "--output=json",
    ]);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    (ran.code, answer)
}
