//! The verbs of delivery as their user runs them, with a real registry and without a cluster. What needs an API server is in
//! go_filter_cli, what needs proxies in e2e/kind/tests/delivery.

#[path = "common/plugin.rs"]
mod common;
#[path = "filter_cli/images.rs"]
mod images;
#[path = "filter_cli/kit.rs"]
mod kit;

use common::{Answer, plugin};
use kit::policy;
use kubectl_kyma_istio::exit;
use tempfile::TempDir;

/// Nobody listens there.
const NOWHERE: &str = "https://127.0.0.1:1";

/// Of the folder's `policy.yaml`.
const DEPLOY: [&str; 6] = [
    "filter",
    "deploy",
    "-f",
    "policy.yaml",
    "--image",
    "host.example/team/f:1",
];

fn deploy(folder: &TempDir) -> Answer {
    let all = [&DEPLOY[..], &["--server", NOWHERE]].concat();
    plugin(&all).within(folder).run()
}

#[test]
fn a_policy_that_does_not_compile_ends_before_any_cluster_is_asked() {
    let folder = policy("spec: {position: Gateway, forwarded: {trust: {hops: 99}}}");
    let answer = deploy(&folder);
    assert_eq!(answer.code, exit::INVALID, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("policy.yaml:4:")
            && answer
                .stderr
                .contains("spec.forwarded.trust.hops: found `99`"),
        "{}",
        answer.stderr
    );
}

#[test]
fn every_problem_of_a_target_is_told_at_once() {
    let folder = policy(
        "spec: {position: SidecarInbound, forwarded: {trust: {identities: [\"spiffe://a/ns/b/sa/c\"]}, gatewaySends: Canonical}, target: {phase: AUTHN, color: red}}",
    );
    let answer = deploy(&folder);
    assert_eq!(answer.code, exit::INVALID, "{}", answer.stderr);
    for problem in [
        "spec.target.color: found an unknown field",
        "spec.target.phase: found `AUTHN`, expected one of `Authn`, `Authz`, `Stats`",
        "hint: did you mean `Authn`?",
        "spec.target: found no proxies, expected `gateway`, `selector`",
    ] {
        assert!(
            answer.stderr.contains(problem),
            "{problem}: {}",
            answer.stderr
        );
    }
}

#[test]
fn a_cluster_that_is_not_there_is_told_by_every_verb() {
    let folder = policy("spec: {position: Gateway, forwarded: {trust: {hops: 1}}}");
    for arguments in [
        &DEPLOY[..],
        &["filter", "status"],
        &["filter", "list"],
        &["filter", "rollback", "shop"],
        &["filter", "remove", "shop"],
        &["filter", "logs", "shop"],
        &["xff", "show"],
        &["xff", "set", "1"],
        &["xff", "probe"],
    ] {
        let arguments = [arguments, &["--server", NOWHERE]].concat();
        let answer = plugin(&arguments).within(&folder).run();
        assert_eq!(
            answer.code,
            exit::UNREACHABLE,
            "{arguments:?}: {}",
            answer.stderr
        );
        assert!(
            answer.stderr.contains("can't reach `https://127.0.0.1:1`"),
            "{arguments:?}: {}",
            answer.stderr
        );
    }
}

#[test]
fn a_chain_is_explained_without_a_cluster() {
    let folder = policy("spec: {position: Gateway, forwarded: {trust: {hops: 1}}}");
    let explain = |trusted: &str| {
        let arguments = [
            "xff",
            "explain",
            "--xff",
            "198.51.100.1, 203.0.113.9",
            "--peer",
            "192.0.2.5",
            "--trusted",
            trusted,
            "--policy",
            "policy.yaml",
            "-o",
            "json",
        ];
        let answer = plugin(&arguments).within(&folder).run();
        let value: serde_json::Value = serde_json::from_str(&answer.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", answer.stderr));
        (
            answer.code,
            value["envoy"]["client"].clone(),
            value["policy"]["client"].clone(),
        )
    };
    // Envoy takes the Nth address from the right of what it got (docs: config/http_conn_man/headers, x-forwarded-for).
    assert_eq!(
        explain("1"),
        (exit::DONE, "203.0.113.9".into(), "203.0.113.9".into())
    );
    assert_eq!(
        explain("2"),
        (exit::NEGATIVE, "198.51.100.1".into(), "203.0.113.9".into())
    );
    assert_eq!(
        explain("0"),
        (exit::NEGATIVE, "192.0.2.5".into(), "203.0.113.9".into())
    );
}

#[test]
fn numbers_of_proxies_that_no_policy_could_say_are_refused() {
    for hops in ["33", "-1", "two"] {
        let answer = plugin(&["xff", "set", "--server", NOWHERE, "--", hops]).run();
        assert_eq!(answer.code, exit::INVALID, "{hops}: {}", answer.stderr);
    }
}

#[test]
fn flags_that_would_do_nothing_are_no_flags() {
    for arguments in [
        &["filter", "remove", "shop", "--force-conflicts"][..],
        &["filter", "remove", "shop", "--no-rollback"],
        &["xff", "set", "1", "--force-conflicts"],
    ] {
        let answer = plugin(&[arguments, &["--server", NOWHERE]].concat()).run();
        assert_eq!(answer.code, exit::INVALID, "{arguments:?}");
        assert!(
            answer.stderr.contains("unexpected argument"),
            "{arguments:?}: {}",
            answer.stderr
        );
    }
}

#[test]
fn help_of_each_verb_has_an_example_and_its_exit_codes() {
    for verb in [
        "push", "save", "inspect", "deploy", "status", "list", "rollback", "remove", "logs",
        "compare", "promote",
    ] {
        let help = plugin(&["filter", verb, "--help"]).run();
        assert_eq!(help.code, exit::DONE, "{verb}");
        for part in [
            &format!("  kubectl kyma-istio filter {verb}"),
            "Exit codes:",
        ] {
            assert!(
                help.stdout.contains(part),
                "{verb}: no `{part}` in {}",
                help.stdout
            );
        }
    }
    for verb in ["show", "set", "explain", "probe"] {
        let help = plugin(&["xff", verb, "--help"]).run();
        let example = format!("  kubectl kyma-istio xff {verb}");
        assert!(
            help.stdout.contains(&example) && help.stdout.contains("Exit codes:"),
            "{verb}: {}",
            help.stdout
        );
    }
}
