//! `xff set` against a real API server.

use kubectl_kyma_istio::exit;
use lab::kubernetes::ControlPlane;
use serde_json::{Value, json};

use super::common::{Answer, plugin};

/// Kyma's CRD, as far as it matters here, and its resource with more in it than the number.
fn objects() -> [Value; 2] {
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "istios.operator.kyma-project.io"},
        "spec": {
            "group": "operator.kyma-project.io", "scope": "Namespaced", "names": {"kind": "Istio", "plural": "istios"},
            "versions": [{"name": "v1alpha2", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    let resource = json!({
        "apiVersion": "operator.kyma-project.io/v1alpha2", "kind": "Istio", "metadata": {"name": "default", "namespace": "kyma-system"},
        "spec": {"config": {"numTrustedProxies": 1, "gatewayExternalTrafficPolicy": "Local"}},
    });
    [crd, resource]
}

#[test]
fn a_number_is_set_in_the_one_resource_and_nothing_else_changes() {
    let cluster = ControlPlane::start().unwrap();
    let set = |hops: &str, arguments: &[&str]| -> Answer {
        let all = ["xff", "set", hops];
        plugin(&[&all, arguments].concat())
            .env("KUBECONFIG", cluster.kubeconfig())
            .run()
    };
    let nothing = set("2", &["--yes"]);
    assert_eq!(nothing.code, exit::REFUSED, "{}", nothing.stderr);
    assert!(
        nothing.stderr.contains("found 0 Istio custom resources"),
        "{}",
        nothing.stderr
    );

    let [crd, resource] = objects();
    let apply = ["apply", "--filename=-"];
    cluster
        .kubectl(&["create", "namespace", "kyma-system"])
        .unwrap();
    cluster.kubectl_with(&crd.to_string(), &apply).unwrap();
    cluster
        .kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "crd/istios.operator.kyma-project.io",
        ])
        .unwrap();
    cluster.kubectl_with(&resource.to_string(), &apply).unwrap();
    let config = || -> Value {
        let get = [
            "get",
            "istio",
            "default",
            "--namespace=kyma-system",
            "--output=json",
        ];
        let live: Value = serde_json::from_str(&cluster.kubectl(&get).unwrap()).unwrap();
        live["spec"]["config"].clone()
    };

    let dry = set("2", &["--dry-run"]);
    assert_eq!(dry.code, exit::DONE, "{}", dry.stderr);
    assert!(
        dry.stdout.contains("spec.config.numTrustedProxies: 1 -> 2")
            && dry.stdout.contains("dry run: nothing was written"),
        "{}",
        dry.stdout
    );
    assert_eq!(config()["numTrustedProxies"], 1);

    let done = set("2", &["--yes"]);
    assert_eq!(done.code, exit::DONE, "{}", done.stderr);
    assert_eq!(
        config(),
        json!({"numTrustedProxies": 2, "gatewayExternalTrafficPolicy": "Local"})
    );
    let again = set("2", &["--yes"]);
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
}
