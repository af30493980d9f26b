//! Differences: readable paths, no noise, no secrets; and what changes do to what runs.

mod build;

use build::{deployment, healthy, object, pod, typed};
use mesh::diff::{Change, Impact, NOISE, ObjectChange, changes, consequences};
use mesh::object::{Object, apply_order, read_manifests};
use mesh::observed::Observed;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn elements_of_lists_are_named_in_paths() {
    let live = deployment(
        "istio-system",
        "gw",
        "istio-proxy",
        "a/proxyv2:1",
        &["router"],
    );
    let mut would_be = live.clone();
    let containers = &mut would_be["spec"]["template"]["spec"]["containers"];
    containers[0]["resources"]["limits"]["cpu"] = json!("2");
    containers[0]["env"] = json!([{ "name": "A", "value": "1" }]);
    containers[0]["ports"] = json!([{ "containerPort": 8080 }]);
    // Another order is no difference.
    containers
        .as_array_mut()
        .unwrap()
        .insert(0, json!({ "name": "first" }));
    would_be["metadata"]["labels"]["kyma-project.io/module"] = json!("istio");
    let paths: Vec<String> = told(&live, &would_be)
        .into_iter()
        .map(|change| change.path)
        .collect();
    assert_eq!(
        paths,
        [
            "metadata.labels[kyma-project.io/module]",
            "spec.template.spec.containers[first]",
            "spec.template.spec.containers[istio-proxy].env",
            "spec.template.spec.containers[istio-proxy].ports",
            "spec.template.spec.containers[istio-proxy].resources",
        ]
    );
    let mut changed = would_be.clone();
    changed["spec"]["template"]["spec"]["containers"][1]["resources"]["limits"]["cpu"] = json!("3");
    changed["spec"]["template"]["spec"]["containers"][1]["env"][0]["value"] = json!("2");
    changed["spec"]["template"]["spec"]["containers"][1]["ports"][0]["protocol"] = json!("UDP");
    assert_eq!(
        told(&would_be, &changed),
        [
            change(
                "spec.template.spec.containers[istio-proxy].env[A].value",
                json!("1"),
                json!("2")
            ),
            Change {
                path: "spec.template.spec.containers[istio-proxy].ports[8080].protocol".to_owned(),
                from: None,
                to: Some(json!("UDP"))
            },
            change(
                "spec.template.spec.containers[istio-proxy].resources.limits.cpu",
                json!("2"),
                json!("3")
            ),
        ]
    );
}

#[test]
fn what_clusters_write_by_themselves_is_no_difference() {
    let would_be = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "s", "namespace": "n" },
        "spec": { "ports": [{ "name": "http", "port": 80 }], "type": "LoadBalancer" },
    });
    let mut live = would_be.clone();
    live["metadata"]["uid"] = json!("u");
    live["metadata"]["resourceVersion"] = json!("7");
    live["metadata"]["managedFields"] = json!([{ "manager": "x" }]);
    live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
        json!("{}");
    live["spec"]["clusterIP"] = json!("10.0.0.1");
    live["spec"]["clusterIPs"] = json!(["10.0.0.1"]);
    live["spec"]["ports"][0]["nodePort"] = json!(30080);
    live["status"] = json!({ "loadBalancer": {} });
    assert_eq!(told(&live, &would_be), []);
    live["spec"]["ports"][0]["port"] = json!(81);
    assert_eq!(
        told(&live, &would_be),
        [change("spec.ports[http].port", json!(81), json!(80))]
    );
}

#[test]
fn a_webhook_differs_in_what_istiod_does_not_write() {
    let webhook = |policy: &str, ca: &str, timeout: u32| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": { "name": "v" },
            "webhooks": [{ "name": "a.b", "failurePolicy": policy, "clientConfig": { "caBundle": ca }, "timeoutSeconds": timeout }],
        })
    };
    assert_eq!(
        told(&webhook("Fail", "x", 10), &webhook("Ignore", "", 10)),
        []
    );
    // The other way round somebody opened what istiod had closed.
    assert_eq!(
        told(&webhook("Ignore", "x", 10), &webhook("Fail", "", 10)),
        [change(
            "webhooks[a.b].failurePolicy",
            json!("Ignore"),
            json!("Fail")
        )]
    );
    assert_eq!(
        told(&webhook("Fail", "x", 10), &webhook("Ignore", "", 5)),
        [change("webhooks[a.b].timeoutSeconds", json!(10), json!(5))]
    );
}

