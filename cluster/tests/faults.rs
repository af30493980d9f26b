//! An API server that fails: what is tried again, what is given up, and what is said then.

mod common;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use cluster::apply::{ApplyMode, Change, Conflicts, apply};
use cluster::error::{Class, ClusterError};
use cluster::guard::Mode;
use cluster::interrupt::{Halt, Interrupt, interrupt};
use cluster::progress::{Event, Progress, Silent};
use cluster::run::{Journal, Report, Settings, Verb, run};
use cluster::wait::{Deadline, NotReady, ready};
use common::{FakeApi, PATIENCE, Reply, config_map, store};
use mesh::object::{Id, Object};
use mesh::plan::{Action, Plan, Step};
use serde_json::{Value, json};

const MAP: &str = "/api/v1/namespaces/istio-system/configmaps/a";

/// The first `failures` writes of [`MAP`] get `reply`.
async fn failing(failures: usize, reply: Reply) -> FakeApi {
    FakeApi::start(move |seen, before| match seen.method.as_str() {
        "PATCH" if seen.path == MAP && before < failures => reply.clone(),
        _ => Reply::Usual,
    })
    .await
}

fn no(code: u16, reason: &str, message: &str) -> Reply {
    let (code, value) = store::status(code, reason, message);
    Reply::Json(code, Vec::new(), value)
}

async fn apply_map(api: &FakeApi) -> Result<Change, ClusterError> {
    let connection = api.connection(Mode::Write).await;
    apply(
        &connection,
        &config_map("a", "1"),
        ApplyMode::Real,
        Conflicts::Refuse,
    )
    .await
    .map(|applied| applied.change)
}

fn passing() -> Vec<Reply> {
    vec![
        no(409, "Conflict", "the object has been modified"),
        no(429, "TooManyRequests", "try again"),
        Reply::Text(429, "Too many requests, please try again later.\n"),
        no(500, "InternalError", "etcdserver: leader changed"),
        Reply::Text(502, "<html>bad gateway</html>"),
        no(503, "ServiceUnavailable", "apiserver is shutting down"),
        no(504, "Timeout", "timed out"),
        Reply::HangUp,
    ]
}

#[tokio::test]
async fn a_failure_that_passes_is_borne() {
    for reply in passing() {
        let api = failing(2, reply.clone()).await;
        let change = apply_map(&api)
            .await
            .unwrap_or_else(|error| panic!("{reply:?}: {error}"));
        assert_eq!(change, Change::Created, "{reply:?}");
        assert_eq!(api.count("PATCH", MAP), 3, "{reply:?}");
    }
}

