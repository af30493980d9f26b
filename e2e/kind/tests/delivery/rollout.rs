//! Forth, back, beside each other, and away.

use e2e_kind::{Space, Tokens, kubectl, login, plugin};
use serde_json::{Value, json};

use crate::edge::{ALSO_BANNED, BANNED, Edge, WELCOME, other_policy, policy, push};

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

    let file = edge.file(policy());
    let _canary = plugin(&["filter", "deploy", "--canary", "--yes", "--file", &file]).exits(0);
    let removed = plugin(&["filter", "remove", &name, "--yes"]).exits(0);
    assert!(
        removed.stdout.contains("and its canary")
            && removed.stdout.contains("no proxy has it any more"),
        "{removed}"
    );
    let left = kubectl(["get", "wasmplugins", "--output=json"])
        .within(space.name())
        .json();
    assert_eq!(left["items"], json!([]));
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
