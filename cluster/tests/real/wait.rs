//! Waiting for real controllers, and their causes.

use std::time::Duration;

use cluster::apply::{ApplyMode, Conflicts, apply};
use cluster::connect::Connection;
use cluster::guard::Mode;
use cluster::interrupt::Interrupt;
use cluster::progress::Silent;
use cluster::wait::{Cause, Deadline, NotReady, ready};
use mesh::object::{Id, Object};
use serde_json::{Value, json};

use super::support::{administrator, control_plane, id, namespace, object};

fn deployment(namespace: &str, pod: Value) -> Object {
    let labels = json!({ "app": "web" });
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": namespace },
        "spec": { "replicas": 1, "selector": { "matchLabels": labels },
                  "template": { "metadata": { "labels": labels }, "spec": pod } },
    }))
}

fn pod() -> Value {
    json!({ "containers": [{ "name": "web", "image": "web" }] })
}

async fn applied(connection: &Connection, object: &Object) -> Id {
    apply(connection, object, ApplyMode::Real, Conflicts::Refuse)
        .await
        .expect("an apply");
    object.id()
}

async fn wait(connection: &Connection, id: Id, limit: Duration) -> Result<(), NotReady> {
    ready(
        connection,
        &[id],
        Deadline::after(limit),
        &Interrupt::never(),
        &Silent,
    )
    .await
}

/// Waits in vain until the cause says this: controllers take their time to say it.
async fn cause(connection: &Connection, id: &Id, said: &str) -> Cause {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let error = wait(connection, id.clone(), Duration::from_millis(500))
            .await
            .expect_err("never ready");
        let NotReady::TimedOut { mut causes, .. } = error else {
            panic!("expected a time-out, found {error}")
        };
        let cause = causes.pop().expect("a cause");
        let is_said = cause.details.iter().any(|detail| detail.contains(said));
        if is_said || std::time::Instant::now() > end {
            assert!(is_said, "expected `{said}`, found {cause:?}");
            return cause;
        }
    }
}

#[tokio::test]
async fn a_deployment_becomes_ready() {
    namespace("ready");
    let writes = administrator(Mode::Write).await;
    let id = applied(&writes, &deployment("ready", pod())).await;
    wait(&writes, id, Duration::from_secs(60))
        .await
        .expect("ready");
}

#[tokio::test]
async fn a_pod_without_a_node_says_so() {
    namespace("unschedulable");
    let writes = administrator(Mode::Write).await;
    let mut pod = pod();
    pod["nodeSelector"] = json!({ "no": "such-node" });
    let id = applied(&writes, &deployment("unschedulable", pod)).await;
    let cause = cause(&writes, &id, "Unschedulable").await;
    assert_eq!(cause.why, "0 of 1 replicas available");
}

#[tokio::test]
async fn a_quota_that_is_used_up_says_so() {
    namespace("quota");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "no-pods", "namespace": "quota" },
        "spec": { "hard": { "pods": "0" } },
    });
    let writes = administrator(Mode::Write).await;
    applied(&writes, &object(quota)).await;
    let used = [
        "-n",
        "quota",
        "get",
        "resourcequota",
        "no-pods",
        "-o",
        "jsonpath={.status.used.pods}",
    ];
    let limit = Duration::from_secs(30);
    control_plane()
        .kubectl_until("a quota in force", limit, &used, |text| text == "0")
        .expect("a quota in force");
    let id = applied(&writes, &deployment("quota", pod())).await;
    let cause = cause(&writes, &id, "exceeded quota: no-pods").await;
    assert!(cause.details[0].starts_with("FailedCreate: "), "{cause:?}");
}

#[tokio::test]
async fn what_does_not_exist_says_so() {
    let writes = administrator(Mode::Write).await;
    let id = id("apps/v1", "Deployment", Some("default"), "none");
    let error = wait(&writes, id, Duration::from_millis(10))
        .await
        .expect_err("never ready");
    assert_eq!(
        error.to_string(),
        "not ready after 0 s: `Deployment default/none`: it does not exist"
    );
}
