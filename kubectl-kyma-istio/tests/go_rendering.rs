//! `render` through the real istioctl, which Go builds.

#[path = "common/plugin.rs"]
mod common;
#[path = "mesh_cli/kit.rs"]
mod kit;

use std::path::PathBuf;

use common::plugin;
use kit::folder;
use kubectl_kyma_istio::exit;
use mesh::object::{Object, read_manifests};
use serde_json::json;

/// The real istioctl.
pub fn istioctl() -> PathBuf {
    let path = std::env::var_os("ISTIOCTL").unwrap_or_else(|| {
        panic!("$ISTIOCTL is not set: ISTIOCTL=\"$(scripts/go-tools.sh istio)/istioctl\" names the real one")
    });
    PathBuf::from(path)
}

/// Renders with the real istioctl.
fn render(arguments: &[&str]) -> Vec<Object> {
    let fixed = ["render", "--profile", "evaluation"];
    let answer = plugin(&[&fixed, arguments].concat())
        .env("ISTIOCTL", istioctl())
        .run();
    assert_eq!(answer.code, exit::DONE, "{}", answer.stderr);
    read_manifests(&answer.stdout).expect("manifests")
}

fn find<'o>(objects: &'o [Object], id: &str) -> &'o Object {
    let found = objects.iter().find(|object| object.id().to_string() == id);
    found.unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn what_is_rendered_is_istio_and_what_kyma_adds() {
    let objects = render(&[]);
    let istiod = find(&objects, "Deployment istio-system/istiod");
    let image = istiod.string("/spec/template/spec/containers/0/image");
    assert_eq!(
        image,
        Some("europe-docker.pkg.dev/kyma-project/prod/external/istio/pilot:1.31.1-distroless")
    );
    find(&objects, "Deployment istio-system/istio-ingressgateway");
    find(&objects, "DaemonSet istio-system/istio-cni-node");
    find(&objects, "PriorityClass istio-kyma-priority");
    find(
        &objects,
        "CustomResourceDefinition gateways.networking.istio.io",
    );
    let strict = find(&objects, "PeerAuthentication istio-system/default");
    assert_eq!(strict.string("/spec/mtls/mode"), Some("STRICT"));
    let labelled = find(&objects, "Namespace kyma-system");
    assert_eq!(labelled.label("istio-injection"), Some("enabled"));
    // As kubectl applies it: namespaces come before what lives in them, custom resources behind their CRDs.
    let place = |kind: &str| objects.iter().position(|object| object.kind() == kind);
    assert_eq!(place("Namespace"), Some(0));
    assert!(place("PeerAuthentication") > place("CustomResourceDefinition"));
}

#[test]
fn flags_files_and_sets_reach_the_manifests() {
    let folder = folder(&[
        (
            "istio.yaml",
            "apiVersion: operator.kyma-project.io/v1alpha2\nkind: Istio\nmetadata: {name: default, namespace: kyma-system}\nspec: {config: {numTrustedProxies: 3}}\n",
        ),
        (
            "overlay.yaml",
            "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {meshConfig: {accessLogFile: /dev/stderr}}\n",
        ),
    ]);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let objects = render(&[
        "-f",
        &file("istio.yaml"),
        "-f",
        &file("overlay.yaml"),
        "--hub",
        "registry.example.com/istio",
        "--tag",
        "1.31.1-mine",
        "--pull-secret",
        "pull",
        "--set",
        "meshConfig.accessLogFile=/dev/stdout",
        "--set",
        "values.pilot.traceSampling=7.5",
        "--injection",
        "on",
        "--provider",
        "aws",
    ]);
    let mesh = find(&objects, "ConfigMap istio-system/istio");
    let mesh = mesh.string("/data/mesh").unwrap();
    assert!(mesh.contains("accessLogFile: /dev/stdout"), "{mesh}");
    assert!(mesh.contains("numTrustedProxies: 3"), "{mesh}");
    let istiod = find(&objects, "Deployment istio-system/istiod");
    assert_eq!(
        istiod.string("/spec/template/spec/containers/0/image"),
        Some("registry.example.com/istio/pilot:1.31.1-mine")
    );
    let environment = istiod.pointer("/spec/template/spec/containers/0/env");
    assert!(
        environment
            .and_then(|all| all.as_array())
            .unwrap()
            .contains(&json!({"name": "PILOT_TRACE_SAMPLING", "value": "7.5"})),
        "{environment:?}"
    );
    let gateway = find(&objects, "Service istio-system/istio-ingressgateway");
    assert_eq!(
        gateway.annotation("service.beta.kubernetes.io/aws-load-balancer-type"),
        Some("nlb")
    );
}

#[test]
fn json_is_the_same_list() {
    let answer = plugin(&["render", "--profile", "evaluation", "-o", "json"])
        .env("ISTIOCTL", istioctl())
        .run();
    let list: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    let yaml = render(&[]);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), yaml.len());
    for (item, object) in items.iter().zip(&yaml) {
        assert_eq!(item, object.value());
    }
}

#[test]
fn an_installation_with_istio_renders_it() {
    let folder = folder(&[(
        "with.yaml",
        "apiVersion: installer.kyma-project.io/v1alpha1\nkind: Installation\nmetadata: {name: kyma}\n\
         spec: {components: [{name: istio, namespace: istio-system}]}\n",
    )]);
    let file = folder.path().join("with.yaml").display().to_string();
    assert!(!render(&["-f", &file]).is_empty());
}
