use std::cell::RefCell;
use std::collections::VecDeque;

use mesh::filter::{Plugin, Selected};
use mesh::object::Object;
use mesh::observed::ProxyKind;
use serde_json::json;

use super::*;
use crate::report::{Mode, ProxyStatus};

const PACE: Pace = Pace {
    pause: Duration::from_millis(1),
    hopeless: Duration::from_millis(40),
    limit: Duration::from_millis(400),
};

fn status(states: &[State]) -> PolicyStatus {
    let plugin = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "shop", "namespace": "a"}, "spec": {"url": "oci://h/r@sha256:0"}});
    let plugin = Plugin::of(&Object::new(plugin).unwrap());
    let proxy = |state: &State| {
        let selected = Selected {
            namespace: "a".to_owned(),
            name: "p".to_owned(),
            kind: ProxyKind::Gateway,
        };
        ProxyStatus::new(&selected, state.clone(), false, &plugin)
    };
    PolicyStatus {
        namespace: "a".to_owned(),
        name: "shop".to_owned(),
        image: String::new(),
        digest: None,
        fingerprint: None,
        mode: Mode::Enforce,
        fails_open: false,
        canary_of: None,
        has_previous: false,
        problems: Vec::new(),
        proxies: states.iter().map(proxy).collect(),
    }
}

fn running() -> State {
    State::Running {
        fingerprint: "1".to_owned(),
    }
}

const DENIES: State = State::DenyAll { cause: None };
const UPDATING: State = State::Updating { running: None };

/// What looks find, one after the other, the last again and again: states, or a failure.
async fn after(looks: &[Result<&[State], ()>], stopped: impl Future<Output = ()>) -> Waited {
    let left: RefCell<VecDeque<_>> = RefCell::new(looks.iter().copied().collect());
    let look = async || {
        let mut left = left.borrow_mut();
        let next = match left.len() {
            1 => left.front().copied(),
            _ => left.pop_front(),
        };
        let gone = || ClusterError::NoPod {
            pod: "a/p".to_owned(),
        };
        next.unwrap().map(status).map_err(|()| gone())
    };
    until_enforced(look, stopped, PACE, &mut |_| ()).await
}

async fn ended(looks: &[Result<&[State], ()>]) -> Ended {
    after(looks, std::future::pending()).await.ended
}

#[tokio::test]
async fn looks_that_fail_are_borne_until_one_finds_something() {
    let runs: &[State] = &[running()];
    assert_eq!(ended(&[Err(()), Err(()), Ok(runs)]).await, Ended::Enforced);
    assert_eq!(
        ended(&[Ok(&[UPDATING]), Err(()), Ok(&[DENIES])]).await,
        Ended::Hopeless
    );
}

#[tokio::test]
async fn who_never_can_be_asked_is_no_failure_of_the_policy() {
    let waited = after(&[Ok(&[DENIES]), Err(())], std::future::pending()).await;
    assert_eq!(waited.ended, Ended::TimedOut);
    assert_eq!(
        waited.not_asked.as_deref(),
        Some("there is no pod a/p"),
        "{waited:?}"
    );
    assert!(waited.status.is_some(), "what was found before is dropped");
    let unknown = State::Unknown { why: String::new() };
    assert_eq!(ended(&[Ok(&[running(), unknown])]).await, Ended::TimedOut);
    assert_eq!(ended(&[Ok(&[])]).await, Ended::TimedOut);
}

#[tokio::test]
async fn a_proxy_that_never_gets_the_filter_fails_at_the_end() {
    let started = Instant::now();
    assert_eq!(
        ended(&[Ok(&[running(), State::Missing])]).await,
        Ended::Hopeless
    );
    assert!(started.elapsed() >= PACE.limit);
}

#[tokio::test]
async fn a_bad_moment_is_borne() {
    let runs: &[State] = &[running()];
    assert_eq!(ended(&[Ok(&[DENIES]), Ok(runs)]).await, Ended::Enforced);
}

#[tokio::test]
async fn who_stops_the_wait_gets_what_was_found() {
    let soon = tokio::time::sleep(Duration::from_millis(20));
    let waited = after(&[Ok(&[DENIES])], soon).await;
    assert_eq!(waited.ended, Ended::Interrupted);
    assert_eq!(waited.status.map(|status| status.proxies.len()), Some(1));
}
