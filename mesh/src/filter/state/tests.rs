use serde_json::json;

use super::*;
use crate::object::Object;

const OLD: u64 = 0x0aa;
const NEW: u64 = 0x0bb;

fn plugin() -> Plugin {
    let object = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "shop", "namespace": "istio-system"}, "spec": {"url": "oci://h/r@sha256:0"}});
    Plugin::of(&Object::new(object).unwrap())
}

/// A configuration is its own gauge here: `new`, `old`, and everything else doesn't compile.
fn gauge(config: &str) -> Option<u64> {
    match config {
        "old" => Some(OLD),
        "new" => Some(NEW),
        _ => None,
    }
}

/// Names as they are before Istio 1.30, or since.
fn look(kind: ResourceKind, running: Option<u64>, age: i64, is_older: bool) -> Look {
    let index = usize::from(is_older);
    let mut look = Look {
        now: 1000,
        ..Look::default()
    };
    look.resources.push(Resource {
        name: plugin().resources()[index].clone(),
        kind,
        updated: 1000 - age,
    });
    if let Some(running) = running {
        let name = format!("{}policy_fingerprint", plugin().metrics()[index]);
        look.gauges.insert(name, running);
    }
    look
}

fn wasm(config: &str) -> ResourceKind {
    ResourceKind::Wasm {
        config: config.to_owned(),
    }
}

fn state(wanted: Option<u64>, look: &Look) -> State {
    judge(&plugin(), wanted, look, &gauge)
}

#[test]
fn only_the_gauge_says_running_under_both_names() {
    for is_older in [false, true] {
        let runs = look(wasm("new"), Some(NEW), 60, is_older);
        assert_eq!(state(Some(NEW), &runs).name(), "Running");
        // The dump looks new, the gauge says otherwise.
        let pretends = look(wasm("new"), Some(OLD), 60, is_older);
        let rejected = state(Some(NEW), &pretends);
        assert!(
            matches!(&rejected, State::Rejected { running, .. } if running == "00000000000aa"),
            "{rejected:?}"
        );
        let silent = look(wasm("new"), None, 60, is_older);
        assert_eq!(state(Some(NEW), &silent).name(), "Refusing");
        // A word that was taken back.
        let retracted = look(wasm("new"), Some(0), 60, is_older);
        assert_eq!(state(Some(NEW), &retracted).name(), "Refusing");
    }
}

#[test]
fn an_update_has_time_unless_the_log_knows_better() {
    let mut lately = look(wasm("bad"), Some(OLD), 3, false);
    assert_eq!(state(None, &lately).name(), "Updating");
    lately
        .log
        .push("2026\terror\tenvoy wasm\twasm log: header policy refused: spec: found x".to_owned());
    let State::Rejected { cause, .. } = state(None, &lately) else {
        panic!("not rejected");
    };
    assert_eq!(cause.as_deref(), Some("spec: found x"));
}

#[test]
fn what_is_not_delivered_yet_is_no_rejection() {
    let behind = look(wasm("old"), Some(OLD), 3600, false);
    assert_eq!(
        state(Some(NEW), &behind),
        State::Updating {
            running: Some("00000000000aa".to_owned())
        }
    );
}

#[test]
fn stubs_are_named_with_what_the_agent_says() {
    let mut deny = look(ResourceKind::DenyAll, Some(NEW), 60, false);
    assert_eq!(state(Some(NEW), &deny), State::DenyAll { cause: None });
    deny.fetches.insert("download_failure".to_owned(), 5);
    deny.fetches.insert("success".to_owned(), 1);
    assert_eq!(
        state(Some(NEW), &deny),
        State::DenyAll {
            cause: Some("istio-agent counts download_failure 5 times".to_owned())
        }
    );
    deny.log.push("2026\terror\twasm\tcannot fetch Wasm module oci://h/r@sha256:0: number of layers must be 2 but got 1".to_owned());
    assert!(
        matches!(state(Some(NEW), &deny), State::DenyAll { cause: Some(cause) } if cause.contains("number of layers"))
    );
    let allow = look(ResourceKind::AllowAll, None, 60, false);
    assert_eq!(state(Some(NEW), &allow), State::AllowAll { cause: None });
}

