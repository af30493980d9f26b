//! The Lease and the turn, where a real API server can't be made to fail in time: answers that are lost, servers that are away, holders that come and go.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::apply::Conflicts;
use cluster::connect::Connection;
use cluster::error::{Class, ClusterError};
use cluster::guard::Mode;
use cluster::interrupt::Interrupt;
use cluster::lease::{Held, Holder, Lost, NAME, Place, Rules, acquire};
use cluster::progress::{Event, Progress, Silent};
use cluster::run::Settings;
use cluster::turn::{Scope, Stops, Turn};
use common::{FakeApi, Reply, config_map};
use mesh::plan::{Action, Plan, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

/// As the usual ones, forty times as fast.
const RULES: Rules = Rules {
    life: Duration::from_millis(1500),
    deadline: Duration::from_millis(1100),
    retry: Duration::from_millis(100),
};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

fn path() -> String {
    format!("{LEASES}/{NAME}")
}

fn others(renewed: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": NAME, "namespace": "default", "uid": "others", "resourceVersion": "others"},
        "spec": {"holderIdentity": "install by anna", "leaseDurationSeconds": 1, "acquireTime": "2026-11-28T10:00:00.000000Z", "renewTime": renewed},
    })
}

fn put(api: &FakeApi, lease: Value) {
    api.store
        .lock()
        .expect("no panic")
        .objects
        .insert(path(), lease);
}

fn stored(api: &FakeApi) -> Option<Value> {
    api.store
        .lock()
        .expect("no panic")
        .objects
        .get(&path())
        .cloned()
}

async fn take(connection: &Connection, who: &str) -> Result<Held, ClusterError> {
    acquire(
        connection,
        &Place::Mesh,
        &Holder::new(who),
        RULES,
        &mut |_| {},
    )
    .await
}

