//! Forth, back, beside each other, and away.

use std::fs::File;
use std::process::Command;

use e2e_kind::{Space, Tokens, kubectl, login, plugin, until, variable};
use serde_json::{Value, json};

use crate::edge::{ALSO_BANNED, BANNED, Edge, WELCOME, other_policy, policy, push, push_one_layer};

#[test]
fn a_deploy_that_no_proxy_can_follow_leaves_the_earlier_filter_in_force() {
    let space = Space::new("failed");
    let edge = Edge::new(&space);
    let broken = push_one_layer();
    let blindly = ["--image", &broken, "--skip-rehearsal"];

    let first = edge.deploy(policy(), &blindly).exits(1);
    assert!(
        first
            .stdout
            .contains("it was taken away again: nothing was there before"),
        "{first}"
    );
    assert_eq!(edge.plugin(), None);
    edge.comes_to_answer(BANNED, 200);

    let good = push("good", None);
    edge.brings(policy(), &good);
    let later = edge.deploy(other_policy(), &blindly).exits(1);
    assert!(
        later.stdout.contains("what was there before is back:"),
        "{later}"
    );
    assert!(later.stdout.contains("KI-F003"), "{later}");
    assert_eq!(
        edge.plugin().expect("the plugin")["spec"]["url"],
        json!(good)
    );
    edge.judges();
    assert_eq!(edge.answers(ALSO_BANNED), (200, None));
}

#[test]
fn rollback_brings_the_policy_before_and_then_forth_again_and_remove_leaves_nothing() {
    let space = Space::new("rollback");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    let name = edge.policy();
    let nothing = plugin(&["filter", "rollback", &name, "--yes"]).exits(5);
    assert!(
        nothing.stderr.contains("there is nothing to go back to"),
        "{nothing}"
    );

    let again = edge.deploy(policy(), &[]).exits(0);
    assert!(
        again
            .stdout
            .contains("nothing to write: the cluster has it already"),
        "{again}"
    );
    let _edited = edge.deploy(other_policy(), &[]).exits(0);
    edge.comes_to_answer(ALSO_BANNED, 403);
    assert_eq!(edge.answers(BANNED), (200, None));

    let _back = plugin(&["filter", "rollback", &name, "--yes"]).exits(0);
    edge.comes_to_answer(BANNED, 403);
    assert_eq!(edge.answers(ALSO_BANNED), (200, None));
    let _forth = plugin(&["filter", "rollback", &name, "--yes"]).exits(0);
    edge.comes_to_answer(ALSO_BANNED, 403);

    let removed = plugin(&["filter", "remove", &name, "--yes"]).exits(0);
    assert!(
        removed.stdout.contains("no proxy has it any more"),
        "{removed}"
    );
    assert_eq!(edge.plugin(), None);
    edge.comes_to_answer(ALSO_BANNED, 200);
    let gone = plugin(&["filter", "status", &name]).exits(2);
    assert!(gone.stderr.contains("found no policy"), "{gone}");
}