#[test]
fn a_plugin_of_a_similar_name_is_another() {
    let mut other = look(wasm("new"), Some(NEW), 60, false);
    for resource in &mut other.resources {
        resource.name = resource.name.replace("shop", "shop2");
    }
    assert_eq!(state(Some(NEW), &other), State::Missing);
}

#[test]
fn an_old_rejection_says_nothing_of_this_update() {
    let mut lately = look(wasm("new"), Some(OLD), 3, false);
    // 990 seconds after 1970; the update came at 997.
    lately.log.push(
        "1970-01-01T00:16:30Z\terror\tenvoy wasm\twasm log: header policy refused: spec: found x"
            .to_owned(),
    );
    assert_eq!(state(Some(NEW), &lately).name(), "Updating");
    lately.log.push(
        "1970-01-01T00:16:37Z\terror\tenvoy wasm\twasm log: header policy refused: spec: found y\tthread=18"
            .to_owned(),
    );
    let State::Rejected { cause, .. } = state(Some(NEW), &lately) else {
        panic!("not rejected");
    };
    assert_eq!(cause.as_deref(), Some("spec: found y"));
}

#[test]
fn a_missing_secret_is_told_by_the_plugins_own_name() {
    let mut deny = look(ResourceKind::DenyAll, None, 60, false);
    deny.log.push("2026-11-21T16:19:28Z\terror\twasm\terror in converting the wasm config to local: cannot fetch Wasm module istio-system.shop~istio-translated-wasmplugin: missing image pulling secret. applying deny RBAC filter".to_owned());
    deny.log.push("2026-11-21T16:19:29Z\terror\twasm\tcannot fetch Wasm module istio-system.shop2~istio-translated-wasmplugin: something else".to_owned());
    let State::DenyAll { cause: Some(cause) } = state(Some(NEW), &deny) else {
        panic!("no cause");
    };
    assert_eq!(
        cause,
        "cannot fetch Wasm module istio-system.shop~istio-translated-wasmplugin: missing image pulling secret. applying deny RBAC filter"
    );
}

#[test]
fn silence_without_a_cause_is_worth_a_second_look() {
    let silent = look(wasm("new"), Some(0), 60, false);
    assert!(state(Some(NEW), &silent).is_silent());
    let mut said = look(wasm("new"), Some(0), 60, false);
    said.log
        .push("header policy refused: spec: found x".to_owned());
    assert!(!state(Some(NEW), &said).is_silent());
    for (kind, running) in [
        (wasm("new"), Some(NEW)),
        (wasm("new"), Some(OLD)),
        (ResourceKind::DenyAll, Some(0)),
    ] {
        assert!(!state(Some(NEW), &look(kind, running, 60, false)).is_silent());
    }
}

/// A log is read where it can change the answer, and nowhere else: with or without it, these are the same.
#[test]
fn a_log_is_needed_only_where_it_says_more() {
    let refused = "2026\terror\tenvoy wasm\twasm log: header policy refused: spec: found x";
    let looks = [
        look(wasm("new"), Some(NEW), 60, false),
        look(wasm("old"), Some(OLD), 3600, false),
        look(wasm("bad"), Some(OLD), 3, false),
        look(wasm("bad"), Some(OLD), 60, false),
        look(wasm("new"), None, 60, false),
        look(ResourceKind::DenyAll, Some(NEW), 60, false),
    ];
    let mut needed = Vec::new();
    for mut one in looks {
        let without = state(Some(NEW), &one);
        one.log.push(refused.to_owned());
        let with = state(Some(NEW), &one);
        assert!(
            without.needs_log() || with == without,
            "{without:?} became {with:?}"
        );
        needed.push(without.needs_log());
    }
    assert_eq!(needed, [false, true, true, true, true, true]);
}