/// A holder that shows no sign of life is waited for as long as it may live, whatever the clocks say; then its Lease is free.
#[tokio::test]
async fn a_dead_holder_is_waited_for_by_our_own_clock() {
    for renewed in ["2001-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"] {
        let api = FakeApi::usual().await;
        put(&api, others(renewed));
        let connection = api.connection(Mode::Write).await;
        let told = AtomicUsize::new(0);
        let began = Instant::now();
        let us = Holder::new("install by ben");
        let held = acquire(&connection, &Place::Mesh, &us, RULES, &mut |busy| {
            told.fetch_add(1, Ordering::Relaxed);
            assert!(
                busy.to_string().starts_with("`install by anna` works"),
                "{busy}"
            );
        })
        .await
        .expect("it was dead");
        assert!(
            began.elapsed() >= Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(told.load(Ordering::Relaxed), 1);
        held.release().await.expect("given back");
        assert_eq!(stored(&api), None);
    }
}

/// Each renewal is a sign of life: who waits gives way at the first.
#[tokio::test]
async fn a_holder_that_renews_is_at_work() {
    let api = FakeApi::usual().await;
    let connection = api.connection(Mode::Write).await;
    let held = take(&connection, "install by anna").await.expect("free");
    let error = take(&connection, "install by ben")
        .await
        .err()
        .expect("taken");
    assert!(matches!(error, ClusterError::Busy { .. }), "{error}");
    assert_eq!(error.class(), Class::Refused);
    held.release().await.expect("given back");
    let held = take(&connection, "install by ben")
        .await
        .expect("free again");
    held.release().await.expect("given back");
}

/// A write that took effect and whose answer was lost is ours: at the first write, at a renewal, at the release.
#[tokio::test]
async fn a_lost_answer_is_no_other_command() {
    for (method, nth) in [("POST", 0), ("PUT", 0), ("PUT", 2), ("DELETE", 0)] {
        let api = FakeApi::start(move |seen, before| {
            let is_it = seen.method == method && before == nth && seen.path.starts_with(LEASES);
            if is_it {
                Reply::LoseAnswer
            } else {
                Reply::Usual
            }
        })
        .await;
        let connection = api.connection(Mode::Write).await;
        let mut held = take(&connection, "install by anna")
            .await
            .unwrap_or_else(|error| panic!("{method} {nth}: {error}"));
        // Far more than one deadline.
        let lost = tokio::time::timeout(Duration::from_millis(2500), held.lost()).await;
        assert!(lost.is_err(), "{method} {nth}: {lost:?}");
        held.release().await.expect("given back");
        assert_eq!(stored(&api), None, "{method} {nth}");
    }
}

/// Before anybody may take it, and said so.
#[tokio::test]
async fn a_holder_that_cannot_renew_stops_before_its_lease_ends() {
    for reply in [
        Reply::HangUp,
        Reply::Text(503, "away"),
        Reply::Late(Duration::from_secs(30)),
    ] {
        let is_away = Arc::new(AtomicBool::new(false));
        let away = is_away.clone();
        let api = FakeApi::start(move |seen, _| match away.load(Ordering::Relaxed) {
            true if seen.path.starts_with(LEASES) => reply.clone(),
            _ => Reply::Usual,
        })
        .await;
        let connection = api.connection(Mode::Write).await;
        let mut held = take(&connection, "install by anna").await.expect("free");
        tokio::time::sleep(Duration::from_millis(200)).await;
        is_away.store(true, Ordering::Relaxed);
        let term = held.term();
        assert_eq!(held.lost().await, Lost::NotRenewed);
        assert!(!term.is_over(), "another command could have begun");
    }
}

#[tokio::test]
async fn who_took_it_or_that_it_was_deleted_is_known() {
    let api = FakeApi::usual().await;
    let connection = api.connection(Mode::Write).await;
    let mut held = take(&connection, "install by ben").await.expect("free");
    put(&api, others(""));
    let by = "install by anna".to_owned();
    assert_eq!(held.lost().await, Lost::Taken { by });

    let api = FakeApi::usual().await;
    let connection = api.connection(Mode::Write).await;
    let mut held = take(&connection, "install by ben").await.expect("free");
    api.store.lock().expect("no panic").objects.remove(&path());
    assert_eq!(held.lost().await, Lost::Deleted);
}

/// A release that comes late leaves the next holder's Lease, which may have the same uid.
#[tokio::test]
async fn a_late_release_leaves_the_next_holders_lease() {
    let api = FakeApi::usual().await;
    let connection = api.connection(Mode::Write).await;
    let held = take(&connection, "install by ben").await.expect("free");
    let mut next = others("");
    next["metadata"]["uid"] = stored(&api).expect("it is there")["metadata"]["uid"].clone();
    put(&api, next.clone());
    held.release().await.expect("nothing to give back");
    assert_eq!(stored(&api), Some(next));
}

/// Without the right to delete, the Lease is left without a holder.
#[tokio::test]
async fn who_may_not_delete_the_lease_leaves_it_to_nobody() {
    let api = FakeApi::start(|seen, _| match seen.method.as_str() {
        "DELETE" => Reply::Json(
            403,
            vec![],
            json!({"kind": "Status", "message": "leases is forbidden: User \"x\" cannot delete"}),
        ),
        _ => Reply::Usual,
    })
    .await;
    let connection = api.connection(Mode::Write).await;
    let held = take(&connection, "install by ben").await.expect("free");
    held.release().await.expect("left");
    assert_eq!(
        stored(&api).expect("it stays")["spec"]["holderIdentity"],
        ""
    );
    let began = Instant::now();
    take(&connection, "install by anna")
        .await
        .expect("free at once");
    assert!(began.elapsed() < Duration::from_millis(500));
}

struct Never;

impl Stops for Never {
    async fn asked(&mut self) {
        std::future::pending().await
    }
}

/// Asks to stop at once, and again.
struct Always;

impl Stops for Always {
    async fn asked(&mut self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn settings() -> Settings {
    Settings {
        timeout: Duration::from_secs(5),
        conflicts: Conflicts::Refuse,
        abort_after: None,
        interrupt: Interrupt::never(),
    }
}

fn plan(names: &[&'static str]) -> Plan {
    let step = |name: &&'static str| Step {
        name,
        title: String::new(),
        action: Action::Apply(vec![config_map(name, "x")]),
    };
    Plan {
        steps: names.iter().map(step).collect(),
        ..Plan::default()
    }
}

async fn turn(connection: &Connection, scope: &Scope) -> Result<Turn, ClusterError> {
    let us = Holder::new("install by ben");
    Turn::take(connection, scope, &us, RULES, &mut Never, &mut |_| {}).await
}

/// Takes the Lease away once the first step is done, and waits until that is known.
struct Thief<'a> {
    api: &'a FakeApi,
    said: Mutex<Vec<String>>,
}

impl Progress for Thief<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::StepFinished { name: "first", .. } => put(self.api, others("")),
            Event::Stopping { why } => {
                self.said.lock().expect("no panic").push(why.to_owned());
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_lost_turn_writes_nothing_more_and_is_an_error() {
    // The second write takes long enough for a renewal to meet the other's Lease.
    let api =
        FakeApi::start(
            |seen, _| match seen.path.ends_with("/second") && seen.method == "PATCH" {
                true => Reply::Late(Duration::from_millis(1000)),
                false => Reply::Usual,
            },
        )
        .await;
    let connection = api.connection(Mode::Write).await;
    for names in [&["first", "second", "third"][..], &["first", "second"]] {
        let mut turn = turn(&connection, &Scope::Mesh).await.expect("free");
        let thief = Thief {
            api: &api,
            said: Mutex::default(),
        };
        let stopped = turn
            .run(&plan(names), settings(), &mut Never, &thief)
            .await
            .expect_err("it was lost");
        assert_eq!(stopped.class(), Class::Partly);
        let said = stopped.to_string();
        assert!(
            said.contains("`install by anna` has taken the Lease"),
            "{said}"
        );
        let written: Vec<&str> = stopped
            .done
            .written
            .iter()
            .map(|one| one.id.name.as_str())
            .collect();
        assert_eq!(written, ["first", "second"]);
        assert_eq!(thief.said.lock().expect("no panic").len(), 1);
        // Nothing more in this turn, and the other's Lease stays.
        let more = turn
            .run(&plan(&["fourth"]), settings(), &mut Never, &Silent)
            .await;
        assert!(matches!(
            turn.check().await,
            Err(ClusterError::TurnLost { .. })
        ));
        assert_eq!(more.expect_err("lost").class(), Class::Refused);
        turn.end().await;
        assert_eq!(stored(&api).expect("it stays")["metadata"]["uid"], "others");
        assert!(
            !api.seen()
                .iter()
                .any(|seen| seen.path.ends_with("/fourth") || seen.path.ends_with("/third"))
        );
        let mut store = api.store.lock().expect("no panic");
        store.objects.clear();
    }
}

/// A write that hangs ends with the Lease: another command may begin then.
#[tokio::test]
async fn a_write_that_hangs_ends_with_the_lease() {
    let is_away = Arc::new(AtomicBool::new(false));
    let away = is_away.clone();
    let api = FakeApi::start(move |seen, _| match away.load(Ordering::Relaxed) {
        true => Reply::Late(Duration::from_secs(30)),
        false => {
            if seen.path.ends_with("/second") && seen.method == "PATCH" {
                away.store(true, Ordering::Relaxed);
                return Reply::Late(Duration::from_secs(30));
            }
            Reply::Usual
        }
    })
    .await;
    let connection = api.connection(Mode::Write).await;
    let mut turn = turn(&connection, &Scope::Mesh).await.expect("free");
    let began = Instant::now();
    let stopped = turn
        .run(&plan(&["first", "second"]), settings(), &mut Never, &Silent)
        .await
        .expect_err("the server is away");
    // Another command may begin one life after the last renewal, which was no later than the write.
    assert!(began.elapsed() < RULES.life * 2, "{:?}", began.elapsed());
    assert_eq!(stopped.done.written.len(), 1);
    assert_eq!(stopped.begun.len(), 1, "{stopped}");
    assert_eq!(stopped.begun[0].name, "second");
    assert_eq!(stopped.class(), Class::Partly);
}

#[tokio::test]
async fn a_second_ctrl_c_still_lists_what_was_written_and_what_was_begun() {
    let api =
        FakeApi::start(
            |seen, _| match seen.path.ends_with("/second") && seen.method == "PATCH" {
                true => Reply::Late(Duration::from_secs(30)),
                false => Reply::Usual,
            },
        )
        .await;
    let connection = api.connection(Mode::Write).await;
    let mut turn = turn(&connection, &Scope::Mesh).await.expect("free");
    let stopped = turn
        .run(
            &plan(&["first", "second"]),
            settings(),
            &mut Always,
            &Silent,
        )
        .await
        .expect_err("interrupted");
    assert_eq!(stopped.done.written.len(), 1);
    assert_eq!(stopped.begun[0].name, "second");
    turn.end().await;
    assert_eq!(stored(&api), None, "the Lease is given back");
}

/// A turn that is lost after the user asked to stop is lost all the same.
#[tokio::test]
async fn a_turn_that_is_lost_after_a_ctrl_c_ends_the_write_too() {
    struct Once(bool);
    impl Stops for Once {
        async fn asked(&mut self) {
            if self.0 {
                std::future::pending::<()>().await;
            }
            // The first write is on its way by then.
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.0 = true;
        }
    }
    let is_away = Arc::new(AtomicBool::new(false));
    let away = is_away.clone();
    let api = FakeApi::start(move |_, _| match away.load(Ordering::Relaxed) {
        true => Reply::Late(Duration::from_secs(30)),
        false => Reply::Usual,
    })
    .await;
    let connection = api.connection(Mode::Write).await;
    let mut turn = turn(&connection, &Scope::Mesh).await.expect("free");
    is_away.store(true, Ordering::Relaxed);
    let began = Instant::now();
    let stopped = turn
        .run(&plan(&["first"]), settings(), &mut Once(false), &Silent)
        .await
        .expect_err("the server is away");
    assert!(began.elapsed() < RULES.life * 2, "{:?}", began.elapsed());
    assert!(
        stopped.to_string().contains("couldn't be renewed in time"),
        "{stopped}"
    );
}

/// The Lease of a holder that is dead is removed: it could wake up, and the next command would wait for it again.
#[tokio::test]
async fn another_places_dead_holder_is_waited_for_once() {
    let api = FakeApi::usual().await;
    put(&api, others(""));
    let connection = api.connection(Mode::Write).await;
    let shop = Scope::Namespace("shop".to_owned());
    let began = Instant::now();
    let turn_there = turn(&connection, &shop).await.expect("it was dead");
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(stored(&api), None, "the dead holder's Lease is gone");
    turn_there.end().await;
    let began = Instant::now();
    turn(&connection, &shop)
        .await
        .expect("free at once")
        .end()
        .await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

/// Who asks to stop while a dead holder is waited for gets the own Lease back.
#[tokio::test]
async fn ctrl_c_while_waiting_leaves_no_lease() {
    let api = FakeApi::usual().await;
    put(&api, others(""));
    let connection = api.connection(Mode::Write).await;
    let us = Holder::new("filter deploy by ben");
    let shop = Scope::Namespace("shop".to_owned());
    let taken = Turn::take(&connection, &shop, &us, RULES, &mut Always, &mut |_| {}).await;
    assert!(matches!(taken.err(), Some(ClusterError::Interrupted)));
    let store = api.store.lock().expect("no panic");
    let left: Vec<&String> = store.objects.keys().collect();
    assert_eq!(left, [&path()], "only the other's Lease is left");
}

fn in_shop(mut lease: Value) -> (String, Value) {
    lease["metadata"]["namespace"] = json!("shop");
    let path = path().replace("/default/", "/shop/");
    (path, lease)
}

/// Whoever works on the mesh keeps policies of namespaces from being changed, and the other way round.
#[tokio::test]
async fn a_turn_on_the_mesh_and_one_on_a_namespace_exclude_each_other() {
    let api = FakeApi::start(|seen, _| match seen.path.as_str() {
        // The list over all namespaces.
        "/apis/coordination.k8s.io/v1/leases" => {
            assert!(seen.query.contains("fieldSelector=metadata.name%3Dkyma-istio"), "{}", seen.query);
            let (_, lease) = in_shop(others(""));
            Reply::Json(200, vec![], json!({"kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1", "metadata": {}, "items": [lease]}))
        }
        _ => Reply::Usual,
    })
    .await;
    let connection = api.connection(Mode::Write).await;
    let (in_shop, lease) = in_shop(others(""));
    // Alive: it is renewed while it is looked at.
    let store = api.store.clone();
    store
        .lock()
        .expect("no panic")
        .objects
        .insert(in_shop.clone(), lease.clone());
    let renewing = {
        let (store, in_shop) = (store.clone(), in_shop.clone());
        tokio::spawn(async move {
            for n in 0..100 {
                tokio::time::sleep(Duration::from_millis(40)).await;
                let mut lease = lease.clone();
                lease["spec"]["renewTime"] = json!(n.to_string());
                store
                    .lock()
                    .expect("no panic")
                    .objects
                    .insert(in_shop.clone(), lease);
            }
        })
    };
    let error = turn(&connection, &Scope::Mesh).await.err().expect("busy");
    assert!(matches!(error, ClusterError::Busy { .. }), "{error}");
    assert_eq!(stored(&api), None, "the mesh's is given back");
    renewing.abort();

    // And from the other side: the mesh's is held.
    let api = FakeApi::usual().await;
    let connection = api.connection(Mode::Write).await;
    let mesh = turn(&connection, &Scope::Mesh).await.expect("free");
    let shop = Scope::Namespace("shop".to_owned());
    let error = turn(&connection, &shop).await.err().expect("busy");
    assert!(matches!(error, ClusterError::Busy { .. }), "{error}");
    mesh.end().await;
    let turn = turn(&connection, &shop).await.expect("free");
    turn.end().await;
    assert!(api.store.lock().expect("no panic").objects.is_empty());
}