#[tokio::test]
async fn a_failure_that_stays_is_given_up_with_its_cause() {
    let causes = [
        "409: the object has been modified",
        "429: try again",
        "429: Too many requests, please try again later.",
        "500: etcdserver: leader changed",
        "502: <html>bad gateway</html>",
        "503: apiserver is shutting down",
        "504: timed out",
        "connection closed before message completed",
    ];
    for (reply, cause) in passing().into_iter().zip(causes) {
        let api = failing(usize::MAX, reply.clone()).await;
        let error = apply_map(&api).await.expect_err("it never works");
        let expected = format!(
            "can't patch `ConfigMap istio-system/a` after {} tries: {cause}",
            PATIENCE.tries
        );
        assert_eq!(error.to_string(), expected, "{reply:?}");
        assert_eq!(error.class(), Class::Unreachable);
        assert_eq!(
            api.count("PATCH", MAP),
            PATIENCE.tries as usize,
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let (code, body) = store::status(429, "TooManyRequests", "slow down");
    let api = failing(1, Reply::Json(code, vec![("retry-after", "1")], body)).await;
    let started = Instant::now();
    assert_eq!(
        apply_map(&api).await.expect("it works then"),
        Change::Created
    );
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "waited {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_no_is_taken_for_an_answer() {
    let cases = [
        (
            no(
                403,
                "Forbidden",
                "configmaps \"a\" is forbidden: User \"eve\" cannot patch resource \"configmaps\"",
            ),
            "forbidden: can't patch configmaps in namespace `istio-system`: configmaps \"a\" is forbidden: User \"eve\" cannot patch resource \"configmaps\"",
            Class::Unreachable,
        ),
        (
            no(
                403,
                "Forbidden",
                "configmaps \"a\" is forbidden: exceeded quota: q",
            ),
            "the cluster refuses `ConfigMap istio-system/a` (403 Forbidden): configmaps \"a\" is forbidden: exceeded quota: q",
            Class::Invalid,
        ),
        (
            no(422, "Invalid", "ConfigMap \"a\" is invalid: data"),
            "the cluster refuses `ConfigMap istio-system/a` (422 Unprocessable Entity): ConfigMap \"a\" is invalid: data",
            Class::Invalid,
        ),
        (
            no(401, "Unauthorized", "Unauthorized"),
            "doesn't accept these credentials: Unauthorized",
            Class::Unreachable,
        ),
    ];
    for (reply, message, class) in cases {
        let api = failing(usize::MAX, reply).await;
        let error = apply_map(&api).await.expect_err("no");
        assert!(
            error.to_string().ends_with(message),
            "found: {error}\nexpected: {message}"
        );
        assert_eq!(error.class(), class, "{error}");
        assert_eq!(api.count("PATCH", MAP), 1, "{error}");
    }
}

#[tokio::test]
async fn a_conflict_names_who_holds_what() {
    let (code, mut body) = store::status(409, "Conflict", "Apply failed with 1 conflict");
    body["details"] = json!({ "causes": [{
        "reason": "FieldManagerConflict", "field": ".data.key", "message": "conflict with \"kubectl-edit\" using v1",
    }] });
    let api = failing(usize::MAX, Reply::Json(code, Vec::new(), body)).await;
    let error = apply_map(&api).await.expect_err("a conflict");
    assert_eq!(
        error.to_string(),
        "`ConfigMap istio-system/a` is partly owned by others: `.data.key` by `kubectl-edit`"
    );
    assert_eq!(
        (error.class(), api.count("PATCH", MAP)),
        (Class::Refused, 1)
    );
}

#[tokio::test]
async fn without_a_server_nobody_waits_long() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let flags = cluster::connect::Flags {
        server: Some(format!("http://{address}")),
        ..Default::default()
    };
    let environment = cluster::connect::Environment::default();
    let started = Instant::now();
    let error = cluster::connect::connect(&flags, &environment, Mode::Write)
        .await
        .err()
        .expect("no server");
    assert_eq!(
        error.to_string(),
        format!(
            "can't reach `http://{address}` of context `--server`: Connection refused (os error 111)"
        )
    );
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(error.class(), Class::Unreachable);
}

#[tokio::test]
async fn a_silent_server_is_told_from_a_slow_one() {
    let api = FakeApi::start(|seen, _| match seen.path.as_str() {
        "/version" => Reply::Usual,
        _ if seen.method == "PATCH" => Reply::Late(Duration::from_millis(300)),
        _ => Reply::Usual,
    })
    .await;
    let slow = apply_map(&api).await.expect("slow is fine");
    assert_eq!(slow, Change::Created);
    let mut flags = api.flags();
    flags.request_timeout = Some(Duration::from_millis(100));
    let connection = api
        .connect(&flags, Mode::Write)
        .await
        .expect("a connection");
    let error = apply(
        &connection,
        &config_map("b", "1"),
        ApplyMode::Real,
        Conflicts::Refuse,
    )
    .await
    .expect_err("silent");
    assert_eq!(
        error.to_string(),
        "can't patch `ConfigMap istio-system/b` after 4 tries: timed out"
    );
}

fn plan(names: &[&str]) -> Plan {
    let step = |name: &'static str, objects: Vec<Object>| Step {
        name,
        title: name.to_owned(),
        action: Action::Apply(objects),
    };
    let objects: Vec<Object> = names.iter().map(|name| config_map(name, "1")).collect();
    let (first, second) = objects.split_at(2);
    Plan {
        steps: vec![
            step("first", first.to_vec()),
            step("second", second.to_vec()),
        ],
        ..Plan::default()
    }
}

fn settings(interrupt: Interrupt) -> Settings {
    Settings {
        timeout: Duration::from_millis(200),
        conflicts: Conflicts::Refuse,
        abort_after: None,
        interrupt,
    }
}

fn written(report: &Report) -> Vec<(String, Verb, String)> {
    report
        .written
        .iter()
        .map(|one| (one.step.clone(), one.verb, one.id.name.clone()))
        .collect()
}

fn created(step: &str, name: &str) -> (String, Verb, String) {
    (step.to_owned(), Verb::Created, name.to_owned())
}

