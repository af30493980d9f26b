//! Small builders: what a cluster would answer, as JSON. A test changes one thing of a healthy mesh and looks what is said.
#![allow(dead_code, reason = "each test file uses some of them")]

pub mod installed;

use mesh::object::Object;
use mesh::observed::{Observed, ProbeResult, Probes, ServerVersion, Version};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A self-signed certificate of a mesh, made by OpenSSL; its key was thrown away.
pub const CA: &str = "-----BEGIN CERTIFICATE-----
MIIBhDCCASugAwIBAgIUJup/e0uoGkthhfYhGWqYhf8VnOUwCgYIKoZIzj0EAwIw
GDEWMBQGA1UECgwNY2x1c3Rlci5sb2NhbDAeFw0yNjExMjExMTI2NDNaFw0zNjEx
MTgxMTI2NDNaMBgxFjAUBgNVBAoMDWNsdXN0ZXIubG9jYWwwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAASb0BdMqrF8n7WFP6b+5HCybN6J9VizodBqu6FRyBA2/ldd
JEv5Ya5YB6Uw3DK4IEc4YRat3CPg+o/7mQUR1iGao1MwUTAdBgNVHQ4EFgQUN5Jg
lRulqfnPkTqL8F6DhHq9M+IwHwYDVR0jBBgwFoAUN5JglRulqfnPkTqL8F6DhHq9
M+IwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBTP2PouYV1bdNV
CxOA6hzSkba6peaIWLIpZVEs/li/1AIgA0Uod6ZgLnx+uKUqRcTNHBkVnao4B4/c
ylN3iePo528=
-----END CERTIFICATE-----";

pub fn typed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a builder's JSON fits its type")
}

pub fn object(value: Value) -> Object {
    Object::new(value).expect("a builder's JSON is an object")
}

pub fn version(text: &str) -> Version {
    Version::parse(text).expect("a version")
}

pub fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        for place in 0..4 {
            let letter = ALPHABET[((bits >> (18 - 6 * place)) & 63) as usize];
            encoded.push(if place <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    encoded
}

/// A Deployment with as many ready replicas as it wants.
pub fn deployment(
    namespace: &str,
    name: &str,
    container: &str,
    image: &str,
    arguments: &[&str],
) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "namespace": namespace, "name": name, "generation": 1, "labels": { "app": name } },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": container, "image": image, "args": arguments }] },
            },
        },
        "status": { "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1 },
    })
}

/// A ready pod of the Deployment `app`. Without a sidecar unless `sidecar` names its version.
pub fn pod(namespace: &str, app: &str, sidecar: Option<&str>) -> Value {
    let mut containers = vec![
        json!({ "name": "app", "image": "shop/app:1", "ports": [{ "name": "http", "containerPort": 8080 }] }),
    ];
    if let Some(version) = sidecar {
        containers.push(json!({
            "name": "istio-proxy", "image": format!("docker.example/istio/proxyv2:{version}"), "args": ["proxy", "sidecar"],
        }));
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "namespace": namespace, "name": format!("{app}-5d4f8c-x1"),
            "labels": { "app": app, "pod-template-hash": "5d4f8c" },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-5d4f8c"), "uid": "u", "controller": true }],
        },
        "spec": { "containers": containers },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
    })
}

fn istiod_pod(image: &str) -> Value {
    let mut istiod = pod("istio-system", "istiod", None);
    istiod["spec"]["containers"] = json!([{ "name": "discovery", "image": image }]);
    istiod
}

pub fn service(namespace: &str, name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": namespace, "name": name },
        "spec": { "selector": { "app": app }, "ports": [{ "name": "http", "port": 80, "targetPort": "http" }] },
    })
}

pub fn namespace(name: &str, labels: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })
}

pub fn crd(name: &str, versions: &[&str]) -> Value {
    let (plural, group) = name.split_once('.').expect("plural.group");
    let versions: Vec<Value> = versions
        .iter()
        .enumerate()
        .map(|(index, version)| json!({ "name": version, "served": true, "storage": index == 0 }))
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": name },
        "spec": { "group": group, "scope": "Namespaced", "names": { "plural": plural, "kind": plural }, "versions": versions },
        "status": { "conditions": [{ "type": "Established", "status": "True" }], "acceptedNames": { "plural": plural, "kind": plural } },
    })
}

pub fn mutating(name: &str, webhooks: &[&str], ca: &str) -> Value {
    webhook_configuration("MutatingWebhookConfiguration", name, webhooks, ca)
}

pub fn validating(name: &str, webhooks: &[&str], ca: &str) -> Value {
    webhook_configuration("ValidatingWebhookConfiguration", name, webhooks, ca)
}

fn webhook_configuration(kind: &str, name: &str, webhooks: &[&str], ca: &str) -> Value {
    let webhooks: Vec<Value> = webhooks
        .iter()
        .map(|webhook| {
            json!({
                "name": webhook, "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
                "clientConfig": { "caBundle": base64(ca), "service": { "name": "istiod", "namespace": "istio-system" } },
            })
        })
        .collect();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
        "metadata": { "name": name }, "webhooks": webhooks,
    })
}

