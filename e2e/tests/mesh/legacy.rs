//! The criteria of the old patch job, for an Istio of its time. Its objects are real to the API server; nothing of it runs.

use serde_json::{Value, json};

use crate::support::Cluster;

#[test]
fn an_istio_of_the_patch_jobs_time_is_judged_as_the_job_did() {
    let cluster = Cluster::quiet();
    for object in objects(&cluster) {
        cluster.apply(&object.to_string());
    }
    for plural in ["policies", "meshpolicies"] {
        let crd = format!("crd/{plural}.authentication.istio.io");
        cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", &crd]);
    }
    cluster.apply(&mesh_policy(json!({})).to_string());
    judged(&cluster, &[]);

    let set = |image: &str| {
        let image = format!("discovery={image}");
        cluster.kubectl(&[
            "set",
            "image",
            "deployment/istio-pilot",
            &image,
            "--namespace=istio-system",
        ]);
    };
    set("docker.io/istio/pilot:1.0.2");
    judged(&cluster, &["KI-V001"]);
    set(PILOT);

    cluster.apply(&mesh_policy(json!({ "mode": "PERMISSIVE" })).to_string());
    judged(&cluster, &["KI-V002"]);
    cluster.apply(&mesh_policy(json!({})).to_string());

    cluster.apply(&config_map("istio", "mesh", "disablePolicyChecks: true\n").to_string());
    judged(&cluster, &["KI-V003"]);
    cluster.apply(&config_map("istio", "mesh", MESH).to_string());

    let injector = |policy: &str| {
        config_map(
            "istio-sidecar-injector",
            "config",
            &format!("policy: {policy}\ntemplate: \"\"\n"),
        )
        .to_string()
    };
    cluster.apply(&injector("disabled"));
    judged(&cluster, &["KI-V004"]);
    cluster.apply(&injector("enabled"));
    judged(&cluster, &[]);

    cluster.kubectl(&["delete", "crd", "policies.authentication.istio.io"]);
    judged(&cluster, &["KI-V005"]);
}

const PILOT: &str = "docker.io/istio/pilot:1.1.9";
const MESH: &str = "disablePolicyChecks: false\n";

/// All in the legacy form, and exactly these fail.
#[track_caller]
fn judged(cluster: &Cluster, codes: &[&str]) {
    let ran = cluster.plugin(&["verify", "--version=1.1.9", "-o", "json"]);
    let verified = ran.json();
    let criteria = verified["criteria"].as_array().unwrap();
    assert!(criteria.iter().all(|one| one["form"] == "legacy"), "{ran}");
    let failing: Vec<&Value> = criteria
        .iter()
        .filter(|one| one["met"] == false)
        .map(|one| &one["code"])
        .collect();
    assert_eq!(json!(failing), json!(codes), "{ran}");
    ran.exits(i32::from(!codes.is_empty()));
}

fn objects(cluster: &Cluster) -> Vec<Value> {
    let labels = json!({ "istio": "pilot" });
    let pilot = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "istio-pilot", "namespace": "istio-system", "labels": labels },
        "spec": { "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels },
            "spec": { "containers": [{ "name": "discovery", "image": PILOT }] } } },
    });
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": { "name": "istio-sidecar-injector" },
        "webhooks": [{
            "name": "sidecar-injector.istio.io", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "namespaceSelector": { "matchLabels": { "istio-injection": "enabled" } },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }],
            "clientConfig": {
                "service": { "name": "istio-sidecar-injector", "namespace": "istio-system", "path": "/inject" },
                "caBundle": certificate(cluster),
            },
        }],
    });
    vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "istio-system" } }),
        pilot,
        config_map("istio", "mesh", MESH),
        config_map(
            "istio-sidecar-injector",
            "config",
            "policy: enabled\ntemplate: \"\"\n",
        ),
        webhook,
        crd("policies", "Policy", "Namespaced"),
        crd("meshpolicies", "MeshPolicy", "Cluster"),
    ]
}

/// Some certificate, as base64 of PEM: the cluster's own.
fn certificate(cluster: &Cluster) -> Value {
    let text = cluster.kubectl(&["config", "view", "--raw", "--output=json"]);
    let config: Value = serde_json::from_str(&text).unwrap();
    config["clusters"][0]["cluster"]["certificate-authority-data"].clone()
}

fn config_map(name: &str, key: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "istio-system" }, "data": { key: text },
    })
}

/// `mtls: {}` is STRICT.
fn mesh_policy(mtls: Value) -> Value {
    json!({
        "apiVersion": "authentication.istio.io/v1alpha1", "kind": "MeshPolicy", "metadata": { "name": "default" },
        "spec": { "peers": [{ "mtls": mtls }] },
    })
}

fn crd(plural: &str, kind: &str, scope: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.authentication.istio.io") },
        "spec": {
            "group": "authentication.istio.io", "scope": scope,
            "names": { "kind": kind, "plural": plural, "singular": kind.to_lowercase() },
            "versions": [{ "name": "v1alpha1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            } } }],
        },
    })
}
