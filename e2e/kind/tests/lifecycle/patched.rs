//! An Istio of istioctl's, with the add-ons of old beside it, and a Prometheus that is somebody's own.

use std::collections::BTreeMap;

use e2e_kind::{facts, kubectl, plugin};
use serde_json::{Value, json};

use crate::met;

/// Verified after each, and every object as before in between.
pub fn patched_undone_and_patched_again() {
    let older = facts().older_version();
    let version = ["--istio-version", older];
    let patch = [
        &["patch", "--yes", "--domain=kyma.example.com"],
        &version[..],
    ]
    .concat();
    // Nobody else makes it so: that could cut off who isn't in the mesh.
    apply(&json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": { "name": "default", "namespace": "istio-system" }, "spec": { "mtls": { "mode": "STRICT" } },
    }));
    let before = state();

    let patched = plugin(&patch).exits(0);
    for name in ["grafana", "prometheus", "servicegraph", "istio-tracing"] {
        let line = format!("deleted Deployment istio-system/{name}");
        assert!(patched.stderr.contains(&line), "`{line}` in {patched}");
    }
    met(older);
    is_patched();
    let _ = plugin(&["patch", "--undo", "--yes"]).exits(0);
    let after = state();
    let names = before.keys().chain(after.keys());
    let different: BTreeMap<&String, _> = names
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| (name, (before.get(name), after.get(name))))
        .collect();
    assert!(different.is_empty(), "{different:#?}");

    let _ = plugin(&patch).exits(0);
    met(older);
    is_patched();
}

fn is_patched() {
    let deployments = kubectl(["get", "deployments", "--output=name"])
        .within("istio-system")
        .done();
    let mut names: Vec<&str> = deployments.lines().collect();
    names.sort_unstable();
    let left = ["istio-ingressgateway", "istiod", "my-prometheus"]
        .map(|name| format!("deployment.apps/{name}"));
    assert_eq!(names, left);
    let secret = kubectl([
        "get",
        "secret",
        "istio-ingressgateway-certs",
        "--output=jsonpath={.type}",
    ]);
    assert_eq!(secret.within("istio-system").done(), "kubernetes.io/tls");
}

/// What the charts of Istio 1.1 left in `istio-system`, and a release of the user's that looks like it.
pub fn add_ons() {
    let deployment = |name: &str, chart: &str, release: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": name, "namespace": "istio-system", "labels": {
                "app": name, "chart": chart, "release": release, "heritage": "Tiller",
            } },
            "spec": {
                "selector": { "matchLabels": { "app": name } },
                "template": { "metadata": { "labels": { "app": name, "sidecar.istio.io/inject": "false" } }, "spec": {
                    "containers": [{ "name": "app", "image": facts().echo }],
                } },
            },
        })
    };
    let all = [
        deployment("prometheus", "prometheus", "istio"),
        deployment("grafana", "grafana", "istio"),
        deployment("servicegraph", "servicegraph-1.0.5", "istio"),
        deployment("istio-tracing", "tracing", "istio"),
        deployment("my-prometheus", "prometheus-11.0.0", "my-prometheus"),
    ];
    apply(&json!({ "apiVersion": "v1", "kind": "List", "items": all }));
    for one in &all {
        let name = format!(
            "deployment/{}",
            one["metadata"]["name"].as_str().expect("a name")
        );
        kubectl(["rollout", "status", "--timeout=120s", &name])
            .within("istio-system")
            .done();
    }
}

fn apply(object: &Value) {
    let call = kubectl([
        "apply",
        "--server-side",
        "--field-manager=somebody",
        "--filename=-",
    ]);
    call.given(object.to_string()).done();
}

/// What `patch` may touch, without what the cluster writes into it.
fn state() -> BTreeMap<String, Value> {
    let kinds = "configmaps,secrets,services,serviceaccounts,persistentvolumeclaims,deployments.apps,mutatingwebhookconfigurations,\
                 validatingwebhookconfigurations,peerauthentications";
    let list = kubectl(["get", kinds, "--output=json"])
        .within("istio-system")
        .json();
    let items = list["items"].as_array().expect("items").clone();
    items
        .into_iter()
        .filter(|one| !is_an_election(one))
        .map(named)
        .collect()
}

/// istiod renews these.
fn is_an_election(object: &Value) -> bool {
    let annotations = object["metadata"]["annotations"].as_object();
    annotations.is_some_and(|all| all.contains_key("control-plane.alpha.kubernetes.io/leader"))
}

fn named(mut object: Value) -> (String, Value) {
    let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    if let Some(all) = object.as_object_mut() {
        all.remove("status");
    }
    (name, object)
}
