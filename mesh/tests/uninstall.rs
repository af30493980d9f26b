//! The plan of an uninstallation as a value: its order, what blocks it, what it leaves.

mod build;

use build::installed::{fresh, ours};
use build::{healthy, namespace, object, pod, typed};
use mesh::codes::Code;
use mesh::object::Object;
use mesh::observed::{Contents, Forbidden, Observed};
use mesh::plan::{Action, Answers, Uninstall, uninstall};
use serde_json::{Value, json};

#[test]
fn an_empty_cluster_has_nothing_to_remove() {
    let found = planned(&fresh(), &Contents::default());
    assert!(found.plan.is_empty() && found.blockers.is_empty());
}

#[test]
fn what_others_made_blocks_and_what_kyma_made_does_not() {
    let contents = Contents {
        custom_resources: vec![
            resource("VirtualService", "shop", "cart", json!({})),
            resource(
                "EnvoyFilter",
                "istio-system",
                "stats-filter-1.17",
                json!({}),
            ),
            resource(
                "EnvoyFilter",
                "istio-system",
                "stats-filter-mine",
                json!({}),
            ),
            resource("EnvoyFilter", "shop", "kyma-referer", json!({})),
            resource("EnvoyFilter", "istio-system", "kyma-referer", json!({})),
            resource(
                "Gateway",
                "shop",
                "labelled",
                json!({ "kyma-project.io/module": "istio" }),
            ),
        ],
        ..Contents::default()
    };
    let found = planned(&installed(), &contents);
    let names: Vec<String> = found
        .blockers
        .iter()
        .map(|one| one.id().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "EnvoyFilter istio-system/stats-filter-mine",
            "EnvoyFilter shop/kyma-referer",
            "VirtualService shop/cart",
        ]
    );
    // What is Kyma's by its name alone goes, but a backup holds it.
    assert_eq!(found.kept.len(), 6, "{:?}", found.kept);
    assert_eq!(found.blocked().map(|gate| gate.code), Some(Code::Blockers));
    // They are kept for a backup, and are not deleted unless that is asked for.
    assert!(found.plan.doomed().iter().all(|id| id.name != "cart"));
    let answers = Answers::default();
    let forced = uninstall(&installed(), &contents, &answers, true).unwrap();
    assert!(forced.plan.doomed().iter().any(|id| id.name == "cart"));
}

#[test]
fn header_policies_go_once_no_gateway_and_no_istiod_is_left_and_the_backup_holds_them() {
    let contents = Contents {
        custom_resources: vec![object(json!({
            "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
            "metadata": { "name": "ours", "namespace": "shop", "uid": "u", "labels": { "app.kubernetes.io/managed-by": "kubectl-kyma-istio" },
                "managedFields": [{ "manager": "kubectl-kyma-istio", "operation": "Apply" }] },
        }))],
        ..Contents::default()
    };
    let found = planned(&installed(), &contents);
    let steps: Vec<&str> = found.plan.steps.iter().map(|step| step.name).collect();
    assert_eq!(
        steps,
        [
            "webhooks",
            "gateways",
            "gateways-gone",
            "istiod",
            "istiod-gone",
            "filter",
            "filter-gone",
            "base",
            "crds",
            "crds-gone",
            "namespace",
            "namespace-gone",
        ]
    );
    let kept: Vec<String> = found.kept.iter().map(|one| one.id().to_string()).collect();
    assert_eq!(kept, ["WasmPlugin shop/ours"]);
    for step in &found.plan.steps {
        if let Action::Delete(doomed) | Action::WaitGone(doomed) = &step.action {
            assert!(doomed.iter().all(|(_, uid)| !uid.is_empty()), "{step:?}");
        }
    }
}

#[test]
fn a_namespace_with_something_of_others_in_it_stays() {
    let claim = object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data", "namespace": "istio-system", "uid": "c" },
    }));
    let contents = Contents {
        root: vec![claim],
        ..Contents::default()
    };
    let found = planned(&installed(), &contents);
    assert!(found.plan.steps.iter().all(|step| step.name != "namespace"));
    let left: Vec<String> = found
        .leftovers
        .iter()
        .map(|one| one.id.to_string())
        .collect();
    assert_eq!(
        left,
        [
            "Namespace istio-system",
            "PersistentVolumeClaim istio-system/data"
        ]
    );
}

#[test]
fn workloads_that_keep_a_sidecar_are_named() {
    let mut observed = installed();
    observed
        .pods
        .push(typed(pod("shop", "cart", Some("1.30.2"))));
    let found = planned(&observed, &Contents::default());
    let told: Vec<String> = found
        .meshed
        .iter()
        .filter(|one| one.workload.name == "cart")
        .map(|one| format!("{}: {}", one.workload, one.proxies()))
        .collect();
    assert_eq!(told, ["Deployment shop/cart: 1 sidecar"]);
}

#[test]
fn what_cannot_be_seen_or_is_anothers_is_refused() {
    let answers = Answers::default();
    let contents = Contents {
        forbidden: vec![Forbidden {
            verb: "list".to_owned(),
            resource: "gateways.networking.istio.io".to_owned(),
        }],
        ..Contents::default()
    };
    let codes = |found: Result<Uninstall, Vec<mesh::plan::Gate>>| -> Vec<Code> {
        found.unwrap_err().iter().map(|gate| gate.code).collect()
    };
    assert_eq!(
        codes(uninstall(&installed(), &contents, &answers, false)),
        [Code::CannotTell]
    );
    let foreign = healthy();
    assert_eq!(
        codes(uninstall(&foreign, &Contents::default(), &answers, false)),
        [Code::ForeignIstio]
    );
    let take = Answers {
        take_ownership: true,
        ..answers
    };
    assert!(uninstall(&foreign, &Contents::default(), &take, false).is_ok());
}

/// Our mesh, with the objects that a look finds by their labels.
fn installed() -> Observed {
    let mut observed = ours(healthy());
    observed
        .namespaces
        .retain(|one| one.metadata.name.as_deref() != Some("istio-system"));
    observed.namespaces.push(typed(with_uid(namespace(
        "istio-system",
        json!({ "operator.kyma-project.io/managed-by": "kyma" }),
    ))));
    observed.crds = vec![typed(with_uid(build::crd(
        "gateways.networking.istio.io",
        &["v1"],
    )))];
    let owned = |version: &str, kind: &str, name: &str, component: &str| {
        object(json!({
            "apiVersion": version, "kind": kind,
            "metadata": { "name": name, "namespace": "istio-system", "uid": name, "labels": { "operator.istio.io/component": component } },
        }))
    };
    observed.owned = vec![
        owned("v1", "ServiceAccount", "istiod", "Pilot"),
        owned("apps/v1", "Deployment", "istiod", "Pilot"),
        owned("v1", "Service", "istio-ingressgateway", "IngressGateways"),
        owned(
            "apps/v1",
            "Deployment",
            "istio-ingressgateway",
            "IngressGateways",
        ),
        owned(
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            "istio-sidecar-injector",
            "Pilot",
        ),
    ];
    observed
}

fn with_uid(mut value: Value) -> Value {
    value["metadata"]["uid"] = json!("uid");
    value
}

fn resource(kind: &str, namespace: &str, name: &str, labels: Value) -> Object {
    object(json!({
        "apiVersion": "networking.istio.io/v1", "kind": kind,
        "metadata": { "name": name, "namespace": namespace, "uid": name, "labels": labels },
    }))
}

#[track_caller]
fn planned(observed: &Observed, contents: &Contents) -> Uninstall {
    uninstall(observed, contents, &Answers::default(), false).expect("no gate")
}