#[tokio::test]
async fn what_was_written_before_a_failure_is_listed_and_a_second_run_continues() {
    let api = FakeApi::start(|seen, before| match seen.path.as_str() {
        "/api/v1/namespaces/istio-system/configmaps/c" if seen.method == "PATCH" && before < 1 => {
            no(422, "Invalid", "not now")
        }
        _ => Reply::Usual,
    })
    .await;
    let connection = api.connection(Mode::Write).await;
    let plan = plan(&["a", "b", "c", "d"]);
    let error = run(
        &connection,
        &plan,
        &settings(Interrupt::never()),
        &Journal::default(),
        &Silent,
    )
    .await
    .expect_err("c fails");
    // `d` was on its way with `c`: what is begun is brought to its end.
    assert_eq!(
        written(&error.done),
        [
            created("first", "a"),
            created("first", "b"),
            created("second", "d")
        ]
    );
    assert_eq!(
        (
            error.step.as_str(),
            error.failed.as_ref().map(|id| id.name.as_str())
        ),
        ("second", Some("c"))
    );
    assert_eq!(error.class(), Class::Partly);
    assert_eq!(
        error.to_string(),
        "step `second` failed: the cluster refuses `ConfigMap istio-system/c` (422 Unprocessable Entity): not now; 3 objects were written before"
    );
    let report = run(
        &connection,
        &plan,
        &settings(Interrupt::never()),
        &Journal::default(),
        &Silent,
    )
    .await
    .expect("it works now");
    assert_eq!(
        (written(&report), report.unchanged),
        (vec![created("second", "c")], 3)
    );
}

#[tokio::test]
async fn nothing_new_begins_after_ctrl_c() {
    /// Raises the flag between the steps.
    struct BetweenSteps(Mutex<Option<cluster::interrupt::Raise>>);
    impl Progress for BetweenSteps {
        fn event(&self, event: Event<'_>) {
            if matches!(event, Event::StepFinished { name: "first", .. }) {
                self.0
                    .lock()
                    .expect("no panic")
                    .take()
                    .expect("once")
                    .raise(Halt::Asked);
            }
        }
    }
    let api = FakeApi::usual().await;
    let connection = api.connection(Mode::Write).await;
    let (raise, seen) = interrupt();
    let progress = BetweenSteps(Mutex::new(Some(raise)));
    let error = run(
        &connection,
        &plan(&["a", "b", "c"]),
        &settings(seen),
        &Journal::default(),
        &progress,
    )
    .await
    .expect_err("interrupted");
    assert_eq!(
        written(&error.done),
        [created("first", "a"), created("first", "b")]
    );
    assert_eq!(
        error.to_string(),
        "step `second` failed: interrupted; 2 objects were written before"
    );
    assert_eq!(error.class(), Class::Partly);
    assert_eq!(connection.audit.writes(), 2);
}

#[tokio::test]
async fn a_run_killed_at_any_step_boundary_is_completed_by_the_next() {
    for (name, count) in [("first", 2), ("second", 3)] {
        let api = FakeApi::usual().await;
        let connection = api.connection(Mode::Write).await;
        let plan = plan(&["a", "b", "c"]);
        let aborted = Settings {
            abort_after: Some(name.to_owned()),
            ..settings(Interrupt::never())
        };
        let error = run(&connection, &plan, &aborted, &Journal::default(), &Silent)
            .await
            .expect_err("aborted");
        assert_eq!(
            (error.step.as_str(), error.done.written.len()),
            (name, count)
        );
        let report = run(
            &connection,
            &plan,
            &settings(Interrupt::never()),
            &Journal::default(),
            &Silent,
        )
        .await
        .expect("the rest");
        assert_eq!((report.written.len(), report.unchanged), (3 - count, count));
    }
}

fn deployment() -> (Id, Value) {
    let value = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "istiod", "namespace": "istio-system", "generation": 2 },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "istiod" } } },
        "status": { "observedGeneration": 2, "conditions": [{
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "pods \"istiod-1\" is forbidden: exceeded quota: compute",
        }] },
    });
    (Object::new(value.clone()).expect("an object").id(), value)
}

