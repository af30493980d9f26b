//! The ways in which a WasmPlugin fails without a word. Each test makes one, looks at what clients get, and at the line.

use e2e_kind::{Space, kubectl, plugin};
use serde_json::{Value, json};

use crate::edge::{BANNED, Edge, WELCOME, policy, push, push_one_layer};

#[test]
fn a_layout_that_istio_agent_does_not_take_denies_everything_or_lets_everything_pass() {
    let space = Space::new("layout");
    let edge = Edge::new(&space);
    let (good, broken) = (push("good", None), push_one_layer());

    let refused = edge.deploy(policy(), &["--image", &broken]).exits(5);
    assert!(refused.stderr.contains("KI-F019"), "{refused}");
    assert!(
        refused.stderr.contains("found 1 layers, expected 2"),
        "{refused}"
    );
    assert_eq!(edge.plugin(), None, "a refused deploy wrote");

    edge.brings(policy(), &good);
    edge.judges();
    edge.patch(json!({ "url": broken }));
    let line = edge.comes_to("DenyAll", "KI-F003");
    assert!(
        line.contains("number of layers must be 2 but got 1"),
        "{line}"
    );
    // Not the filter's word: nobody who reads the reply can tell.
    assert_eq!(edge.answers(WELCOME), (403, None));

    edge.brings(policy(), &good);
    edge.patch(json!({ "url": broken, "failStrategy": "FAIL_OPEN" }));
    let line = edge.comes_to("AllowAll", "KI-F004");
    assert!(line.contains("lets every request pass unjudged"), "{line}");
    assert_eq!(edge.answers(BANNED), (200, None));

    edge.brings(policy(), &good);
    edge.judges();
}

#[test]
fn a_pull_secret_that_is_not_there_denies_everything() {
    let space = Space::new("secret");
    let edge = Edge::new(&space);
    let good = push("good", None);
    edge.brings(policy(), &good);

    let refused = edge
        .deploy(policy(), &["--pull-secret", "nowhere"])
        .exits(5);
    let expected = format!("KI-F020: there is no Secret `{}/nowhere`", space.name());
    assert!(refused.stderr.contains(&expected), "{refused}");
    edge.judges();

    // What is fetched already needs no secret: by its tag it is fetched again.
    let (by_tag, _) = good.split_once('@').expect("a digest");
    edge.patch(json!({ "url": by_tag, "imagePullSecret": "nowhere", "imagePullPolicy": "Always" }));
    let line = edge.comes_to("DenyAll", "KI-F003");
    assert!(line.contains("missing image pulling secret"), "{line}");
    assert_eq!(edge.answers(WELCOME), (403, None));
}

#[test]
fn a_registry_that_can_not_be_reached_denies_everything() {
    let space = Space::new("unreachable");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    // An address that is nobody's (RFC 5737).
    let nowhere = format!("oci://192.0.2.1:5000/filter@sha256:{}", "0".repeat(64));
    let refused = edge
        .deploy(policy(), &["--image", &nowhere, "--registry-timeout", "5s"])
        .exits(5);
    assert!(
        refused.stderr.contains("KI-F019") && refused.stderr.contains("--skip-rehearsal"),
        "{refused}"
    );
    edge.judges();

    edge.patch(json!({ "url": nowhere }));
    let line = edge.comes_to("DenyAll", "KI-F003");
    assert!(line.contains("192.0.2.1:5000"), "{line}");
    assert_eq!(edge.answers(WELCOME), (403, None));
}

#[test]
fn an_update_that_was_rejected_is_told_although_the_dump_looks_new_and_the_next_restart_refuses() {
    let space = Space::new("rejected");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    let before = edge.status()["proxies"][0]["fingerprint"].clone();
    assert!(before.is_string());

    edge.patch(json!({ "pluginConfig": { "spec": { "forwarded": { "trust": { "hops": 99 } } } } }));
    let line = edge.comes_to("Rejected", "KI-F001");
    assert!(
        line.contains(
            "spec.forwarded.trust.hops: found `99`, expected a whole number from 0 to 32"
        ),
        "{line}"
    );
    assert_eq!(edge.status()["proxies"][0]["running"], before);
    // The plugin's annotation still names what runs.
    let said = edge.is_not_verified();
    assert!(said.contains("rejected the update"), "{said}");
    assert!(
        dump(&space).to_string().contains(r#"hops\":99"#),
        "the dump doesn't look new"
    );
    edge.judges();

    kubectl(["delete", "pod", "--selector=app=edge"])
        .within(space.name())
        .done();
    let line = edge.comes_to("Refusing", "KI-F002");
    assert!(line.contains("found `99`"), "{line}");
    space.ready(&["edge"]);
    edge.comes_to_answer(WELCOME, 500);
}

#[test]
fn a_filter_that_no_listener_has_is_missing() {
    let space = Space::new("missing");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    edge.patch(json!({ "match": [{ "ports": [{ "number": 65000 }] }] }));
    edge.comes_to("Missing", "KI-F005");
    let said = edge.is_not_verified();
    assert!(said.contains("has no such filter"), "{said}");
    edge.comes_to_answer(BANNED, 200);

    let fields = edge.deploy(policy(), &[]).exits(5);
    assert!(
        fields
            .stderr
            .contains("has fields from others, which would stay: spec.match"),
        "{fields}"
    );
}

#[test]
fn a_policy_that_selects_nobody_any_more_is_no_running_policy() {
    let space = Space::new("nobody");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    edge.patch(json!({ "selector": { "matchLabels": { "app": "nobody" } } }));
    let none = plugin(&["filter", "status", &edge.policy()]).exits(1);
    assert!(none.stdout.contains("no proxy is selected"), "{none}");
    let said = edge.is_not_verified();
    assert!(said.ends_with("no proxy is selected"), "{said}");
    edge.comes_to_answer(BANNED, 200);
}

/// Envoy's own account of the filters that it was sent.
fn dump(space: &Space) -> Value {
    let ask = [
        "exec",
        "deployment/edge",
        "--container=istio-proxy",
        "--",
        "pilot-agent",
        "request",
        "GET",
    ];
    kubectl(ask.into_iter().chain(["config_dump?resource=ecds_filters"]))
        .within(space.name())
        .json()
}
