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
    let proxy = |(number, state): (usize, &State)| {
        let selected = Selected {
            namespace: "a".to_owned(),
            name: format!("p{number}"),
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
        proxies: states.iter().enumerate().map(proxy).collect(),
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

/// Each proxy is bad at one look of three, so there is no look without a bad one.
#[tokio::test]
async fn proxies_that_are_bad_in_turn_are_not_hopeless() {
    let (yes, no) = (running(), DENIES);
    let one = [no.clone(), UPDATING, yes.clone()];
    let two = [yes.clone(), no.clone(), UPDATING];
    let three = [UPDATING, yes.clone(), no];
    let all = [yes.clone(), yes.clone(), yes];
    let mut looks: Vec<Result<&[State], ()>> = Vec::new();
    for _ in 0..20 {
        looks.extend([Ok(&one[..]), Ok(&two[..]), Ok(&three[..])]);
    }
    looks.push(Ok(&all[..]));
    let waited = after(&looks, std::future::pending()).await;
    assert_eq!(waited.ended, Ended::Enforced);
}

/// However long one look lasts, a second must agree.
#[tokio::test]
async fn one_slow_look_is_no_verdict() {
    let (no, yes) = ([DENIES], [running()]);
    let looks: [&[State]; 2] = [&no, &yes];
    let number = std::cell::Cell::new(0_usize);
    let look = async || {
        let now = number.replace(number.get() + 1);
        tokio::time::sleep(PACE.hopeless * 2).await;
        Ok(status(looks[now.min(1)]))
    };
    let waited = until_enforced(look, std::future::pending(), PACE, &mut |_| ()).await;
    assert_eq!(waited.ended, Ended::Enforced);
}

#[tokio::test]
async fn a_look_that_never_ends_ends_with_the_time() {
    let started = Instant::now();
    let never = async || std::future::pending().await;
    let waited = until_enforced(never, std::future::pending(), PACE, &mut |_| ()).await;
    assert_eq!(waited.ended, Ended::TimedOut);
    assert!(
        started.elapsed() < PACE.limit * 5,
        "{:?}",
        started.elapsed()
    );
    assert!(waited.not_asked.is_some_and(|why| why.contains("in time")));
}
