//! Applies, merges, deletes and the lease, as the real server takes them.

use std::time::Duration;

use cluster::apply::{Applied, ApplyMode, Change, Conflicts, Deleted, apply, delete, merge};
use cluster::connect::Connection;
use cluster::error::{Class, ClusterError, Owned};
use cluster::guard::Mode;
use cluster::lease::{Held, Holder, NAME, Place, Rules, acquire};
use cluster::rights::rights;
use mesh::object::Object;
use serde_json::json;

use super::support::{
    administrator, config_map, connected, control_plane, data, id, namespace, object,
};

async fn real(connection: &Connection, object: &Object) -> Applied {
    apply(connection, object, ApplyMode::Real, Conflicts::Refuse)
        .await
        .expect("an apply")
}

async fn rehearsed(connection: &Connection, object: &Object) -> Applied {
    apply(connection, object, ApplyMode::DryRun, Conflicts::Refuse)
        .await
        .expect("a rehearsal")
}

#[tokio::test]
async fn an_apply_says_what_it_did_and_a_rehearsal_what_it_would_do() {
    namespace("apply");
    let (writes, reads) = (
        administrator(Mode::Write).await,
        administrator(Mode::DryRun).await,
    );
    let one = config_map("apply", "a", json!({ "key": "1" }));
    let two = config_map("apply", "a", json!({ "key": "2" }));
    assert_eq!(rehearsed(&reads, &one).await.change, Change::Created);
    assert_eq!(real(&writes, &one).await.change, Change::Created);
    assert_eq!(rehearsed(&reads, &one).await.change, Change::Unchanged);
    assert_eq!(real(&writes, &one).await.change, Change::Unchanged);
    let would = rehearsed(&reads, &two).await;
    assert_eq!(
        (would.change, data(&would.result)),
        (Change::Changed, json!({ "key": "2" }))
    );
    assert_eq!(would.before.as_ref().map(data), Some(json!({ "key": "1" })));
    let stands = control_plane().kubectl(&[
        "-n",
        "apply",
        "get",
        "cm",
        "a",
        "-o",
        "jsonpath={.data.key}",
    ]);
    assert_eq!(stands.expect("the map"), "1", "a rehearsal changes nothing");
    assert_eq!(real(&writes, &two).await.change, Change::Changed);
    assert_eq!((reads.audit.writes(), writes.audit.writes()), (0, 3));
}

#[tokio::test]
async fn what_an_earlier_step_brings_is_no_obstacle_to_a_rehearsal() {
    let reads = administrator(Mode::DryRun).await;
    let no_namespace = rehearsed(&reads, &config_map("not-there-yet", "a", json!({}))).await;
    let no_kind =
        object(json!({ "apiVersion": "not.yet/v1", "kind": "Thing", "metadata": { "name": "x" } }));
    assert_eq!(
        (
            no_namespace.change,
            rehearsed(&reads, &no_kind).await.change
        ),
        (Change::Created, Change::Created)
    );
    let writes = administrator(Mode::Write).await;
    let error = apply(&writes, &no_kind, ApplyMode::Real, Conflicts::Refuse)
        .await
        .expect_err("no such kind");
    assert_eq!(
        error.to_string(),
        "the cluster has no kind `Thing` in `not.yet/v1`"
    );
}

#[tokio::test]
async fn another_owners_field_is_named_and_taken_only_when_asked() {
    namespace("conflict");
    let writes = administrator(Mode::Write).await;
    let manifest = config_map(
        "conflict",
        "a",
        json!({ "key": "theirs", "other": "theirs" }),
    );
    as_manager("somebody", &manifest);
    let ours = config_map("conflict", "a", json!({ "key": "ours" }));
    let error = apply(&writes, &ours, ApplyMode::Real, Conflicts::Refuse)
        .await
        .expect_err("a conflict");
    let ClusterError::Conflict { fields, .. } = &error else {
        panic!("expected a conflict, found {error}")
    };
    assert_eq!(
        fields,
        &[Owned {
            manager: "somebody".to_owned(),
            field: ".data.key".to_owned()
        }]
    );
    let taken = apply(&writes, &ours, ApplyMode::Real, Conflicts::Take)
        .await
        .expect("taken");
    assert_eq!(
        data(&taken.result),
        json!({ "key": "ours", "other": "theirs" })
    );
}

