use serde_json::json;

use super::*;

fn read(metadata: Value, spec: Value) -> Result<Target, Vec<String>> {
    Target::read(&json!({"metadata": metadata, "spec": spec}))
}

#[test]
fn a_gateway_policy_needs_no_target() {
    let found = read(json!({"name": "shop"}), json!({"position": "Gateway"})).unwrap();
    assert_eq!(
        (found.namespace.as_str(), found.phase, found.fail),
        ("istio-system", Phase::Authn, FailStrategy::Close)
    );
    let labels = BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())]);
    assert_eq!(found.select, Select::Labels(labels));
}

#[test]
fn a_sidecar_policy_must_say_where_and_the_whole_namespace_is_said_too() {
    let problems = read(json!({"name": "a"}), json!({"position": "SidecarInbound"})).unwrap_err();
    assert!(
        problems[0].starts_with("spec.target: found no proxies"),
        "{problems:?}"
    );
    let whole =
        json!({"position": "SidecarInbound", "target": {"namespace": "shop", "selector": {}}});
    let found = read(json!({"name": "a"}), whole).unwrap();
    assert_eq!(found.select, Select::Labels(BTreeMap::new()));
    assert_eq!(found.namespace, "shop");
}

#[test]
fn every_problem_at_once() {
    let target = json!({"gateway": "a", "selector": {"a": 1}, "phase": "AUTHN", "priority": 1.5, "failStrategy": "no", "namespace": "x", "more": 1});
    let problems = read(
        json!({"name": "Shop_1", "namespace": "y"}),
        json!({"target": target}),
    )
    .unwrap_err();
    let paths: Vec<&str> = problems
        .iter()
        .map(|problem| problem.split(':').next().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "spec.target.more",
            "metadata.name",
            "spec.target.namespace",
            "spec.target",
            "spec.target.phase",
            "spec.target.priority",
            "spec.target.failStrategy"
        ]
    );
}

#[test]
fn a_waypoint_or_a_service_is_no_target() {
    let target = json!({"targetRefs": [{"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "g"}, {"kind": "Service", "group": "", "name": "s"}]});
    let problems = read(json!({"name": "a"}), json!({"target": target})).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("targetRefs[1]") && problems[0].contains("waypoints"));
}

#[test]
fn a_shadow_fails_open_and_goes_first() {
    let found = read(
        json!({"name": "a"}),
        json!({"position": "Gateway", "mode": "Shadow"}),
    )
    .unwrap();
    assert_eq!((found.fail, found.priority), (FailStrategy::Open, 20));
    let enforcing = read(json!({"name": "a"}), json!({"position": "Gateway"})).unwrap();
    assert!(enforcing.priority < found.priority);
}