#[tokio::test]
async fn a_time_out_tells_its_cause() {
    let api = FakeApi::usual().await;
    let (id, value) = deployment();
    let put = |path: &str, value: Value| {
        api.store
            .lock()
            .expect("no panic")
            .objects
            .insert(path.to_owned(), value)
    };
    put(
        "/apis/apps/v1/namespaces/istio-system/deployments/istiod",
        value,
    );
    put(
        "/api/v1/namespaces/istio-system/pods/istiod-1",
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "istiod-1", "namespace": "istio-system" },
            "status": { "containerStatuses": [{ "name": "discovery", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "waiting": { "reason": "ErrImagePull", "message": "not found" } } }] },
        }),
    );
    put(
        "/api/v1/namespaces/istio-system/events/e",
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e", "namespace": "istio-system" }, "type": "Warning",
            "reason": "Failed", "message": "Failed to pull image", "involvedObject": { "kind": "Pod", "name": "istiod-1" },
        }),
    );
    let connection = api.connection(Mode::Write).await;
    let deadline = Deadline::after(Duration::from_millis(50));
    let error = ready(&connection, &[id], deadline, &Interrupt::never(), &Silent)
        .await
        .expect_err("not ready");
    let NotReady::TimedOut { causes, .. } = &error else {
        panic!("expected a time-out, found {error}")
    };
    assert_eq!(causes[0].why, "0 of 1 replicas updated");
    assert_eq!(
        causes[0].details,
        [
            "pod istiod-1: container `discovery` ErrImagePull: not found",
            "FailedCreate: pods \"istiod-1\" is forbidden: exceeded quota: compute",
            "pod istiod-1: Failed: Failed to pull image",
        ]
    );
}

#[tokio::test]
async fn a_server_that_goes_away_while_waiting_is_waited_for() {
    let path = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";
    let api = FakeApi::start(move |seen, before| match seen.path == path && before < 6 {
        true => Reply::HangUp,
        false => Reply::Usual,
    })
    .await;
    let (id, mut value) = deployment();
    value["status"] = json!({ "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1 });
    api.store
        .lock()
        .expect("no panic")
        .objects
        .insert(path.to_owned(), value);
    let connection = api.connection(Mode::Write).await;
    let deadline = Deadline::after(Duration::from_secs(20));
    ready(&connection, &[id], deadline, &Interrupt::never(), &Silent)
        .await
        .expect("ready in the end");
    assert_eq!(api.count("GET", path), 7);
}

/// Each request alone may be waited for much longer than that.
#[tokio::test]
async fn a_wait_ends_at_its_limit_where_the_server_does_not_answer() {
    let path = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";
    let api = FakeApi::start(move |seen, _| match seen.path == path {
        true => Reply::Late(Duration::from_secs(30)),
        false => Reply::Usual,
    })
    .await;
    let connection = api.connection(Mode::Write).await;
    let (id, _) = deployment();
    let (limit, never) = (Duration::from_millis(1500), Interrupt::never());
    let started = std::time::Instant::now();
    let error = ready(
        &connection,
        std::slice::from_ref(&id),
        Deadline::after(limit),
        &never,
        &Silent,
    )
    .await
    .expect_err("not ready");
    // The details of the cause are asked for, five seconds at most.
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
    assert!(
        error.to_string().contains("no answer came in time"),
        "{error}"
    );
    let doomed = [(id, "uid".to_owned())];
    let started = std::time::Instant::now();
    cluster::wait::gone(
        &connection,
        &doomed,
        Deadline::after(limit),
        &never,
        &Silent,
    )
    .await
    .expect_err("nobody knows");
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_dry_run_never_writes_even_when_told_to() {
    let api = FakeApi::usual().await;
    let connection = api.connection(Mode::DryRun).await;
    let rehearsed = apply(
        &connection,
        &config_map("a", "1"),
        ApplyMode::DryRun,
        Conflicts::Refuse,
    )
    .await;
    assert_eq!(rehearsed.expect("a rehearsal").change, Change::Created);
    let error = apply(
        &connection,
        &config_map("a", "1"),
        ApplyMode::Real,
        Conflicts::Refuse,
    )
    .await
    .expect_err("refused");
    assert!(matches!(error, ClusterError::WroteInDryRun(_)), "{error}");
    assert_eq!(
        api.seen()
            .iter()
            .filter(|seen| seen.method != "GET" && !seen.query.contains("dryRun=All"))
            .count(),
        0
    );
    assert_eq!(connection.audit.writes(), 0);
}
