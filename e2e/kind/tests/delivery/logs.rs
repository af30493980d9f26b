//! `filter logs -f`: what proxies say, as they say it.

use std::fs::File;
use std::process::{Child, Command};

use e2e_kind::{Space, kubectl, until, variable};

use crate::edge::{BANNED, Edge, policy, push};

#[test]
fn following_the_log_shows_decisions_through_a_restart_and_its_end_puts_the_level_back() {
    let space = Space::new("logs");
    let edge = Edge::new(&space);
    edge.brings(policy(), &push("good", None));
    let before = level(&space);
    assert_ne!(before, "trace");

    let log = edge.path("log");
    let follow = || {
        Command::new(variable("KYMA_ISTIO"))
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
            .expect("a plugin that starts")
    };
    let mut following = follow();
    // The filter looks at the level every five seconds.
    let decision = |told: usize| {
        until("the line of a decision", || {
            // Nobody answers while the container restarts.
            let _ = edge.gateway.tried("/", &[("x-forwarded-for", BANNED)]);
            let shown = std::fs::read_to_string(&log).expect("the log");
            let is_it = |line: &&str| {
                line.contains("decision") && line.contains(r#""reason":"ClientDenied""#)
            };
            match shown.lines().filter(is_it).count() {
                found if found > told => Ok(found),
                _ => Err(shown),
            }
        })
    };
    let told = decision(0);
    assert_eq!(level(&space), "trace");
    // The container ends with its Envoy; the next one begins with the usual level.
    let quit = [
        "exec",
        "deployment/edge",
        "--container=istio-proxy",
        "--",
        "pilot-agent",
        "request",
        "POST",
        "quitquitquit",
    ];
    kubectl(quit).within(space.name()).done();
    until("the container to restart", || {
        let pods = space.pods("edge");
        let statuses = pods
            .iter()
            .filter_map(|pod| pod["status"]["containerStatuses"].as_array());
        let mut restarts = statuses
            .flatten()
            .filter_map(|one| one["restartCount"].as_u64());
        restarts
            .find(|count| *count > 0)
            .map(drop)
            .ok_or("no restart")
    });
    decision(told);
    interrupt(&following);
    assert_eq!(following.wait().expect("an end").code(), Some(0));
    assert_eq!(level(&space), before);

    // A terminal that is closed.
    let mut following = follow();
    until("the level to be raised", || match level(&space).as_str() {
        "trace" => Ok(()),
        other => Err(other.to_owned()),
    });
    send(&following, "-HUP");
    assert_eq!(following.wait().expect("an end").code(), Some(0));
    assert_eq!(level(&space), before);
}

/// Ctrl-C.
#[track_caller]
pub fn interrupt(child: &Child) {
    send(child, "-INT");
}

#[track_caller]
fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
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