#[test]
fn every_kind_of_noise_has_a_reason() {
    assert!(
        NOISE
            .iter()
            .all(|entry| entry.reason.len() > 10 && !entry.path.is_empty())
    );
}

#[test]
fn replicas_that_an_autoscaler_owns_are_no_difference() {
    let live = deployment("istio-system", "istiod", "discovery", "a/pilot:1", &[]);
    let mut would_be = live.clone();
    would_be["spec"]["replicas"] = json!(3);
    let change = ObjectChange::of(Some(object(live)), Some(object(would_be))).unwrap();
    let mut observed = Observed::default();
    assert_eq!(change.changes(&observed).len(), 1);
    observed.autoscalers.push(typed(json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "namespace": "istio-system", "name": "istiod" },
        "spec": { "maxReplicas": 5, "scaleTargetRef": { "kind": "Deployment", "name": "istiod" } },
    })));
    assert_eq!(change.changes(&observed), []);
}

#[test]
fn secrets_are_never_shown() {
    let secret = |value: &str| {
        object(
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "data": { "token": value }, "stringData": { "a": value } }),
        )
    };
    let (old, new) = (secret("b2xk"), secret("bmV3"));
    let shown = [
        changes(Some(&old), &new),
        changes(None, &new),
        ObjectChange::of(Some(old), None)
            .unwrap()
            .changes(&Observed::default()),
    ];
    for list in shown {
        assert!(!list.is_empty());
        let text = serde_json::to_string(&list).unwrap();
        assert!(
            text.contains("<redacted>") && !text.contains("b2xk") && !text.contains("bmV3"),
            "{text}"
        );
    }
}

#[test]
fn texts_in_config_maps_are_compared_as_what_they_say() {
    let map = |text: &str| build::config_map("istio", "mesh", text);
    assert_eq!(told(&map("a: 1\nb: {c: 2}"), &map("b:\n  c: 2\na: 1")), []);
    assert_eq!(
        told(&map("a: 1\nb: {c: 2}"), &map("b:\n  c: 3\na: 1")),
        [change("data.mesh.b.c", json!(2), json!(3))]
    );
    assert_eq!(
        told(&map("plain"), &map("other")),
        [change("data.mesh", json!("plain"), json!("other"))]
    );
}