pub fn peer_authentication(namespace: &str, name: &str, spec: Value) -> Object {
    object(json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": { "namespace": namespace, "name": name }, "spec": spec,
    }))
}

pub fn destination_rule(namespace: &str, name: &str, spec: Value) -> Object {
    object(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": { "namespace": namespace, "name": name }, "spec": spec,
    }))
}

/// Every image of a healthy mesh in another version.
pub fn in_version(observed: &mut Observed, version: &str) {
    let specs = observed
        .deployments
        .iter_mut()
        .filter_map(|one| one.spec.as_mut()?.template.spec.as_mut());
    let pods = observed.pods.iter_mut().filter_map(|pod| pod.spec.as_mut());
    for spec in specs.chain(pods) {
        let containers = spec
            .containers
            .iter_mut()
            .chain(spec.init_containers.iter_mut().flatten());
        for image in containers.filter_map(|container| container.image.as_mut()) {
            *image = image.replace("1.30.2", version);
        }
    }
}

/// A healthy mesh of Istio 1.30.2 that fulfils every criterion: istiod, an ingress gateway, one meshed workload.
pub fn healthy() -> Observed {
    let pilot = "docker.example/istio/pilot:1.30.2-distroless";
    let proxy = "docker.example/istio/proxyv2:1.30.2-distroless";
    let injectors = [
        "rev.namespace.sidecar-injector.istio.io",
        "namespace.sidecar-injector.istio.io",
        "object.sidecar-injector.istio.io",
    ];
    Observed {
        server: Some(ServerVersion {
            major: 1,
            minor: 33,
        }),
        namespaces: vec![
            typed(namespace("istio-system", json!({}))),
            typed(namespace("shop", json!({ "istio-injection": "enabled" }))),
            typed(namespace("plain", json!({}))),
        ],
        deployments: vec![
            typed(deployment(
                "istio-system",
                "istiod",
                "discovery",
                pilot,
                &["discovery"],
            )),
            typed(deployment(
                "istio-system",
                "istio-ingressgateway",
                "istio-proxy",
                proxy,
                &["proxy", "router"],
            )),
        ],
        pods: vec![
            typed(pod("shop", "api", Some("1.30.2-distroless"))),
            typed(istiod_pod(pilot)),
        ],
        services: vec![typed(service("shop", "api", "api"))],
        mutating_webhooks: vec![typed(mutating("istio-sidecar-injector", &injectors, CA))],
        validating_webhooks: vec![typed(validating(
            "istio-validator-istio-system",
            &["rev.validation.istio.io"],
            CA,
        ))],
        crds: [
            "peerauthentications",
            "requestauthentications",
            "authorizationpolicies",
        ]
        .iter()
        .map(|plural| {
            typed(crd(
                &format!("{plural}.security.istio.io"),
                &["v1", "v1beta1"],
            ))
        })
        .collect(),
        peer_authentications: vec![peer_authentication(
            "istio-system",
            "default",
            json!({ "mtls": { "mode": "STRICT" } }),
        )],
        ..Observed::default()
    }
}

/// Istio 1.4 as the patch job met it: Pilot, a MeshPolicy, policy checks on, the injector's own ConfigMap.
pub fn healthy_legacy() -> Observed {
    Observed {
        namespaces: vec![typed(namespace("istio-system", json!({})))],
        deployments: vec![
            typed(deployment(
                "istio-system",
                "istio-pilot",
                "discovery",
                "docker.example/istio/pilot:1.4.7",
                &["discovery"],
            )),
            typed(deployment(
                "istio-system",
                "istio-ingressgateway",
                "istio-proxy",
                "docker.example/istio/proxyv2:1.4.6",
                &["proxy", "router"],
            )),
        ],
        mutating_webhooks: vec![typed(mutating(
            "istio-sidecar-injector",
            &["sidecar-injector.istio.io"],
            CA,
        ))],
        crds: vec![typed(crd(
            "policies.authentication.istio.io",
            &["v1alpha1"],
        ))],
        config_maps: vec![
            typed(config_map(
                "istio",
                "mesh",
                "disablePolicyChecks: false\nenableTracing: true\n",
            )),
            typed(config_map(
                "istio-sidecar-injector",
                "config",
                "policy: enabled\ntemplate: |-\n  {{ if true }}x{{ end }}\n",
            )),
        ],
        mesh_policies: vec![mesh_policy(json!({ "peers": [{ "mtls": {} }] }))],
        ..Observed::default()
    }
}

pub fn mesh_policy(spec: Value) -> Object {
    object(json!({
        "apiVersion": "authentication.istio.io/v1alpha1", "kind": "MeshPolicy", "metadata": { "name": "default" }, "spec": spec,
    }))
}

pub fn config_map(name: &str, key: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "istio-system", "name": name }, "data": { key: text },
    })
}

pub fn proven() -> Probes {
    let yes = |evidence: &str| ProbeResult::Yes {
        evidence: evidence.to_owned(),
    };
    Probes {
        invalid_policy_refused: yes("an invalid AuthorizationPolicy was refused"),
        pod_injected: yes("a dry-run pod got an istio-proxy"),
        filter_enforced: yes("2 proxies run the filter"),
    }
}