#[tokio::test]
async fn istioctls_objects_are_adopted_and_what_it_left_behind_goes() {
    namespace("adopt");
    as_manager(
        "istio-operator",
        &config_map("adopt", "a", json!({ "key": "1", "stale": "x" })),
    );
    let ours = config_map("adopt", "a", json!({ "key": "2" }));
    let would = rehearsed(&administrator(Mode::DryRun).await, &ours).await;
    assert_eq!(
        (would.change, data(&would.result)),
        (Change::Changed, json!({ "key": "2" }))
    );
    let writes = administrator(Mode::Write).await;
    let did = real(&writes, &ours).await;
    assert_eq!(
        (did.change, data(&did.result)),
        (Change::Changed, json!({ "key": "2" }))
    );
    assert_eq!(real(&writes, &ours).await.change, Change::Unchanged);
}

fn as_manager(manager: &str, object: &Object) {
    let manager = format!("--field-manager={manager}");
    control_plane()
        .kubectl_with(
            &object.value().to_string(),
            &["apply", "--server-side", &manager, "--filename=-"],
        )
        .expect("an apply by somebody else");
}

#[tokio::test]
async fn missing_rights_name_verb_and_resource() {
    namespace("rights");
    let kubeconfig = control_plane().kubeconfig_for("eve", &[]).expect("a user");
    let eve = connected(&kubeconfig, Mode::Write).await;
    let error = apply(
        &eve,
        &config_map("rights", "a", json!({})),
        ApplyMode::Real,
        Conflicts::Refuse,
    )
    .await;
    let error = error.expect_err("no rights");
    let start = "forbidden: can't get configmaps in namespace `rights`: ";
    assert!(error.to_string().starts_with(start), "{error}");
    assert_eq!(error.class(), Class::Unreachable);
    let asked = [("patch", "apps", "deployments"), ("list", "", "pods")];
    let answers = rights(&eve, &asked).await.expect("answers");
    assert!(answers.iter().all(|right| !right.allowed), "{answers:?}");
    let answers = rights(&administrator(Mode::DryRun).await, &asked)
        .await
        .expect("answers");
    assert!(answers.iter().all(|right| right.allowed), "{answers:?}");
    assert_eq!(answers[0].resource, "deployments.apps");

    let observed = cluster::observe::observe(&eve).await.expect("a look");
    for resource in [
        "pods",
        "deployments.apps",
        "customresourcedefinitions.apiextensions.k8s.io",
        "services",
    ] {
        assert!(
            observed.is_forbidden(resource),
            "{resource} of {:?}",
            observed.forbidden
        );
    }
}

#[tokio::test]
async fn an_invalid_object_is_refused_with_the_servers_reason() {
    namespace("invalid");
    let writes = administrator(Mode::Write).await;
    let mut value = config_map("invalid", "a", json!({})).into_value();
    value["datum"] = json!({});
    let error = apply(&writes, &object(value), ApplyMode::Real, Conflicts::Refuse)
        .await
        .expect_err("unknown field");
    assert!(error.to_string().contains("datum"), "{error}");
    assert_eq!(error.class(), Class::Invalid);
}

#[tokio::test]
async fn a_merge_changes_only_what_it_names() {
    namespace("merge");
    let writes = administrator(Mode::Write).await;
    let target = id("v1", "Namespace", None, "merge");
    let patch = json!({ "metadata": { "labels": { "istio-injection": "enabled" } } });
    let merged = merge(&writes, &target, &patch, ApplyMode::Real)
        .await
        .expect("a merge")
        .expect("it is there");
    assert_eq!(
        (merged.change, merged.result.label("istio-injection")),
        (Change::Changed, Some("enabled"))
    );
    let again = merge(&writes, &target, &patch, ApplyMode::Real)
        .await
        .expect("a merge")
        .expect("it is there");
    assert_eq!(again.change, Change::Unchanged);
    let missing = merge(
        &writes,
        &id("v1", "Namespace", None, "none"),
        &patch,
        ApplyMode::Real,
    )
    .await;
    assert_eq!(missing.expect("an answer"), None);
}