#[test]
fn changes_are_told_by_what_they_do() {
    let workload = |container: &str, name: &str, image: &str| {
        let mut value = deployment("istio-system", name, container, image, &["router"]);
        value["status"]["replicas"] = json!(2);
        value
    };
    let mesh = |text: &str| build::config_map("istio", "mesh", text);
    let values = |text: &str| build::config_map("istio-sidecar-injector", "values", text);
    let service = |kind: &str, port: u32, note: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "istio-system", "name": "gw", "annotations": { "a": note } },
            "spec": { "type": kind, "ports": [{ "port": 80 }, { "port": port }] },
        })
    };
    let strict = |mode: &str| json!({ "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": { "namespace": "istio-system", "name": "default" }, "spec": { "mtls": { "mode": mode } } });
    let crd = |versions: &[&str]| build::crd("gateways.networking.istio.io", versions);
    let cases: [(Option<Value>, Option<Value>, &[&str]); 16] = [
        (
            Some(workload("discovery", "istiod", "a:1")),
            Some(workload("discovery", "istiod", "a:2")),
            &["restarts: restarts the control plane istio-system/istiod (2 pods)"],
        ),
        (
            Some(workload("istio-proxy", "gw", "a:1")),
            Some(workload("istio-proxy", "gw", "a:2")),
            &["restarts: restarts the gateway istio-system/gw (2 pods)"],
        ),
        (
            Some(workload("istio-proxy", "gw", "a:1")),
            None,
            &["stops: stops the gateway istio-system/gw (2 pods)"],
        ),
        (
            Some(mesh("defaultConfig: {proxyMetadata: {A: x}}")),
            Some(mesh("defaultConfig: {proxyMetadata: {A: y}}")),
            &[
                "needs-sync: 2 sidecars need sync",
                "needs-sync: gateways take it when they restart (1 pod)",
            ],
        ),
        (
            Some(mesh(
                "defaultConfig: {gatewayTopology: {numTrustedProxies: 1}}",
            )),
            Some(mesh(
                "defaultConfig: {gatewayTopology: {numTrustedProxies: 2}}",
            )),
            &["needs-sync: gateways take it when they restart (1 pod)"],
        ),
        (
            Some(mesh("extensionProviders: []\na: 1")),
            Some(mesh("extensionProviders: [{name: x}]\na: 1")),
            &[],
        ),
        (
            Some(values("{\"global\": {\"tag\": \"1\"}}")),
            Some(values("{\"global\": {\"tag\": \"2\"}}")),
            &["needs-sync: 2 sidecars need sync"],
        ),
        (
            Some(values(
                "{\"global\": {\"proxy\": {\"resources\": {\"limits\": {\"cpu\": \"1\"}}}}}",
            )),
            Some(values(
                "{\"global\": {\"proxy\": {\"resources\": {\"limits\": {\"cpu\": \"2\"}}}}}",
            )),
            &["needs-sync: 2 sidecars need sync"],
        ),
        (
            Some(service("LoadBalancer", 443, "x")),
            Some(service("LoadBalancer", 443, "y")),
            &["traffic: may change the load balancer of istio-system/gw"],
        ),
        (
            Some(service("ClusterIP", 443, "x")),
            Some(service("LoadBalancer", 443, "x")),
            &["traffic: may change the load balancer of istio-system/gw"],
        ),
        (
            Some(service("ClusterIP", 31400, "x")),
            Some(service("ClusterIP", 443, "x")),
            &["stops: closes port 31400 of istio-system/gw"],
        ),
        (
            Some(crd(&["v1", "v1beta1"])),
            Some(crd(&["v1"])),
            &[
                "stops: gateways.networking.istio.io no longer serves v1beta1",
                "note: changes the schema of gateways.networking.istio.io; its resources are kept",
            ],
        ),
        (
            Some(crd(&["v1"])),
            None,
            &["stops: removes every resource of gateways.networking.istio.io"],
        ),
        (
            None,
            Some(strict("STRICT")),
            &["traffic: refuses plain text where istio-system/default holds"],
        ),
        (
            Some(strict("PERMISSIVE")),
            Some(strict("STRICT")),
            &["traffic: refuses plain text where istio-system/default holds"],
        ),
        (
            Some(build::mutating("istio-sidecar-injector", &["a.b"], "x")),
            None,
            &["stops: new pods get no sidecar by istio-sidecar-injector"],
        ),
    ];
    let mut observed = healthy();
    observed
        .pods
        .push(typed(pod("shop", "web", Some("1.30.2"))));
    let mut gateway = pod("istio-system", "gw", Some("1.30.2"));
    gateway["spec"]["containers"][1]["args"] = json!(["proxy", "router"]);
    observed.pods.push(typed(gateway));
    for (live, would_be, expected) in cases {
        let change = ObjectChange::of(live.map(object), would_be.map(object)).unwrap();
        let told: Vec<String> = consequences(std::slice::from_ref(&change), &observed)
            .iter()
            .map(|told| {
                format!(
                    "{}: {}",
                    serde_json::to_value(told.impact).unwrap().as_str().unwrap(),
                    told.what
                )
            })
            .collect();
        assert_eq!(told, expected, "{}", change.id);
    }
}

