//! `xff probe`: each layer's own word.

use e2e_kind::{Space, facts, kubectl, plugin, until};
use serde_json::{Value, json};

use crate::edge::{BANNED, Edge, WELCOME, policy, push};

#[test]
fn a_probe_tells_whom_envoy_the_policy_and_the_app_took_for_the_client() {
    let space = Space::new("probe");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    space.apply(&json!({
        "apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry", "metadata": { "name": "logs" },
        "spec": { "accessLogging": [{ "providers": [{ "name": "stdout-json" }] }] },
    }));
    let service = kubectl(["get", "service", "edge", "--output=json"])
        .within(space.name())
        .json();
    let url = format!(
        "http://{}:{}/",
        facts().node_address,
        service["spec"]["ports"][0]["nodePort"]
    );
    let probe = || {
        let ran = plugin(&[
            "xff",
            "probe",
            &url,
            "--xff",
            WELCOME,
            "--xff",
            BANNED,
            "--output=json",
        ]);
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
        (ran.code, answer)
    };
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