#[test]
fn a_shadow_edits_no_header_and_consumes_no_token_until_it_is_promoted() {
    let space = Space::new("shadow");
    let edge = Edge::new(&space);
    let token = format!("Bearer {}", Tokens::new().mint(json!({})));
    let with_tokens = |mode: &str, banned: &str| {
        let mut spec = if banned == BANNED {
            policy()
        } else {
            other_policy()
        };
        spec["mode"] = json!(mode);
        let mut provider = login();
        provider["token"] = json!("Remove");
        spec["jwt"] = json!({ "providers": [provider], "otherwise": "Require" });
        spec
    };
    let request = |client: &str| {
        let headers = [
            ("x-forwarded-for", client),
            ("authorization", &token),
            ("x-client-ip", "6.6.6.6"),
            ("x-user", "root"),
        ];
        edge.gateway.get("/", &headers)
    };

    // Alone: everything that it would strip, write, consume or refuse is as it was sent.
    edge.brings(with_tokens("Shadow", BANNED), &push("good", None));
    for client in [WELCOME, BANNED] {
        let answer = request(client);
        assert_eq!(
            answer.seen("authorization").as_deref(),
            Some(token.as_str()),
            "{client}"
        );
        assert_eq!(
            answer.seen("x-client-ip").as_deref(),
            Some("6.6.6.6"),
            "{client}"
        );
        assert_eq!(answer.seen("x-user").as_deref(), Some("root"), "{client}");
        let chain = format!("{client},{}", edge.gateway.our_address());
        assert_eq!(
            answer.seen("x-forwarded-for").as_deref(),
            Some(chain.as_str())
        );
    }
    assert_eq!(edge.gateway.get("/", &[]).status, 200);

    // Beside the one that enforces: that one still finds the token, and alone decides.
    edge.brings(with_tokens("Enforce", BANNED), &push("good", None));
    let file = edge.file(with_tokens("Enforce", ALSO_BANNED));
    let _canary = plugin(&["filter", "deploy", "--canary", "--yes", "--file", &file]).exits(0);
    let name = edge.policy();
    let counting = std::thread::scope(|scope| {
        let compare = || plugin(&["filter", "compare", &name, "--for", "20s", "--output=json"]);
        let counted = scope.spawn(compare);
        while !counted.is_finished() {
            let answer = request(WELCOME);
            assert_eq!(answer.seen("x-user").as_deref(), Some("ann"));
            assert_eq!(
                answer.seen("authorization"),
                None,
                "the enforcing policy consumes the token"
            );
            assert_eq!(request(BANNED).status, 403);
            assert_eq!(request(ALSO_BANNED).status, 200);
        }
        counted.join().expect("no panic").exits(0)
    });
    let counts: Value = serde_json::from_str(&counting.stdout).expect("JSON of the plugin");
    let count = |side: &str, what: &str| counts[side][what].as_u64().unwrap_or(0);
    assert!(count("current", "denied.ClientDenied") > 0, "{counts}");
    assert!(count("shadow", "shadow.ClientDenied") > 0, "{counts}");
    assert_eq!(count("shadow", "denied.ClientDenied"), 0, "{counts}");

    let _promoted = plugin(&["filter", "promote", &name, "--yes"]).exits(0);
    edge.comes_to_answer_with(
        &[("x-forwarded-for", ALSO_BANNED), ("authorization", &token)],
        403,
    );
    let stands = edge.plugin().expect("the plugin");
    assert_eq!(stands["spec"]["failStrategy"], "FAIL_CLOSE");
    let canary = kubectl(["get", "wasmplugin", "edge-canary"])
        .within(space.name())
        .tried();
    assert!(canary.is_err_and(|why| why.contains("NotFound")));
}

#[test]
fn following_the_log_shows_decisions_and_ctrl_c_puts_the_level_back() {
    let space = Space::new("logs");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    let before = level(&space);
    assert_ne!(before, "trace");

    let log = edge.path("log");
    let mut following = Command::new(variable("KYMA_ISTIO"))
        .args([
            "filter",
            "logs",
            &edge.policy(),
            "--follow",
            "--level",
            "trace",
        ])
        .stdout(File::create(&log).expect("a file"))
        .spawn()
        .expect("a plugin that starts");
    // The filter looks at the level every five seconds.
    until("the line of a decision", || {
        assert_eq!(edge.answers(BANNED).0, 403);
        let shown = std::fs::read_to_string(&log).expect("the log");
        let is_it =
            |line: &str| line.contains("decision") && line.contains(r#""reason":"ClientDenied""#);
        match shown.lines().any(is_it) {
            true => Ok(()),
            false => Err(shown),
        }
    });
    assert_eq!(level(&space), "trace");
    let interrupt = Command::new("kill")
        .args(["-INT", &following.id().to_string()])
        .status();
    assert!(interrupt.is_ok_and(|status| status.success()));
    assert_eq!(following.wait().expect("an end").code(), Some(0));
    assert_eq!(level(&space), before);
}

/// The level of the gateway's logger `wasm`.
fn level(space: &Space) -> String {
    let ask = [
        "exec",
        "deployment/edge",
        "--container=istio-proxy",
        "--",
        "pilot-agent",
        "request",
        "POST",
        "logging",
    ];
    let loggers = kubectl(ask).within(space.name()).done();
    let level = loggers
        .lines()
        .find_map(|line| line.trim().strip_prefix("wasm: "));
    level.expect("a logger `wasm`").to_owned()
}