#[test]
fn the_same_consequence_is_told_once_with_every_cause_and_the_worst_comes_first() {
    let sides = |name: &str, key: &str, before: &str, after: &str| {
        ObjectChange::of(
            Some(object(build::config_map(name, key, before))),
            Some(object(build::config_map(name, key, after))),
        )
        .unwrap()
    };
    let gone = ObjectChange::of(
        Some(object(deployment("istio-system", "old", "x", "a:1", &[]))),
        None,
    )
    .unwrap();
    let list = [
        sides("istio", "mesh", "trustDomain: a", "trustDomain: b"),
        sides(
            "istio-sidecar-injector",
            "values",
            "{\"global\": {\"tag\": \"1\"}}",
            "{\"global\": {\"tag\": \"2\"}}",
        ),
        gone,
    ];
    let told = consequences(&list, &healthy());
    assert_eq!(
        told.iter().map(|told| told.impact).collect::<Vec<_>>(),
        [Impact::Stops, Impact::NeedsSync]
    );
    assert_eq!(
        (told[1].what.as_str(), told[1].because.len()),
        ("1 sidecar needs sync", 2)
    );
}

#[test]
fn manifests_are_read_as_istioctl_prints_them() {
    let text = "---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop}}\n\
                - {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}}\n---\n\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n---\n";
    let mut objects = read_manifests(text).unwrap();
    apply_order(&mut objects);
    let names: Vec<String> = objects
        .iter()
        .map(|object| object.id().to_string())
        .collect();
    assert_eq!(
        names,
        ["Namespace shop", "ConfigMap shop/c", "Service shop/s"]
    );
}

#[test]
fn manifests_that_cannot_be_applied_are_refused() {
    let cases = [
        ("a: [1", "the manifests are no YAML: "),
        (
            "apiVersion: v1\nkind: Service",
            "document 1 has no `metadata.name`, expected a Kubernetes object",
        ),
        (
            "kind: Service\nmetadata: {name: x}",
            "document 1 has no `apiVersion`",
        ),
        ("just text", "document 1 has no `apiVersion`"),
        (
            "{apiVersion: v1, kind: A, metadata: {name: x}}\n---\n{apiVersion: v1, kind: A, metadata: {name: x}}",
            "`A x` stands twice in the manifests",
        ),
    ];
    for (text, expected) in cases {
        let error = read_manifests(text).expect_err(text).to_string();
        assert!(
            error.starts_with(expected) && !error.contains('\n'),
            "{error}"
        );
    }
}

#[test]
fn objects_are_applied_in_phases() {
    let kinds = [
        ("security.istio.io/v1", "PeerAuthentication"),
        ("autoscaling/v2", "HorizontalPodAutoscaler"),
        ("apps/v1", "Deployment"),
        ("v1", "Service"),
        (
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
        ),
        ("v1", "ConfigMap"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("v1", "Namespace"),
    ];
    let mut objects: Vec<Object> = kinds
        .iter()
        .map(|(version, kind)| {
            object(json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "x" } }))
        })
        .collect();
    apply_order(&mut objects);
    let sorted: Vec<&str> = objects.iter().map(Object::kind).collect();
    let backwards: Vec<&str> = kinds.iter().rev().map(|(_, kind)| *kind).collect();
    assert_eq!(sorted, backwards);
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(value in any_object()) {
        prop_assert_eq!(told(&value, &value), []);
    }

    #[test]
    fn a_difference_is_seen_from_both_sides(a in any_object(), b in any_object()) {
        let paths = |changes: Vec<Change>| changes.into_iter().map(|change| change.path).collect::<Vec<_>>();
        prop_assert_eq!(paths(told(&a, &b)), paths(told(&b, &a)));
    }
}

fn any_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_u8).prop_map(Value::from),
        "[a-c: ]{0,3}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("name"),
        Just("port"),
        Just("a"),
        Just("b.c"),
        Just("data")
    ];
    let tree = leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let kind = prop_oneof![Just("ConfigMap"), Just("Service"), Just("Secret")];
    (kind, tree.clone(), tree).prop_map(|(kind, spec, data)| {
        json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "x" }, "spec": spec, "data": data })
    })
}

fn told(live: &Value, would_be: &Value) -> Vec<Change> {
    changes(Some(&object(live.clone())), &object(would_be.clone()))
}

fn change(path: &str, from: Value, to: Value) -> Change {
    Change {
        path: path.to_owned(),
        from: Some(from),
        to: Some(to),
    }
}