#[tokio::test]
async fn a_delete_names_the_uid() {
    namespace("delete");
    let writes = administrator(Mode::Write).await;
    let map = config_map("delete", "a", json!({}));
    let target = map.id();
    let uid = real(&writes, &map)
        .await
        .result
        .uid()
        .expect("a uid")
        .to_owned();
    let wrong = delete(&writes, &target, "00000000-0000-0000-0000-000000000000").await;
    assert_eq!(wrong.expect("an answer"), Deleted::Replaced);
    assert_eq!(
        delete(&writes, &target, &uid).await.expect("an answer"),
        Deleted::Deleted
    );
    assert_eq!(
        delete(&writes, &target, &uid).await.expect("an answer"),
        Deleted::Absent
    );
}

async fn take(connection: &Connection, namespace: &str, who: &str) -> Result<Held, ClusterError> {
    let place = Place::Namespace(namespace.to_owned());
    let us = Holder::new(who);
    acquire(connection, &place, &us, RULES, &mut |_| {}).await
}

/// Fast, so that a holder shows its life soon.
const RULES: Rules = Rules {
    life: Duration::from_secs(3),
    deadline: Duration::from_secs(2),
    retry: Duration::from_millis(100),
};

#[tokio::test]
async fn one_command_at_a_time() {
    namespace("lease");
    let writes = administrator(Mode::Write).await;
    let held = take(&writes, "lease", "install by anna")
        .await
        .expect("a free lease");
    let error = take(&writes, "lease", "install by ben")
        .await
        .err()
        .expect("it is taken");
    assert!(
        error.to_string().starts_with("`install by anna, process "),
        "{error}"
    );
    assert_eq!(error.class(), Class::Refused);
    held.release().await.expect("given back");
    let error = take(&writes, "no-such-namespace", "install by ben")
        .await
        .err()
        .expect("nowhere");
    assert!(matches!(error, ClusterError::Absent { .. }), "{error}");
}

/// On a free Lease, on one that was left without a holder, and on one whose holder is dead.
#[tokio::test]
async fn of_many_that_come_together_one_has_it() {
    namespace("race");
    let writes = administrator(Mode::Write).await;
    for spec in [
        None,
        Some(json!({"holderIdentity": ""})),
        Some(json!({"holderIdentity": "install by anna", "leaseDurationSeconds": 1})),
    ] {
        if let Some(spec) = spec {
            let lease = Object::new(json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": NAME, "namespace": "race"}, "spec": spec,
            }))
            .expect("an object");
            apply(&writes, &lease, ApplyMode::Real, Conflicts::Take)
                .await
                .expect("a lease");
        }
        let names: Vec<String> = (0..16).map(|number| format!("install {number}")).collect();
        let together = names.iter().map(|who| take(&writes, "race", who));
        let results = futures_util::future::join_all(together).await;
        let (held, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        let refused: Vec<String> = refused
            .into_iter()
            .filter_map(Result::err)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(held.len(), 1, "{refused:?}");
        assert!(
            refused
                .iter()
                .all(|error| error.contains("works on this mesh")),
            "{refused:?}"
        );
        for one in held.into_iter().flatten() {
            one.release().await.expect("given back");
        }
    }
}

/// The uid of a Lease stays when another takes it over: the release names the version too.
#[tokio::test]
async fn a_late_release_leaves_the_next_holders_lease() {
    namespace("late");
    let writes = administrator(Mode::Write).await;
    let held = take(&writes, "late", "install by anna")
        .await
        .expect("free");
    let lease = Object::new(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": NAME, "namespace": "late"}, "spec": {"holderIdentity": "install by ben"},
    }))
    .expect("an object");
    let next = apply(&writes, &lease, ApplyMode::Real, Conflicts::Take)
        .await
        .expect("taken over");
    held.release().await.expect("nothing to give back");
    let found = merge(&writes, &lease.id(), &json!({}), ApplyMode::DryRun)
        .await
        .expect("an answer");
    let found = found.expect("it stays").result;
    assert_eq!(found.uid(), next.result.uid());
    assert_eq!(found.string("/spec/holderIdentity"), Some("install by ben"));
}
